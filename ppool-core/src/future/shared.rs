//! The state of one call, shared by who completes it and who waits for it.

use std::{
    fmt, mem, ptr,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    task::Waker,
    time::Instant,
};

use super::{
    End, Hook, Hooks, Outcome, Returns, SharedOutcome, Starts, TaskState,
    outcome::Stored,
    park::{has_passed, lock, sleep},
    state::Phase,
};

/// One call: its state, who waits for it, and its outcome until somebody takes it.
///
/// It is small (64 bytes with its `Arc`), knows no type, and is used behind an `Arc`.
pub(crate) struct CallState {
    /// Says what `inner` holds without the lock; becomes an end only under it.
    phase: Phase,
    /// Notified when the call ends and threads sleep.
    ended: Condvar,
    inner: Mutex<Inner>,
}

enum Inner {
    /// The call has not ended.
    Waiting(Waiters),
    /// It has (API-1: never changes back).
    Ended(Stored),
}

/// All who wait for the end.
#[derive(Default)]
struct Waiters {
    /// The async task that awaits the call.
    waker: Option<Waker>,
    /// Whether a thread may sleep on `ended`: mostly not, and then no system call is made.
    sleepers: bool,
    /// Rarely there.
    others: Option<Box<Others>>,
}

#[derive(Default)]
struct Others {
    hooks: Vec<Hook>,
    observers: Vec<(Arc<dyn EndObserver>, usize)>,
}

/// Somebody who waits for several calls at once.
///
/// It is told on the completer's thread, outside the call's lock; it must not block.
pub(crate) trait EndObserver: Send + Sync {
    /// The call that it registered with under `tag` has ended. Never called twice for one
    /// registration.
    fn call_ended(&self, tag: usize, end: End);
}

/// What became of [`CallState::adds_hook`].
#[must_use]
pub(crate) enum AddsHook {
    /// It will be among the [`Hooks`] of the end.
    Kept,
    /// The call has ended, this way (`None`: and the result was taken); run the hook.
    Ended(Hook, Option<SharedOutcome>),
}

/// What became of [`CallState::observes`].
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Observes {
    /// The observer will be told.
    Registered,
    /// The call has ended, this way; the observer will not be told.
    Ended(End),
}

impl CallState {
    /// A call that waits for a worker.
    pub(crate) fn new() -> Self {
        CallState {
            phase: Phase::pending(),
            ended: Condvar::new(),
            inner: Mutex::new(Inner::Waiting(Waiters::default())),
        }
    }

    /// A call that has ended before it was accepted.
    pub(crate) fn born_ended(outcome: Outcome) -> Self {
        CallState {
            phase: Phase::ended(outcome.end()),
            ended: Condvar::new(),
            inner: Mutex::new(Inner::Ended(outcome.into())),
        }
    }

    /// How far the call has come.
    pub(crate) fn state(&self) -> TaskState {
        self.phase.state()
    }

    /// How it ended, when it has: one atomic load.
    pub(crate) fn end(&self) -> Option<End> {
        self.phase.end()
    }

    /// Whether it has ended: one atomic load.
    pub(crate) fn is_done(&self) -> bool {
        self.end().is_some()
    }

    /// Pending → Running: a worker has begun it.
    pub(crate) fn starts(&self) -> Starts {
        self.phase.starts()
    }

    /// Running → Pending: its worker was lost and it will be tried again.
    pub(crate) fn returns_to_pending(&self) -> Returns {
        self.phase.returns_to_pending()
    }

    /// Pending or Running → the end: sets the outcome and wakes all threads that wait.
    ///
    /// Exactly once (API-1): a second time is a bug, and ignored. What comes after a cancellation
    /// is merely late, and ignored too.
    pub(crate) fn finish(&self, outcome: Outcome) -> Hooks {
        let mut inner = self.lock();
        match &mut *inner {
            Inner::Waiting(waiters) => {
                let waiters = mem::take(waiters);
                let end = outcome.end();
                self.ends(inner, waiters, outcome.into(), end)
            }
            Inner::Ended(_) => {
                drop(inner);
                debug_assert_eq!(
                    self.state(),
                    TaskState::Cancelled,
                    "a call was finished twice (API-1)"
                );
                Hooks::default()
            }
        }
    }

    /// The one place where a call ends. `waiters` were taken out under the lock that `inner` holds.
    fn ends(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        waiters: Waiters,
        mut stored: Stored,
        end: End,
    ) -> Hooks {
        let others = waiters.others.map(|others| *others).unwrap_or_default();
        let outcome = match others.hooks.is_empty() {
            true => None,
            false => stored.share(),
        };
        *inner = Inner::Ended(stored);
        self.phase.ends(end);
        drop(inner);
        if waiters.sleepers {
            self.ended.notify_all();
        }
        for (observer, tag) in others.observers {
            observer.call_ended(tag, end);
        }
        Hooks {
            waker: waiters.waker,
            consequence: None,
            callbacks: others.hooks,
            outcome,
        }
    }

    /// Blocks until the call has ended, or `deadline`; whether it has.
    pub(crate) fn wait_until_done(&self, deadline: Option<Instant>) -> bool {
        if self.is_done() {
            return true;
        }
        let mut inner = self.lock();
        while let Inner::Waiting(waiters) = &mut *inner {
            if has_passed(deadline) {
                return false;
            }
            waiters.sleepers = true;
            inner = sleep(&self.ended, inner, deadline);
        }
        true
    }

    /// Takes the outcome out; an error stays. `None` while there is none.
    pub(super) fn take_outcome(&self) -> Option<Stored> {
        match &mut *self.lock() {
            Inner::Waiting(_) => None,
            Inner::Ended(stored) => Some(stored.take()),
        }
    }

    /// Makes `waker` the one to be woken; false when the call has ended and nobody will be.
    #[must_use]
    pub(super) fn registers_waker(&self, waker: &Waker) -> bool {
        if let Inner::Waiting(waiters) = &*self.lock()
            && let Some(known) = &waiters.waker
            && known.will_wake(waker)
        {
            return true;
        }
        // Cloning and dropping a waker is user code, so neither is done under the lock.
        let waker = waker.clone();
        let old = match &mut *self.lock() {
            Inner::Waiting(waiters) => waiters.waker.replace(waker),
            Inner::Ended(_) => return false,
        };
        drop(old);
        true
    }

    /// Nobody awaits the call any more.
    pub(super) fn forgets_waker(&self) {
        let old = match &mut *self.lock() {
            Inner::Waiting(waiters) => waiters.waker.take(),
            Inner::Ended(_) => None,
        };
        drop(old);
    }

    /// Adds a callback.
    pub(crate) fn adds_hook(&self, hook: Hook) -> AddsHook {
        match &mut *self.lock() {
            Inner::Waiting(waiters) => {
                waiters.others.get_or_insert_default().hooks.push(hook);
                AddsHook::Kept
            }
            Inner::Ended(stored) => AddsHook::Ended(hook, stored.share()),
        }
    }

    /// Adds an observer, which will be told of the end under `tag`.
    pub(crate) fn observes(&self, observer: &Arc<dyn EndObserver>, tag: usize) -> Observes {
        if let Some(end) = self.end() {
            return Observes::Ended(end);
        }
        match &mut *self.lock() {
            Inner::Waiting(waiters) => {
                let others = waiters.others.get_or_insert_default();
                others.observers.push((Arc::clone(observer), tag));
                Observes::Registered
            }
            Inner::Ended(_) => Observes::Ended(
                self.end()
                    .expect("the phase ends before the lock is released"),
            ),
        }
    }

    /// Takes all registrations of `observer` back, and the memory that they took. It may be told
    /// once more by a completer that was faster.
    pub(crate) fn stops_observing(&self, observer: &Arc<dyn EndObserver>) {
        if self.is_done() {
            return;
        }
        if let Inner::Waiting(waiters) = &mut *self.lock()
            && let Some(others) = &mut waiters.others
        {
            let gone = Arc::as_ptr(observer);
            others
                .observers
                .retain(|(other, _)| !ptr::addr_eq(Arc::as_ptr(other), gone));
            if others.observers.is_empty() && others.hooks.is_empty() {
                waiters.others = None;
            }
        }
    }

    /// How many observers are registered.
    #[cfg(test)]
    pub(super) fn observers(&self) -> usize {
        match &*self.lock() {
            Inner::Waiting(waiters) => waiters
                .others
                .as_ref()
                .map_or(0, |others| others.observers.len()),
            Inner::Ended(_) => 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

impl fmt::Debug for CallState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallState({:?})", self.state())
    }
}
