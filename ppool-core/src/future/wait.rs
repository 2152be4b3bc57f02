//! Waiting for several calls at once.

use std::{
    borrow::Borrow,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use super::{
    End, EndObserver, Observes, TaskFuture,
    park::{deadline_after, has_passed, lock, sleep},
};

/// What [`wait`] waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WaitFor {
    /// Until all calls are done.
    All,
    /// Until any call is done, in whatever way.
    FirstCompleted,
    /// Until any call has ended with an error, cancellation included, or else all are done. (A
    /// result that can't be decoded counts as a value here: it is decoded later, by who takes it.)
    FirstException,
}

/// What [`wait`] found, as indices into the slice that it was given, each in ascending order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Waited {
    /// The calls that are done: with a value, with an error, or cancelled.
    pub done: Vec<usize>,
    /// The calls that are not.
    pub pending: Vec<usize>,
}

/// Blocks until as many of the calls are done as `until` says, or until `timeout` has passed
/// (`None`: for ever). Takes no results; no futures is nothing to wait for.
///
/// ```
/// use std::time::Duration;
///
/// use ppool_core::{TaskFuture, WaitFor, wait};
///
/// /// Gives up on whatever is not done within a second.
/// fn hurry(futures: &[TaskFuture<u64>]) {
///     let waited = wait(futures, WaitFor::All, Some(Duration::from_secs(1)));
///     for index in waited.pending {
///         futures[index].kill();
///     }
/// }
/// ```
pub fn wait<R, F>(futures: &[F], until: WaitFor, timeout: Option<Duration>) -> Waited
where
    F: Borrow<TaskFuture<R>>,
{
    let deadline = timeout.and_then(deadline_after);
    match until {
        // Calls tend to end in their order, so whoever waits for the last one first finds most
        // others done, and needs to register with none of them.
        WaitFor::All => {
            for future in futures.iter().rev() {
                future.borrow().wait_until(deadline);
            }
        }
        WaitFor::FirstCompleted => wait_for_first(futures, 1, deadline),
        WaitFor::FirstException => wait_for_first(futures, futures.len(), deadline),
    }
    let (done, pending) = (0..futures.len()).partition(|&at| futures[at].borrow().is_done());
    Waited { done, pending }
}

/// Blocks until `count` calls have ended, or one has failed.
fn wait_for_first<R, F>(futures: &[F], count: usize, deadline: Option<Instant>)
where
    F: Borrow<TaskFuture<R>>,
{
    let ends = || {
        futures
            .iter()
            .filter_map(|future| future.borrow().shared().end())
    };
    let is_enough =
        ends().take(count).count() == count.min(futures.len()) || ends().any(End::is_failure);
    if is_enough || has_passed(deadline) {
        return;
    }

    let latch = Arc::new(Latch::new(count));
    let observer: Arc<dyn EndObserver> = latch.clone();
    for (at, future) in futures.iter().enumerate() {
        match future.borrow().observes(&observer, at) {
            Observes::Registered => {}
            Observes::Ended(end) => latch.call_ended(at, end),
        }
    }
    if let Some(pending) = futures
        .iter()
        .map(Borrow::borrow)
        .find(|future| !future.is_done())
    {
        pending.help(deadline);
    }
    latch.wait_until_open(deadline);
    for future in futures {
        future.borrow().stops_observing(&observer);
    }
}

/// Opens when enough calls have ended, or one has failed.
struct Latch {
    /// How many calls it still waits for.
    left: Mutex<usize>,
    opens: Condvar,
}

impl Latch {
    fn new(left: usize) -> Self {
        Latch {
            left: Mutex::new(left),
            opens: Condvar::new(),
        }
    }

    fn wait_until_open(&self, deadline: Option<Instant>) {
        let mut left = lock(&self.left);
        while *left > 0 && !has_passed(deadline) {
            left = sleep(&self.opens, left, deadline);
        }
    }
}

impl EndObserver for Latch {
    fn call_ended(&self, _tag: usize, end: End) {
        let mut left = lock(&self.left);
        if *left == 0 {
            return;
        }
        *left = match end.is_failure() {
            true => 0,
            false => *left - 1,
        };
        if *left == 0 {
            self.opens.notify_all();
        }
    }
}
