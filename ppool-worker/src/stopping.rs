//! How a running call is stopped: a task that has asked whether it should is told so and may end by
//! itself; for others the process ends.
//!
//! ```text
//!  call thread                          control thread
//!  begins ─► Run {item}      ◄───────── Stop {item}
//!    stop_requested() ─► has_asked        asked before: REQUESTED, and the worker lives on
//!  ends ─► no item                        else: SIGTERM to this process
//! ```
//!
//! All changes happen under one lock, so a stop that comes too late can't hit the next call: either
//! the call has ended and the stop is forgotten, or the process ends and the call never does.
//!
//! # Failure
//!
//! The parent waits for neither: when its grace is over it sends SIGTERM itself, and then SIGKILL.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use ppool_core::{ids::ItemId, sys::signal};

/// What the call thread runs.
static RUN: Mutex<Run> = Mutex::new(Run {
    item: None,
    is_alone: false,
    is_dying: false,
    early: None,
});

/// Whether the task that runs has asked. Changes under the lock of `RUN`.
static HAS_ASKED: AtomicBool = AtomicBool::new(false);

/// Whether it is to stop. The same.
static REQUESTED: AtomicBool = AtomicBool::new(false);

struct Run {
    /// The item that runs, or the first of a group of short ones of which the parent has not heard.
    item: Option<ItemId>,
    /// Whether it is only one.
    is_alone: bool,
    /// Whether the process is about to end.
    is_dying: bool,
    /// A stop of something that has not begun here.
    early: Option<ItemId>,
}

impl Run {
    /// Whether what runs is what is to be stopped.
    fn is(&self, wanted: ItemId) -> bool {
        self.item.is_some_and(|item| {
            item.work_id == wanted.work_id
                && item.attempt == wanted.attempt
                && item.index <= wanted.index
        })
    }
}

/// Whether the running call is to stop: its time limit has passed, or `kill` was called on its future.
///
/// A task that runs long can ask this now and then. When the answer is yes it should clean up and
/// return, whatever its value: the caller gets the error of the stop. Its worker, with all that it
/// holds, then lives on. A call that does not return within the pool's `grace` is ended, and its
/// worker with it, as is at once one whose task has never asked.
///
/// Always false outside a worker, in a pool that runs in process, and when a pool is terminated,
/// which ends its workers by SIGTERM. It may be asked on any thread of the worker, costs some
/// nanoseconds, and is about the call that runs now. It is what a soft time limit is elsewhere.
///
/// ```
/// fn search(candidates: impl Iterator<Item = u64>) -> Option<u64> {
///     for candidate in candidates {
///         if ppool_worker::stop_requested() {
///             return None;
///         }
///         if candidate % 1_000 == 999 {
///             return Some(candidate);
///         }
///     }
///     None
/// }
///
/// assert_eq!(search(0..), Some(999));
/// ```
pub fn stop_requested() -> bool {
    if !HAS_ASKED.load(Relaxed) {
        asks_first();
    }
    REQUESTED.load(Relaxed)
}

#[cold]
fn asks_first() {
    let run = run();
    if run.item.is_some() {
        HAS_ASKED.store(true, Relaxed);
    }
}

/// An item begins on the call thread, or a group of them which the parent hears of together.
pub(crate) fn begins(first: ItemId, is_alone: bool) {
    let mut run = run();
    run.item = Some(first);
    run.is_alone = is_alone;
    HAS_ASKED.store(false, Relaxed);
    REQUESTED.store(false, Relaxed);
    if run.early.take().is_some_and(|early| run.is(early)) {
        end_process(run);
        wait_for_the_end();
    }
}

/// It has ended; what it gave has not been told yet.
pub(crate) fn ends() {
    let mut run = run();
    if run.is_dying {
        drop(run);
        wait_for_the_end();
    }
    run.item = None;
}

/// The parent wants this item stopped; on the control thread.
pub(crate) fn request(wanted: ItemId) {
    let mut run = run();
    if run.is(wanted) {
        if run.is_alone && HAS_ASKED.load(Relaxed) {
            REQUESTED.store(true, Relaxed);
        } else {
            end_process(run);
        }
    } else if run.item.is_none_or(|item| item.work_id != wanted.work_id) {
        run.early = Some(wanted);
    }
}

fn end_process(mut run: MutexGuard<'_, Run>) {
    run.is_dying = true;
    drop(run);
    // As if the parent had sent it: a task may handle it in its own way.
    signal::terminate_self();
}

/// The result of a call whose process was told to end must not get out.
fn wait_for_the_end() -> ! {
    loop {
        thread::park();
    }
}

fn run() -> MutexGuard<'static, Run> {
    RUN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use ppool_core::ids::WorkId;

    use super::*;

    fn item(id: u64, index: u32) -> ItemId {
        ItemId {
            work_id: WorkId(id),
            attempt: 0,
            index,
        }
    }

    /// One test, because there is one call thread.
    #[test]
    fn only_the_call_that_is_meant_is_asked_to_stop() {
        assert!(!stop_requested(), "nothing runs");
        begins(item(1, 0), true);
        assert!(!stop_requested());
        request(item(1, 0));
        assert!(stop_requested());
        ends();

        begins(item(2, 0), true);
        assert!(!stop_requested(), "it was another one");
        // Too late for the last one, and for an item before this one.
        request(item(1, 0));
        assert!(!stop_requested());
        ends();
        begins(item(3, 4), true);
        assert!(!stop_requested());
        request(item(3, 3));
        assert!(!stop_requested());
        request(item(3, 4));
        assert!(stop_requested());
        ends();
    }
}
