//! What callers do: submit, cancel, kill, and end the pool.

use std::time::Duration;

use super::{Cancel, Life, Reactor, State, Terms};
use crate::{
    ids::{WorkId, WorkerId},
    queue::{Place, StopReason, WorkItem},
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
        let id = self.items.insert(|id| WorkItem {
            id,
            cargo,
            count: terms.count,
            next: 0,
            sent: 0,
            sent_attempt: 0,
            attempt: 0,
            retries: terms.retries,
            timeout: terms.timeout,
            place: Place::Waiting,
            stop: None,
        });
        self.pending.push_back(id);
        self.started = true;
        self.resting = false;
        self.advance(now, effects);
        Ok(id)
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

    /// Whether as many items wait as may, those included that lie with a worker behind the one that
    /// it runs: how deep a worker's own queue is must not change what `queue_capacity` means.
    fn is_full(&self) -> bool {
        let capacity = self.limits.queue_capacity;
        // Counting the busy workers is left out while it can't matter.
        self.items.is_full()
            || self.items.len() >= capacity && self.items.len() - self.busy() >= capacity
    }

    /// Takes a call back if it has not started.
    pub(crate) fn cancel(&mut self, id: WorkId, effects: &mut Vec<Effect<C>>) -> Cancel {
        match self.items.get(id).map(|item| item.place) {
            None | Some(Place::Here) => Cancel::TooLate,
            Some(Place::Waiting) => {
                self.fail_rest(id, &Failure::Cancelled { started: false }, effects);
                self.forget_waiting(1);
                self.check_stopped(effects);
                Cancel::Done
            }
            Some(Place::InFlight(slot)) => Cancel::Ask(self.worker(slot)),
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
            if at == 0 {
                row.running_since = now;
                row.head_since = now;
                effects.extend(row.in_flight.front().map(|&next| Effect::Begins(next)));
            }
            Some(row.in_flight.is_empty() && row.state == State::Ready)
        });
        match held {
            None => self.stale += 1,
            Some(true) => self.idle.push(worker.slot),
            Some(false) => {}
        }
        held.is_some()
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
        if matches!(row.state, State::Terminating { .. }) {
            row.state = State::Ready;
            if row.in_flight.is_empty() {
                self.idle.push(worker.slot);
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
