//! Workers that die again and again without doing anything: what keeps them from being started for
//! ever (SUP-2).
//!
//! A worker that dies in a call takes the call with it, so that ends by itself (unless the call may
//! be tried again for ever). One that dies between calls, or before it has begun the one that it
//! was given, costs no call, and so nothing but this would stop a loop of them: each next start in
//! its slot waits twice as long, and [`FRUITLESS_DEATHS`] in a row within [`FRUITLESS_SPAN`] break
//! the pool. Where any worker of the pool does calls meanwhile, the pauses are enough. A call that
//! [`UNREAD_DEATHS`] workers in a row have not survived reading is lost as if it had run.

use std::time::Duration;

use super::{FRUITLESS_DEATHS, FRUITLESS_SPAN, Reactor, UNREAD_DEATHS};
use crate::{
    error::{BrokenPool, WorkerExit},
    ids::{Slot, WorkId},
    queue_manager::effect::Effect,
};

impl<C: Clone> Reactor<C> {
    /// A worker has died with this call before it, which it had not read. Whether the call is lost
    /// all the same: it was being stopped, or this was too often, since it may be too large for a
    /// worker's memory.
    pub(super) fn is_lost_unread(&mut self, id: WorkId) -> bool {
        self.items.get_mut(id).is_some_and(|item| {
            item.unread += 1;
            item.stop.is_some() || item.unread >= UNREAD_DEATHS
        })
    }

    /// A worker has died that was ready and ran nothing.
    pub(super) fn fruitless_death(
        &mut self,
        slot: Slot,
        exit: &WorkerExit,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        let row = &mut self.rows[slot.0 as usize];
        if row.fruitless_deaths == 0 || now > row.first_death + FRUITLESS_SPAN {
            row.fruitless_deaths = 0;
            row.first_death = now;
        }
        row.fruitless_deaths += 1;
        let nobody_works = self.last_result.is_none_or(|last| last < row.first_death);
        if row.fruitless_deaths >= FRUITLESS_DEATHS && nobody_works {
            let cause = format!(
                "{FRUITLESS_DEATHS} workers in a row ended without having begun a call, and no \
                 call was done meanwhile; the last: {exit}"
            );
            self.break_pool(BrokenPool::new(cause), effects);
        }
    }
}
