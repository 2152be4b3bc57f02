//! What callers do: submit, cancel, kill, and end the pool.

use std::time::Duration;

use super::{Cancel, Life, Reactor, State, Terms};
use crate::{
    ids::{Slot, WorkId, WorkerId},
    queue::{Place, Stamp, StopReason, WorkItem},
    queue_manager::effect::{Effect, Failure, Refusal},
};

impl<C: Clone> Reactor<C> {
    /// A call, or a chunk of calls, comes in.
    pub(crate) fn submit(
        &mut self,
        cargo: C,
        terms: Terms,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) -> Result<WorkId, (C, Refusal)> {
        if let Err(refusal) = self.admits() {
            return Err((cargo, refusal));
        }
        let id = self.insert(cargo, terms, now, None);
        self.pending.push_back(id, terms.priority);
        self.resting = false;
        self.advance(now, effects);
        self.make_way(terms.priority, effects);
        Ok(id)
    }

    /// Takes in an item; it is the caller's to put it where it waits.
    pub(super) fn insert(
        &mut self,
        cargo: C,
        terms: Terms,
        now: Duration,
        pinned: Option<Slot>,
    ) -> WorkId {
        if !self.started {
            self.started = true;
            self.first_call = now;
        }
        self.totals.submitted += u64::from(terms.count);
        self.uneven |= terms.priority != 0;
        self.items.insert(|id| WorkItem {
            id,
            cargo,
            count: terms.count,
            next: 0,
            sent: 0,
            sent_count: 0,
            sent_attempt: 0,
            attempt: 0,
            unread: 0,
            retries: terms.retries,
            timeout: terms.timeout,
            submitted: Stamp::new(now),
            priority: terms.priority,
            pinned,
            place: Place::Waiting,
            stop: None,
        })
    }

    /// Whether a submission would be accepted now.
    pub(crate) fn admits(&self) -> Result<(), Refusal> {
        if self.life != Life::Open {
            Err(Refusal::Closed)
        } else if let Some(cause) = &self.broken {
            Err(Refusal::Broken(cause.clone()))
        } else if self.is_full() {
            Err(Refusal::Full)
        } else {
            Ok(())
        }
    }

    /// Whether as many items wait as may.
    pub(super) fn is_full(&self) -> bool {
        let capacity = self.limits.queue_capacity;
        // Counting the busy workers is left out while it can't matter.
        self.items.is_full() || self.items.len() >= capacity && self.pending() >= capacity
    }

    /// Takes a call back if it has not started.
    pub(crate) fn cancel(&mut self, id: WorkId, effects: &mut Vec<Effect<C>>) -> Cancel {
        match self.items.get(id).map(|item| (item.place, item.pinned)) {
            None | Some((Place::Here, _)) => Cancel::TooLate,
            Some((Place::Waiting, pinned)) => {
                self.fail_rest(id, &Failure::Cancelled { started: false }, effects);
                match pinned {
                    Some(slot) => self.unpin(id, slot),
                    None => self.forget_waiting(1),
                }
                self.check_stopped(effects);
                Cancel::Done
            }
            Some((Place::InFlight(slot), _)) => Cancel::Ask(self.worker(slot)),
        }
    }

    /// The worker gave up a call that it had not started: it is cancelled.
    pub(crate) fn revoked(
        &mut self,
        worker: WorkerId,
        id: WorkId,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        if self.release(worker, id, now, effects) {
            self.fail_rest(id, &Failure::Cancelled { started: false }, effects);
            self.advance(now, effects);
        }
    }

    /// The worker gave up an item that it had not started: another one gets it.
    pub(crate) fn taken_back(
        &mut self,
        worker: WorkerId,
        id: WorkId,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        if self.release(worker, id, now, effects) {
            self.requeue(id, effects);
            self.advance(now, effects);
        }
    }

    /// The worker gave up items that it had not started, for those whose turn it is now.
    pub(crate) fn reclaimed(
        &mut self,
        worker: WorkerId,
        ids: &[WorkId],
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        // Each goes to the front, so the first comes last.
        for &id in ids.iter().rev() {
            if self.release(worker, id, now, effects) {
                self.requeue(id, effects);
            }
        }
        self.advance(now, effects);
    }

    /// Removes an item from what a worker has. False when it doesn't have it.
    fn release(
        &mut self,
        worker: WorkerId,
        id: WorkId,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) -> bool {
        let held = self.row(worker).and_then(|row| {
            let at = row.in_flight.iter().position(|&held| held == id)?;
            row.in_flight.remove(at);
            Some(at)
        });
        let Some(at) = held else {
            self.totals.stale += 1;
            return false;
        };
        self.give_back(worker.slot, id);
        if at == 0 {
            self.next_begins(worker.slot, now, effects);
        }
        let row = &self.rows[worker.slot.0 as usize];
        if row.in_flight.is_empty() && row.state == State::Ready {
            self.becomes_idle(worker.slot, now, effects);
        }
        true
    }

    /// Stops the call that the worker runs, if it is this one.
    pub(crate) fn kill(
        &mut self,
        worker: WorkerId,
        id: WorkId,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) -> bool {
        let runs = self.running(worker) == Some(id);
        if runs {
            self.stop(worker, id, StopReason::Killed, now, effects);
        }
        runs
    }

    /// The items that lie with a worker behind the one that it runs.
    pub(crate) fn behind(&self, worker: WorkerId) -> Vec<WorkId> {
        self.rows
            .get(worker.slot.0 as usize)
            .filter(|row| row.generation == worker.generation.0)
            .map(|row| row.in_flight.iter().skip(1).copied().collect())
            .unwrap_or_default()
    }

    /// The call that was to be stopped had ended by itself: its worker goes on.
    pub(crate) fn spared(&mut self, worker: WorkerId, now: Duration, effects: &mut Vec<Effect<C>>) {
        let Some(row) = self.row(worker) else {
            return;
        };
        if matches!(row.state, State::Asked { .. }) {
            row.state = State::Ready;
            if row.in_flight.is_empty() {
                self.becomes_idle(worker.slot, now, effects);
            }
        }
        self.advance(now, effects);
    }

    /// Accepts no more calls; what is there is finished, then the workers leave.
    pub(crate) fn close(&mut self, now: Duration, effects: &mut Vec<Effect<C>>) {
        if self.life == Life::Open {
            self.life = Life::Closing;
        }
        self.advance(now, effects);
    }

    /// Cancels every call that has not started.
    pub(crate) fn cancel_pending(&mut self, effects: &mut Vec<Effect<C>>) {
        self.fail_pending(&Failure::Cancelled { started: false }, effects);
        self.check_stopped(effects);
    }

    /// Ends everything now: calls that wait are cancelled, workers are signalled.
    pub(crate) fn terminate(&mut self, now: Duration, effects: &mut Vec<Effect<C>>) {
        if self.life == Life::Stopped {
            return;
        }
        self.life = Life::Terminating;
        self.fail_pending(&Failure::Cancelled { started: false }, effects);
        for slot in self.slots() {
            self.terminate_worker(slot, now, effects);
        }
        self.check_stopped(effects);
    }
}
