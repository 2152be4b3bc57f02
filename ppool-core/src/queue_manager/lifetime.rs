//! The end of a pool with a report, and its start after an end.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use super::{
    Cargo, QueueManager,
    core::{Era, Sleep},
    effect::Failure,
    finalizers::FinalizerFailure,
    reactor::Departures,
};
use crate::ids::WorkId;

/// What it took to end a pool: what [`Pool::finalize`](crate::Pool::finalize) gives.
///
/// Each worker is counted once, by the hardest means that was used on it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Finalized {
    /// How many workers left by themselves, when there was nothing more to do.
    pub left: usize,
    /// How many had to be sent SIGTERM, and ended then.
    pub terminated: usize,
    /// How many had to be sent SIGKILL, because SIGTERM was not enough.
    pub killed: usize,
    /// The calls that were given up when the time had passed. Their futures have the error
    /// `Cancelled`. A call that failed by itself is not among them.
    pub lost: Vec<LostCall>,
    /// Finalizers that failed since the pool was made or started again, also of workers that left
    /// before: the last 64.
    pub finalizer_failures: Vec<FinalizerFailure>,
    /// Whether the pool has ended. False only while a callback still runs (but not the one that
    /// calls `finalize`); the workers are gone all the same. In a pool that runs
    /// [in process](crate::PoolBuilder::in_process), also while another thread runs a call.
    pub ended: bool,
}

impl Finalized {
    /// Whether every call was finished, every worker left by itself, and no finalizer failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.ended
            && self.terminated == 0
            && self.killed == 0
            && self.lost.is_empty()
            && self.finalizer_failures.is_empty()
    }
}

/// A call that was given up, because the pool had to end.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LostCall {
    /// The number of the call, as `TaskFuture::id` gives it. The calls of a map that were sent
    /// together have the same.
    pub id: u64,
    /// The name of the task.
    pub task: &'static str,
    /// Whether it had begun to run in a worker: when not, it can be submitted elsewhere without
    /// doing anything twice.
    pub was_started: bool,
}

impl LostCall {
    /// The calls of an item that fail because they were given up.
    pub(super) fn all_of(
        cargo: &Cargo,
        id: WorkId,
        calls: &Range<u32>,
        failure: &Failure,
    ) -> impl Iterator<Item = LostCall> + use<> {
        let given_up = match failure {
            Failure::Cancelled { started } => Some(*started),
            Failure::Lost(_)
            | Failure::TimedOut(_)
            | Failure::CpuTimedOut(_)
            | Failure::MemoryLimit
            | Failure::Broken(_) => None,
        };
        let task = cargo.entry.name;
        given_up
            .into_iter()
            .flat_map({
                let calls = calls.clone();
                move |was_started| calls.clone().map(move |_| was_started)
            })
            .map(move |was_started| LostCall {
                id: id.sequence(),
                task,
                was_started,
            })
    }
}

impl QueueManager {
    /// Finishes what the pool has, and ends it; what is left when `timeout` has passed is stopped.
    pub(crate) fn finalize(&self, timeout: Duration) -> Finalized {
        let deadline = Instant::now().checked_add(timeout);
        let mut core = self.lock();
        let can_wait = !self.is_manager_thread(&core) && !self.is_forked();
        core.reactor.allow_to_leave_for(timeout, self.now());
        let before = core.reactor.departures();
        drop(core);
        let era = self.close();
        let mut ended = self.join(era, deadline);
        let mut lost = None;
        if can_wait && !ended {
            let mut core = self.lock();
            if core.era == era {
                core.lost.get_or_insert_default();
                self.terminate_core(core);
            }
            ended = self.join_terminated(era);
            lost = self.lock().lost.take();
        }
        let core = self.lock();
        let Departures {
            left,
            terminated,
            killed,
        } = core.reactor.departures() - before;
        Finalized {
            left,
            terminated,
            killed,
            lost: lost.unwrap_or_default(),
            finalizer_failures: core.finalizers.last(),
            ended,
        }
    }

    /// Waits until a terminated pool has ended. Workers are gone after the grace at the latest;
    /// callbacks, and calls that run in this process, can't be stopped, so when they still run a
    /// grace later, it is false.
    fn join_terminated(&self, era: Era) -> bool {
        let grace = self.settings.limits.grace.max(Duration::from_secs(1));
        loop {
            let workers_are_gone = self.lock().stopped || self.runs_here();
            if self.join(era, Instant::now().checked_add(grace)) {
                return true;
            }
            if workers_are_gone {
                return false;
            }
        }
    }

    /// Has a pool that has ended accept calls again; one that is ending is waited for first.
    /// Whether it accepts calls now.
    pub(crate) fn reopen(&self) -> bool {
        if self.is_forked() {
            return false;
        }
        let core = self.lock();
        if core.reactor.is_open() {
            return true;
        }
        let era = core.era;
        drop(core);
        self.join(era, None);
        let mut core = self.lock();
        // On a thread that the end waits for it may not have come yet; and another thread may have
        // been faster.
        if core.has_ended && core.reactor.reopen(self.settings.limits.leave_timeout) {
            self.callbacks.reopen();
            core.finalizers.forget();
            if let Some(printed) = &self.printed {
                printed.reopen();
            }
            core.has_ended = false;
            core.stopped = false;
            core.sleep = Sleep::Awake;
            core.era = core.era.next();
            // The thread of the era before is at its end, also where nobody has joined it.
            core.engine = None;
            self.ended.notify_all();
        }
        core.reactor.is_open()
    }
}
