//! What the reactor wants done; the event loop does it.

use std::time::Duration;

use crate::{
    error::{BrokenPool, TaskErrorKind, WorkerExit},
    ids::{WorkId, WorkerId},
};

/// Something to do, decided by the [`Reactor`](super::reactor::Reactor).
#[derive(Debug)]
pub(crate) enum Effect<C> {
    /// Start a process for this worker; answer with `launched` or `spawn_failed`.
    Spawn(WorkerId),
    /// Send the work item to the worker.
    Send(WorkerId, WorkId),
    /// The item is the first of its worker now, so that it runs.
    Begins(WorkId),
    /// Take the item back if the worker has not started it: another one has nothing to do. Answer
    /// with `taken_back` when that came about.
    TakeBack(WorkerId, WorkId),
    /// Take those of the items back that the worker has not started: others are to go before them,
    /// or the worker is to leave. Answer with `reclaimed`.
    Reclaim(WorkerId, Vec<WorkId>),
    /// Tell the worker to finish what it has and leave.
    SendSentinel(WorkerId),
    /// Stop the item that the worker runs: take back what lies behind it, take the results that are
    /// there, then signal the worker if it still runs the item, or answer with `spared`.
    Stop(WorkerId, WorkId),
    /// Signal the worker's process.
    Signal(WorkerId, StopSignal),
    /// The call goes back to the queue; it is not running any more.
    Requeued(C),
    /// Calls of an item give no value, for this reason.
    Fail {
        /// Whose calls.
        cargo: C,
        /// Its id.
        id: WorkId,
        /// Which calls of the chunk.
        calls: std::ops::Range<u32>,
        /// Why.
        failure: Failure,
    },
    /// Everything is resolved and every worker is gone: the pool has ended.
    Stopped,
}

/// How to end a process that doesn't leave by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StopSignal {
    /// SIGTERM: it may clean up.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// Why a call gives no value, as the reactor knows it.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Cancelled before it started, or killed after.
    Cancelled {
        /// Whether it had started.
        started: bool,
    },
    /// Its worker was lost while it ran.
    Lost(WorkerExit),
    /// It ran longer than this.
    TimedOut(Duration),
    /// It took more processor time than this, and its worker died of that.
    CpuTimedOut(Duration),
    /// It wanted more memory than its worker may have, which died of that.
    MemoryLimit,
    /// No worker can be started.
    Broken(BrokenPool),
}

impl From<BrokenPool> for Refusal {
    fn from(cause: BrokenPool) -> Self {
        Refusal::Broken(cause)
    }
}

/// The error of a call that waited for room, or didn't have to, and was refused.
impl From<Refusal> for TaskErrorKind {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::Broken(cause) => TaskErrorKind::PoolBroken(cause),
            Refusal::Full | Refusal::Closed => TaskErrorKind::PoolClosed,
        }
    }
}

/// Why a submission is not accepted.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// The queue of pending calls is full.
    Full,
    /// The pool was closed.
    Closed,
    /// No worker can be started.
    Broken(BrokenPool),
}
