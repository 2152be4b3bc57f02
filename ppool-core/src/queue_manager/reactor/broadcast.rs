//! Calls that run once in every worker.
//!
//! Such a call is pinned to a slot: it lies in that slot's own queue, its *mail*, and goes before
//! all that waits for any worker. It outlives the worker that it was meant for: when that leaves
//! or dies before it has begun the call, its successor gets it.

use std::time::Duration;

use super::{Reactor, Row, State, Terms};
use crate::{
    ids::{Slot, WorkId},
    queue_manager::effect::{Effect, Failure, Refusal},
};

impl Row {
    /// Whether the worker can be given what lies in its mail. One that is to leave does it first.
    fn takes_mail(&self, call_queue: usize) -> bool {
        self.state == State::Ready
            && self.budget > 0
            && !self.mail.is_empty()
            && self.in_flight.len() < call_queue
    }
}

impl<C: Clone> Reactor<C> {
    /// A call for every worker, of which `make` gives the cargo for each; in order of the slots.
    /// The queue may be full: such calls are as few as there are workers.
    pub(crate) fn broadcast(
        &mut self,
        terms: Terms,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
        mut make: impl FnMut() -> C,
    ) -> Result<Vec<WorkId>, Refusal> {
        match self.admits() {
            Ok(()) => {}
            Err(Refusal::Full) if !self.items.is_full() => {}
            Err(refusal) => return Err(refusal),
        }
        if !self.started {
            self.started = true;
            self.first_call = now;
        }
        self.resting = false;
        // Those that are to be there are started first, and get it too.
        self.advance(now, effects);
        let mut calls = Vec::new();
        for slot in self.audience() {
            let id = self.insert(make(), terms, now, Some(slot));
            self.rows[slot.0 as usize].mail.push_back(id);
            self.mail += 1;
            calls.push(id);
            self.reclaim_behind(slot, |_| true, effects);
        }
        self.advance(now, effects);
        Ok(calls)
    }

    /// The slots of all workers that take calls, or will; where there should be more, also such as
    /// are about to be filled again.
    fn audience(&self) -> Vec<Slot> {
        let census = self.census();
        let mut absent = self.wanted(&census).saturating_sub(census.living);
        let is_there = |slot: &Slot| {
            let row = &self.rows[slot.0 as usize];
            let comes = !row.will_take_calls() && absent > 0;
            absent -= usize::from(comes);
            comes || row.will_take_calls()
        };
        self.slots().filter(is_there).collect()
    }

    /// Gives workers what lies in their mail.
    pub(super) fn deliver(&mut self, now: Duration, effects: &mut Vec<Effect<C>>) {
        if self.mail == 0 {
            return;
        }
        for slot in self.slots() {
            while self.rows[slot.0 as usize].takes_mail(self.call_queue)
                && let Some(id) = self.rows[slot.0 as usize].mail.pop_front()
            {
                self.mail -= 1;
                self.assign(id, slot, now, effects);
            }
        }
    }

    /// Starts workers for slots in whose mail something lies, whether or not more workers are
    /// wanted.
    pub(super) fn refill_for_mail(&mut self, now: Duration, effects: &mut Vec<Effect<C>>) {
        if self.mail == 0 || !self.may_start() {
            return;
        }
        let mut spare = self.spare(&self.census());
        for slot in self.slots() {
            let row = &self.rows[slot.0 as usize];
            if spare > 0 && row.is_free(now) && !row.mail.is_empty() {
                self.start_worker(slot, now, effects);
                spare -= 1;
            }
        }
    }

    /// Fails what lies in the mail of slots that get no worker any more: the pool has become
    /// smaller, and has all the workers that it may.
    pub(super) fn return_mail(&mut self, effects: &mut Vec<Effect<C>>) {
        if self.mail == 0 || self.living() < self.limits.max_workers as usize {
            return;
        }
        for slot in self.slots() {
            while matches!(self.rows[slot.0 as usize].state, State::Vacant { .. })
                && let Some(id) = self.rows[slot.0 as usize].mail.pop_front()
            {
                self.mail -= 1;
                self.fail_rest(id, &Failure::Cancelled { started: false }, effects);
            }
        }
    }

    /// A call that waits in the mail of this slot is not there any more.
    pub(super) fn unpin(&mut self, id: WorkId, slot: Slot) {
        let mail = &mut self.rows[slot.0 as usize].mail;
        if let Some(at) = mail.iter().position(|&other| other == id) {
            mail.remove(at);
            self.mail -= 1;
        }
    }
}
