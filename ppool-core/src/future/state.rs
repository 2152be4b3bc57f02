//! How far a call has come, and the named steps from one state to the next.

use std::sync::atomic::{
    AtomicU8,
    Ordering::{Acquire, Relaxed, Release},
};

/// How far a call has come.
///
/// ```
/// use ppool_core::{TaskFuture, TaskState};
///
/// fn describe(future: &TaskFuture<u64>) -> &'static str {
///     match future.state() {
///         TaskState::Pending => "waits for a worker",
///         TaskState::Running => "runs in a worker",
///         TaskState::Cancelled => "was cancelled",
///         TaskState::Finished => "has a value or an error",
///     }
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TaskState {
    /// It has not started, though it may already lie in a worker's queue; or it will run again
    /// after its worker was lost.
    Pending,
    /// A worker runs it.
    Running,
    /// It was cancelled or killed, or its pool was shut down before it ran. It is done.
    Cancelled,
    /// It has its value or its error. It is done.
    Finished,
}

/// How a call ended, as far as it matters to somebody who waits for several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// With a value.
    Value,
    /// With an error other than `Cancelled`.
    Error,
    /// With the error `Cancelled`.
    Cancelled,
}

impl End {
    /// Whether the call gave no value.
    pub(crate) fn is_failure(self) -> bool {
        self != End::Value
    }
}

/// What became of [`Phase::starts`].
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Starts {
    /// It runs. (It may have been said before.)
    Running,
    /// It has its outcome already, mostly because it was cancelled: it must not run.
    Ended,
}

/// What became of [`Phase::returns_to_pending`].
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Returns {
    /// It waits for a worker again. (Its start may never have been noted.)
    Pending,
    /// It got its outcome meanwhile: it must not run again.
    Ended,
}

const PENDING: u8 = 0;
const RUNNING: u8 = 1;
/// This and all above it are ends.
const CANCELLED: u8 = 2;
const FAILED: u8 = 3;
const FINISHED: u8 = 4;

/// The state of one call as one atomic byte, so that it can be asked without a lock.
///
/// [`Phase::ends`] is called under the lock of the outcome, so that there is one end; the other
/// steps need no lock.
#[derive(Debug)]
pub(super) struct Phase(AtomicU8);

impl Phase {
    pub(super) const fn pending() -> Self {
        Phase(AtomicU8::new(PENDING))
    }

    pub(super) const fn ended(end: End) -> Self {
        Phase(AtomicU8::new(code(end)))
    }

    pub(super) fn state(&self) -> TaskState {
        match self.0.load(Acquire) {
            PENDING => TaskState::Pending,
            RUNNING => TaskState::Running,
            CANCELLED => TaskState::Cancelled,
            _ => TaskState::Finished,
        }
    }

    /// How it ended, when it has. The load pairs with the release in `ends`, so what
    /// the completer did before is visible to who sees the end.
    pub(super) fn end(&self) -> Option<End> {
        match self.0.load(Acquire) {
            PENDING | RUNNING => None,
            CANCELLED => Some(End::Cancelled),
            FAILED => Some(End::Error),
            _ => Some(End::Value),
        }
    }

    /// Pending → Running. Publishes nothing, hence relaxed.
    pub(super) fn starts(&self) -> Starts {
        match self.changes_to(RUNNING) {
            true => Starts::Running,
            false => Starts::Ended,
        }
    }

    /// Running → Pending, before a retry. Publishes nothing, hence relaxed.
    pub(super) fn returns_to_pending(&self) -> Returns {
        match self.changes_to(PENDING) {
            true => Returns::Pending,
            false => Returns::Ended,
        }
    }

    fn changes_to(&self, next: u8) -> bool {
        self.0
            .fetch_update(Relaxed, Relaxed, |now| (now < CANCELLED).then_some(next))
            .is_ok()
    }

    /// Pending or Running → the end. The caller knows, by its lock, that there was none.
    pub(super) fn ends(&self, end: End) {
        self.0.store(code(end), Release);
    }
}

const fn code(end: End) -> u8 {
    match end {
        End::Cancelled => CANCELLED,
        End::Error => FAILED,
        End::Value => FINISHED,
    }
}
