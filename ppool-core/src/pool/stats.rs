//! What a pool is doing, in numbers.

use std::time::Duration;

use serde::Serialize;

use super::Pool;
use crate::queue_manager::{Activity, TimeStats, WorkerSurvey};

/// What a pool is doing and has done: what [`Pool::stats`] gives. Plain data, taken at one moment.
///
/// Every call that was submitted is in exactly one of `pending`, `in_flight`, `finished`,
/// `failed` and `cancelled`. Each input of a map is a call.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct PoolStats {
    /// The workers, in order of their slots.
    pub workers: Vec<WorkerStats>,
    /// The least number of workers.
    pub min_workers: usize,
    /// The most workers.
    pub max_workers: usize,
    /// Calls that have not begun, wherever they wait: in the pool's queue, or in a worker's behind
    /// the call that it runs.
    pub pending: u64,
    /// Calls that run.
    pub in_flight: u64,
    /// Calls that were ever accepted.
    pub submitted: u64,
    /// Calls that gave a value (also an `Err` of the task's own).
    pub finished: u64,
    /// Calls that panicked, timed out, lost their worker, and so on.
    pub failed: u64,
    /// Calls that were cancelled or killed.
    pub cancelled: u64,
    /// How often a call ran again after its worker was lost.
    pub retried: u64,
    /// How many worker processes were ever started.
    pub workers_started: u64,
    /// How many workers' finalizers failed; [`finalize`](Pool::finalize) says how.
    pub finalizers_failed: u64,
    /// Messages that nobody expected any more: of workers that were given up, about calls that were
    /// resolved.
    pub stale_messages: u64,
    /// Calls that ended in workers for each second, over the last ten seconds; in a younger pool,
    /// since its first call.
    pub throughput: f64,
    /// How long calls waited until a worker began them, over all that did. `None` unless the pool
    /// was built with `histograms(true)`, which needs the feature `stats`.
    pub waiting: Option<TimeStats>,
    /// How long calls ran, from their begin to their result. As `waiting`.
    pub running: Option<TimeStats>,
    /// Why no worker can be started any more, if so: every call fails with this.
    pub broken: Option<String>,
}

/// What one worker is doing and has done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Its process id; `None` before there is a process.
    pub pid: Option<u32>,
    /// Its row in the pool's table, which its replacement will have too.
    pub slot: u32,
    /// Which process of that row it is.
    pub generation: u32,
    /// What it is about.
    pub state: WorkerState,
    /// The task of the call that it runs.
    pub task: Option<&'static str>,
    /// For how long it has been running that call.
    pub running_for: Option<Duration>,
    /// For how long it has been idle.
    pub idle_for: Option<Duration>,
    /// How many calls lie in its queue behind the one that runs.
    pub queued: u64,
    /// How many calls it has done.
    pub calls_done: u64,
    /// How much memory it has resident, in bytes; `None` when the process is gone or not yet there.
    pub resident_memory: Option<u64>,
}

/// What a worker is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[non_exhaustive]
pub enum WorkerState {
    /// Its process starts, or runs the initializer.
    Starting,
    /// It waits for a call.
    Idle,
    /// It runs a call.
    Busy,
    /// It was told to leave, and may run the finalizer.
    Leaving,
    /// It was sent a signal: a time limit has passed, a call was killed, the pool is terminated.
    Stopping,
}

impl Pool {
    /// What the pool is doing and has done.
    ///
    /// It asks the kernel for the memory of each worker, some ten microseconds each; apart from
    /// that it holds nobody up.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let survey = self.parts.manager.survey();
        let (min_workers, max_workers) = survey.min_and_max;
        let (waiting, running) = survey.pool.times.unzip();
        let totals = survey.pool.totals;
        PoolStats {
            // Without the pool's lock, since it asks the kernel.
            workers: survey.workers.into_iter().map(worker_stats).collect(),
            min_workers: min_workers as usize,
            max_workers: max_workers as usize,
            pending: survey.pool.pending,
            in_flight: survey.pool.in_flight,
            submitted: totals.submitted,
            finished: totals.finished,
            failed: totals.failed,
            cancelled: totals.cancelled,
            retried: totals.retried,
            workers_started: totals.workers_started,
            finalizers_failed: survey.finalizers_failed,
            stale_messages: totals.stale,
            throughput: survey.pool.throughput,
            waiting,
            running,
            broken: survey.broken,
        }
    }
}

fn worker_stats(survey: WorkerSurvey) -> WorkerStats {
    let resident_memory = survey.resident_memory();
    let WorkerSurvey { view, pid, task } = survey;
    let state = match view.activity {
        Activity::Starting => WorkerState::Starting,
        Activity::Idle => WorkerState::Idle,
        Activity::Busy => WorkerState::Busy,
        Activity::Leaving => WorkerState::Leaving,
        Activity::Stopping => WorkerState::Stopping,
    };
    WorkerStats {
        pid,
        slot: view.id.slot.0,
        generation: view.id.generation.0,
        state,
        task,
        running_for: task.map(|_| view.since),
        idle_for: (state == WorkerState::Idle).then_some(view.since),
        queued: view.queued,
        calls_done: view.calls_done,
        resident_memory,
    }
}
