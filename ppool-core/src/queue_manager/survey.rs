//! What a pool is doing, for those who only want to look: what the reactor knows, and which process
//! and which task that is.

use super::{
    QueueManager,
    reactor::{PoolView, WorkerView},
};
use crate::sys::procfs;

/// A pool at one moment.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) pool: PoolView,
    /// In order of their slots.
    pub(crate) workers: Vec<WorkerSurvey>,
    pub(crate) min_and_max: (u32, u32),
    /// How many finalizers failed.
    pub(crate) finalizers_failed: u64,
    /// Why no worker can be started, if so.
    pub(crate) broken: Option<String>,
}

/// A worker at one moment.
#[derive(Debug)]
pub(crate) struct WorkerSurvey {
    pub(crate) view: WorkerView,
    /// Its process, once there is one.
    pub(crate) pid: Option<u32>,
    /// The name of the task that it runs.
    pub(crate) task: Option<&'static str>,
}

impl WorkerSurvey {
    /// What it has in memory now, in bytes, while it lives. Reads a file, so never under the lock.
    pub(crate) fn resident_memory(&self) -> Option<u64> {
        let memory = procfs::memory(self.pid?).ok()?;
        Some(memory.resident)
    }
}

impl QueueManager {
    /// Looks at everything once.
    pub(crate) fn survey(&self) -> Survey {
        let mut core = self.lock();
        let mut pool = core.reactor.view(self.now());
        let views = std::mem::take(&mut pool.workers);
        let workers = views.into_iter().map(|view| WorkerSurvey {
            pid: core.worker(view.id).map(|worker| worker.pid),
            task: view
                .call
                .and_then(|id| core.reactor.item(id))
                .map(|item| item.cargo.entry.name),
            view,
        });
        Survey {
            workers: workers.collect(),
            pool,
            min_and_max: core.reactor.min_and_max(),
            finalizers_failed: core.finalizers.count(),
            broken: core.reactor.broken().map(ToString::to_string),
        }
    }
}
