//! When a worker is replaced although nothing is wrong: after so many calls, or when its memory has
//! grown by so much.
//!
//! Either way it gets nothing more, leaves by sentinel when it has finished what it runs, and its
//! successor runs the initializer again. Each worker does at least one call, so a limit that is
//! too low makes a pool slow, but never a storm of processes that do nothing (SUP-2).

use std::time::Duration;

use super::{Reactor, Row};
use crate::{
    ids::{Slot, WorkId, WorkerId},
    queue_manager::effect::Effect,
};

/// How long a measurement counts. To look after each of a million short calls would cost more
/// than the calls, and in a millisecond a process can't touch more than a few megabytes.
const MEASURE_PAUSE: Duration = Duration::from_millis(1);

impl Row {
    /// So many calls are to be sent to the worker; says how many of them it may do.
    pub(super) fn takes_from_budget(&mut self, calls: u32) -> u32 {
        // The largest number stands for no limit.
        if self.budget == u32::MAX {
            return calls;
        }
        let calls = calls.min(self.budget);
        self.budget -= calls;
        calls
    }
}

impl<C: Clone> Reactor<C> {
    /// The worker has not done these calls after all.
    pub(super) fn give_back(&mut self, slot: Slot, id: WorkId) {
        let sent = self.items.get(id).map_or(0, |item| item.sent_count);
        let row = &mut self.rows[slot.0 as usize];
        row.budget = row.budget.saturating_add(sent);
    }

    /// Whether the memory of a worker is to be measured, now that something came from it.
    pub(crate) fn wants_memory_of(&self, worker: WorkerId, now: Duration) -> bool {
        self.limits.max_memory_growth.is_some()
            && self
                .rows
                .get(worker.slot.0 as usize)
                .filter(|row| row.generation == worker.generation.0 && row.will_take_calls())
                .is_some_and(|row| {
                    row.first_memory.is_none() || now >= row.measured_at + MEASURE_PAUSE
                })
    }

    /// How much memory a worker has: when it becomes ready, and then after calls.
    pub(crate) fn has_memory(
        &mut self,
        worker: WorkerId,
        bytes: u64,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        let Some(limit) = self.limits.max_memory_growth else {
            return;
        };
        let Some(row) = self.row(worker) else {
            return;
        };
        row.measured_at = now;
        let first = *row.first_memory.get_or_insert(bytes);
        if bytes.saturating_sub(first) > limit {
            row.retiring = true;
            self.reclaim_behind(worker.slot, |_| true, effects);
        }
    }
}
