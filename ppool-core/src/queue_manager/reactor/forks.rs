//! Workers that are forked from a template: their start may have to wait for another process.
//!
//! A template that can't be started, or dies, leaves all workers without a process that were to come
//! from it. That is one failure, however many they are, and the pause before the next try is that
//! of one (SUP-2). While they wait they have no deadline here: the template has one, and theirs begin
//! with their processes.

use std::time::Duration;

use super::{Reactor, State};
use crate::{error::BrokenPool, ids::WorkerId, queue_manager::effect::Effect};

impl<C: Clone> Reactor<C> {
    /// The processes of these workers could not be started, for one reason; `lasts` says whether
    /// it would be the same next time.
    pub(crate) fn spawns_failed(
        &mut self,
        workers: &[WorkerId],
        cause: BrokenPool,
        lasts: bool,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        if lasts {
            self.break_pool(cause.clone(), effects);
        }
        self.start_refused(workers, cause, now, effects);
        self.advance(now, effects);
    }

    /// A worker that was to be stopped before it had a process never got one.
    pub(crate) fn withdrawn(
        &mut self,
        worker: WorkerId,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        if let Some(row) = self.row(worker) {
            row.state = State::Vacant { not_before: now };
        }
        self.advance(now, effects);
    }

    /// Until when a worker must be ready whose start is wanted now.
    pub(super) fn start_deadline(&self, now: Duration) -> Duration {
        match self.limits.forked {
            true => Duration::MAX,
            false => now + self.limits.start_timeout,
        }
    }
}
