//! What follows from what happened: who gets which call, which worker is started or stopped, what
//! fails, when the pool has ended.

use std::time::Duration;

use super::{FIRST_PAUSE, LONGEST_PAUSE, Life, Reactor, Row, State};
use crate::{
    error::BrokenPool,
    ids::{Slot, WorkId, WorkerId},
    queue::{Place, StopReason, WorkItem},
    queue_manager::effect::{Effect, Failure, StopSignal},
};

impl<C: Clone> Reactor<C> {
    /// Does what has become possible: starts workers, sends calls, lets workers leave.
    pub(super) fn advance(&mut self, now: Duration, effects: &mut Vec<Effect<C>>) {
        self.now = now;
        self.deliver(now, effects);
        self.dispatch(now, effects);
        self.balance(effects);
        self.refill(now, effects);
        self.return_mail(effects);
        self.drop_extra(now, effects);
        if self.life == Life::Closing && self.pending.is_empty() {
            while let Some(slot) = self.idle.pop() {
                self.leave(slot, now, effects);
            }
        }
        self.check_stopped(effects);
    }

    /// Gives waiting calls to workers that have room.
    pub(super) fn dispatch(&mut self, now: Duration, effects: &mut Vec<Effect<C>>) {
        while !self.pending.is_empty() {
            let Some(slot) = self.slot_with_room() else {
                return;
            };
            let items = &self.items;
            let Some(id) = self.pending.pop(|id| items.get(id).is_some()) else {
                return;
            };
            self.assign(id, slot, now, effects);
        }
    }

    /// When a worker has nothing to do and nothing waits, asks for what lies with another one behind
    /// the call that it runs.
    fn balance(&mut self, effects: &mut Vec<Effect<C>>) {
        if self.call_queue == 1 || self.idle.is_empty() || !self.pending.is_empty() {
            return;
        }
        let longest = self
            .slots()
            .max_by_key(|slot| self.rows[slot.0 as usize].in_flight.len());
        let Some(slot) = longest else {
            return;
        };
        let queue = &self.rows[slot.0 as usize].in_flight;
        let behind = queue.iter().skip(1).rev();
        // What is pinned to the slot would come back to it.
        let is_free = |&id: &WorkId| self.items.get(id).is_some_and(|item| item.pinned.is_none());
        if let Some(last) = behind.copied().find(is_free) {
            effects.push(Effect::TakeBack(self.worker(slot), last));
        }
    }

    /// Gives a call to the worker of a slot that takes calls.
    pub(super) fn assign(
        &mut self,
        id: WorkId,
        slot: Slot,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        let row = &mut self.rows[slot.0 as usize];
        if let Some(item) = self.items.get_mut(id) {
            item.place = Place::InFlight(slot);
            item.sent = item.next;
            item.sent_attempt = item.attempt;
            item.sent_count = row.takes_from_budget(item.count - item.next);
        }
        row.in_flight.push_back(id);
        let first = row.in_flight.len() == 1;
        effects.push(Effect::Send(self.worker(slot), id));
        if first {
            self.next_begins(slot, now, effects);
            match self.idle.last() {
                Some(&last) if last == slot => drop(self.idle.pop()),
                _ => self.idle.retain(|&idle| idle != slot),
            }
        }
    }

    /// Wants those items back that lie with workers behind the ones that run, and that a call of
    /// this priority goes before.
    pub(super) fn make_way(&mut self, priority: i32, effects: &mut Vec<Effect<C>>) {
        if self.call_queue == 1 || !self.uneven {
            return;
        }
        for slot in self.slots() {
            self.reclaim_behind(slot, |item| item.priority < priority, effects);
        }
    }

    /// Wants such of the items back that lie with a worker behind the one that it runs.
    pub(super) fn reclaim_behind(
        &self,
        slot: Slot,
        which: impl Fn(&WorkItem<C>) -> bool,
        effects: &mut Vec<Effect<C>>,
    ) {
        let row = &self.rows[slot.0 as usize];
        if row.state != State::Ready {
            return;
        }
        let behind = row.in_flight.iter().skip(1).copied();
        let wanted = |&id: &WorkId| {
            let item = self.items.get(id);
            item.is_some_and(|item| item.pinned.is_none() && which(item))
        };
        let ids: Vec<WorkId> = behind.filter(wanted).collect();
        if !ids.is_empty() {
            effects.push(Effect::Reclaim(self.worker(slot), ids));
        }
    }

    /// The ready slot that was busy last, else the one with the shortest call queue.
    pub(super) fn slot_with_room(&self) -> Option<Slot> {
        if let Some(&slot) = self.idle.last() {
            return Some(slot);
        }
        if self.call_queue == 1 {
            return None;
        }
        self.slots()
            .filter(|slot| self.rows[slot.0 as usize].takes_calls())
            .min_by_key(|slot| self.rows[slot.0 as usize].in_flight.len())
            .filter(|slot| self.rows[slot.0 as usize].in_flight.len() < self.call_queue)
    }

    /// Wants the call that a worker runs stopped. The worker gets nothing more until it has ended, and
    /// the driver finds out whether the call still runs: [`Effect::Stop`].
    pub(super) fn stop(
        &mut self,
        worker: WorkerId,
        id: WorkId,
        reason: StopReason,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        let deadline = now + self.limits.grace;
        let Some(row) = self.row(worker) else {
            return;
        };
        if row.state == State::Ready {
            row.state = State::Asked { deadline };
            effects.push(Effect::Stop(worker, id));
        }
        if let Some(item) = self.items.get_mut(id) {
            item.stop.get_or_insert(reason);
        }
    }

    pub(super) fn terminate_worker(
        &mut self,
        slot: Slot,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        let row = &mut self.rows[slot.0 as usize];
        match row.state {
            State::Vacant { .. } | State::Terminating { .. } | State::Killed => {}
            State::Starting { .. } | State::Ready | State::Asked { .. } | State::Leaving { .. } => {
                row.state = State::Terminating {
                    deadline: now + self.limits.grace,
                };
                self.idle.retain(|&idle| idle != slot);
                effects.push(Effect::Signal(self.worker(slot), StopSignal::Terminate));
            }
        }
    }

    pub(super) fn kill_worker(&mut self, slot: Slot, effects: &mut Vec<Effect<C>>) {
        self.rows[slot.0 as usize].state = State::Killed;
        effects.push(Effect::Signal(self.worker(slot), StopSignal::Kill));
    }

    /// No worker can be started any more; what waits fails.
    pub(super) fn break_pool(&mut self, cause: BrokenPool, effects: &mut Vec<Effect<C>>) {
        let cause = self.broken.get_or_insert(cause).clone();
        self.fail_pending(&Failure::Broken(cause), effects);
    }

    pub(super) fn fail_pending(&mut self, failure: &Failure, effects: &mut Vec<Effect<C>>) {
        let waiting: Vec<WorkId> = self
            .items
            .ids()
            .filter(|&id| {
                self.items
                    .get(id)
                    .is_some_and(|item| item.place == Place::Waiting)
            })
            .collect();
        for &id in &waiting {
            self.fail_rest(id, failure, effects);
        }
        let pinned = std::mem::take(&mut self.mail);
        self.forget_waiting(waiting.len() - pinned);
        for row in &mut self.rows {
            row.mail.clear();
        }
    }

    /// Items that waited were removed from the table.
    pub(super) fn forget_waiting(&mut self, count: usize) {
        let items = &self.items;
        self.pending.forget(count, |id| items.get(id).is_some());
    }

    /// Every call of the item that is not resolved fails, and the item is gone.
    pub(super) fn fail_rest(
        &mut self,
        id: WorkId,
        failure: &Failure,
        effects: &mut Vec<Effect<C>>,
    ) {
        if let Some(item) = self.items.remove(id) {
            self.totals.fail(item.count - item.next, failure);
            effects.push(Effect::Fail {
                cargo: item.cargo,
                id,
                calls: item.next..item.count,
                failure: failure.clone(),
            });
        }
    }

    pub(super) fn check_stopped(&mut self, effects: &mut Vec<Effect<C>>) {
        let ending = matches!(self.life, Life::Closing | Life::Terminating);
        let empty = |row: &Row| matches!(row.state, State::Vacant { .. });
        if ending && self.items.len() == 0 && self.rows.iter().all(empty) {
            self.life = Life::Stopped;
            effects.push(Effect::Stopped);
        }
    }
}

/// What a call that was stopped for this reason fails with; `limit` is its time limit.
pub(super) fn failure_of(reason: StopReason, limit: Option<Duration>) -> Failure {
    match reason {
        StopReason::TimedOut => Failure::TimedOut(limit.unwrap_or_default()),
        StopReason::Killed => Failure::Cancelled { started: true },
    }
}

/// How long to wait before the start that follows so many failures.
pub(super) fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        _ => (FIRST_PAUSE * 2u32.saturating_pow(failures - 1)).min(LONGEST_PAUSE),
    }
}
