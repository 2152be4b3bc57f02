//! Finalizers that failed: the only code of users whose failure no call can have.

use std::collections::VecDeque;

use super::{QueueManager, core::Core, worker::Finalizer};
use crate::{error::WorkerExit, ids::WorkerId};

/// How many failures are kept: the last ones.
const KEPT: usize = 64;

/// A worker whose finalizer did not go as it should, as [`Finalized`](super::Finalized) lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FinalizerFailure {
    /// The worker's process id.
    pub pid: u32,
    /// Its row in the pool's table.
    pub slot: u32,
    /// What went wrong: a panic with its place, an `Err` with its sources, arguments that could not
    /// be decoded, or how the worker ended before its finalizer was done, by a signal of the
    /// pool too.
    pub message: String,
}

/// What is known of finalizers that failed.
#[derive(Debug, Default)]
pub(super) struct FinalizerFailures {
    /// How many there ever were.
    count: u64,
    /// The last ones since the pool was started.
    last: VecDeque<FinalizerFailure>,
}

impl FinalizerFailures {
    pub(super) fn note(&mut self, slot: u32, pid: u32, message: String) {
        self.count += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(FinalizerFailure { pid, slot, message });
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn last(&self) -> Vec<FinalizerFailure> {
        self.last.iter().cloned().collect()
    }

    /// The pool is started again.
    pub(super) fn forget(&mut self) {
        self.last.clear();
    }
}

impl QueueManager {
    /// The worker says that its finalizer failed, or that it has done it.
    pub(super) fn finalizer_ended(&self, core: &mut Core, id: WorkerId, failure: Option<String>) {
        let Some(worker) = core.worker(id) else {
            return;
        };
        worker.finalizer = Finalizer::Done;
        let pid = worker.pid;
        if let Some(message) = failure {
            core.finalizers.note(id.slot.0, pid, message);
        }
    }

    /// The worker has ended. One that was told to leave should have said that its finalizer was done.
    pub(super) fn finalizer_missed(&self, core: &mut Core, id: WorkerId, exit: &WorkerExit) {
        let wanted = core
            .worker(id)
            .is_some_and(|worker| worker.finalizer == Finalizer::Wanted);
        if wanted && self.settings.boot.finalizer.is_some() {
            let message = format!("{exit} before its finalizer was done");
            core.finalizers.note(id.slot.0, exit.pid, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_failures_are_kept_and_all_are_counted() {
        let mut failures = FinalizerFailures::default();
        for pid in 0..100 {
            failures.note(0, pid, "it failed".to_owned());
        }
        assert_eq!(failures.count(), 100);
        let last = failures.last();
        assert_eq!(last.len(), KEPT);
        assert_eq!((last[0].pid, last[KEPT - 1].pid), (36, 99));
        failures.forget();
        assert_eq!((failures.count(), failures.last().len()), (100, 0));
    }
}
