//! What workers do: exist, join, give results, die.

use std::time::Duration;

use super::{
    Accepted, Calls, Life, Limits, Reactor, SPAWN_FAILURES, START_DEATHS, State,
    decide::{failure_of, pause},
};
use crate::{
    error::{BrokenPool, ExitHow, MEMORY_LIMIT_EXIT, SHORTAGE_EXIT, WorkerExit},
    ids::{Slot, WorkId, WorkerId},
    queue::{Place, StopReason},
    queue_manager::effect::{Effect, Failure, StopSignal},
};

/// The number of the signal, which this pure room can't ask the system for.
const SIGKILL: i32 = 9;
/// The same.
const SIGXCPU: i32 = 24;

/// Why the call failed that the worker was running, when this end says that it passed a limit.
fn limit_passed(limits: &Limits, exit: &WorkerExit) -> Option<Failure> {
    match exit.how {
        ExitHow::Code(MEMORY_LIMIT_EXIT) => limits.memory_limit.map(|_| Failure::MemoryLimit),
        ExitHow::Signal {
            number: SIGXCPU, ..
        } => limits.cpu_time_limit.map(Failure::CpuTimedOut),
        _ => None,
    }
}

impl<C: Clone> Reactor<C> {
    /// The process exists.
    pub(crate) fn launched(
        &mut self,
        worker: WorkerId,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        self.totals.workers_started += 1;
        let limit = now + self.limits.start_timeout;
        if let Some(row) = self.row(worker)
            && let State::Starting { deadline } = &mut row.state
        {
            *deadline = limit;
        }
        // It may have been given up while it was being started.
        match self.row(worker).map(|row| row.state) {
            Some(State::Terminating { .. }) => {
                effects.push(Effect::Signal(worker, StopSignal::Terminate));
            }
            Some(State::Killed) => effects.push(Effect::Signal(worker, StopSignal::Kill)),
            _ => {}
        }
    }

    /// A process could not be started; `lasts` says whether that would be the same next time.
    pub(crate) fn spawn_failed(
        &mut self,
        worker: WorkerId,
        cause: BrokenPool,
        lasts: bool,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        self.spawns_failed(&[worker], cause, lasts, now, effects);
    }

    /// The system did not have what these workers need.
    pub(super) fn start_refused(
        &mut self,
        workers: &[WorkerId],
        cause: BrokenPool,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        self.spawn_failures += 1;
        let not_before = now + pause(self.spawn_failures);
        for &worker in workers {
            if let Some(row) = self.row(worker) {
                row.state = State::Vacant { not_before };
            }
        }
        if self.spawn_failures >= SPAWN_FAILURES && self.living() == 0 {
            // The pool lives on: a later call may find the system in a better state.
            self.spawn_failures = 0;
            self.resting = true;
            self.fail_pending(&Failure::Broken(cause), effects);
        }
    }

    /// The worker is ready for calls.
    pub(crate) fn joined(&mut self, worker: WorkerId, now: Duration, effects: &mut Vec<Effect<C>>) {
        let Some(row) = self.row(worker) else {
            self.totals.stale += 1;
            return;
        };
        if matches!(row.state, State::Starting { .. }) {
            row.state = State::Ready;
            self.start_deaths = 0;
            self.spawn_failures = 0;
            self.becomes_idle(worker.slot, now, effects);
        }
        self.advance(now, effects);
    }

    /// The worker can't work, and another one could not either (SUP-2).
    pub(crate) fn start_failed(
        &mut self,
        worker: WorkerId,
        cause: BrokenPool,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        if self.row(worker).is_none() {
            self.totals.stale += 1;
            return;
        }
        self.break_pool(cause, effects);
        self.terminate_worker(worker.slot, now, effects);
        self.advance(now, effects);
    }

    /// `count` calls of the item, from the one at `index` on, have ended in the worker, which counts
    /// them from the first that was sent to it. `None` when nobody expects it. A call that is being
    /// stopped is told alone.
    pub(crate) fn result(
        &mut self,
        worker: WorkerId,
        id: WorkId,
        attempt: u32,
        calls: Calls,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) -> Option<Accepted<C>> {
        let Some(accepted) = self.accept(worker, id, attempt, calls, now, effects) else {
            self.totals.stale += 1;
            return None;
        };
        self.advance(now, effects);
        Some(accepted)
    }

    fn accept(
        &mut self,
        worker: WorkerId,
        id: WorkId,
        attempt: u32,
        calls: Calls,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) -> Option<Accepted<C>> {
        self.row(worker)
            .filter(|row| row.in_flight.front() == Some(&id))?;
        let item = self.items.get_mut(id)?;
        let index = item.sent.checked_add(calls.index)?;
        let end = index.checked_add(calls.count)?;
        let sent = item.sent + item.sent_count;
        let fits = item.next == index && index < end && end <= sent;
        if item.sent_attempt != attempt || !fits || item.stop.is_some() && calls.count > 1 {
            return None;
        }
        let stopped = item.stop.take();
        let stopped = stopped.map(|reason| failure_of(reason, item.timeout));
        item.next = end;
        item.attempt = 0;
        item.unread = 0;
        let last = end == item.count;
        let is_whole = item.sent == 0;
        // A worker that may not do so many calls gets a part of them.
        let last_sent = end == sent;
        let cargo = match last {
            true => self.items.remove(id)?.cargo,
            false => item.cargo.clone(),
        };
        self.count_results(calls.count, stopped.is_none(), now);
        let row = self.row(worker)?;
        let (ran, head_ran) = (now - row.running_since, now - row.head_since);
        row.running_since = now;
        row.calls_done += u64::from(calls.count);
        row.fruitless_deaths = 0;
        if stopped.is_some() && matches!(row.state, State::Asked { .. }) {
            // It has ended in time, and its worker goes on.
            row.state = State::Ready;
        }
        self.times.ends(ran, calls.count);
        if last_sent {
            let row = &mut self.rows[worker.slot.0 as usize];
            row.in_flight.pop_front();
            let is_idle = row.in_flight.is_empty() && row.state == State::Ready;
            self.next_begins(worker.slot, now, effects);
            if is_idle {
                self.becomes_idle(worker.slot, now, effects);
            }
            if !last {
                self.requeue(id, effects);
            }
        }
        Some(match stopped {
            None => Accepted::Value {
                cargo,
                index,
                ran: (last && is_whole).then_some(head_ran),
            },
            Some(failure) => {
                self.totals.fail(1, &failure);
                effects.push(Effect::Fail {
                    cargo,
                    id,
                    calls: index..end,
                    failure,
                });
                Accepted::Discarded
            }
        })
    }

    /// What the caller got was an error: it does not count as finished.
    pub(crate) fn was_error(&mut self) {
        self.totals.finished -= 1;
        self.totals.failed += 1;
    }

    fn count_results(&mut self, calls: u32, wanted: bool, now: Duration) {
        self.last_result = Some(now);
        self.rate.note(calls, now);
        if wanted {
            self.totals.finished += u64::from(calls);
        }
    }

    /// The worker goes on with the next of the items that it has, if there is one.
    pub(super) fn next_begins(&mut self, slot: Slot, now: Duration, effects: &mut Vec<Effect<C>>) {
        let row = &mut self.rows[slot.0 as usize];
        row.running_since = now;
        row.head_since = now;
        let Some(&next) = row.in_flight.front() else {
            return;
        };
        effects.push(Effect::Begins(next));
        if self.times.is_on()
            && let Some(item) = self.items.get(next)
        {
            self.times.begins(item.submitted, item.sent_count, now);
        }
    }

    /// The worker's link is closed. Mostly its process is ending; one that lives on without a link
    /// is made to end.
    pub(crate) fn link_closed(
        &mut self,
        worker: WorkerId,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        if let Some(row) = self.row(worker)
            && row.state == State::Ready
        {
            row.lost_link = true;
            self.terminate_worker(worker.slot, now, effects);
        }
    }

    /// The worker says that its process ends by itself now, in the call whose result comes with that: it
    /// gets nothing more, and begins nothing more.
    pub(crate) fn dying(&mut self, worker: WorkerId, now: Duration) {
        let deadline = now + self.limits.grace;
        let Some(row) = self.row(worker) else {
            return;
        };
        row.dying = true;
        if matches!(row.state, State::Ready | State::Asked { .. }) {
            row.state = State::Leaving { deadline };
            self.idle.retain(|&slot| slot != worker.slot);
        }
    }

    /// The process is gone, and everything that it sent has been told before. `started` says
    /// whether the first of the calls that it had was running.
    pub(crate) fn exited(
        &mut self,
        worker: WorkerId,
        exit: &WorkerExit,
        started: bool,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        let Some(row) = self.row(worker) else {
            self.totals.stale += 1;
            return;
        };
        let before = row.state;
        let refused = match exit.how {
            ExitHow::Code(SHORTAGE_EXIT) => Some(
                "could not start its threads: there are too many processes, or too little memory",
            ),
            // Mostly the kernel, when memory has run out.
            ExitHow::Signal {
                number: SIGKILL, ..
            } => Some("was killed by SIGKILL before it was ready"),
            _ => None,
        };
        if let (State::Starting { .. }, Some(why)) = (before, refused) {
            let cause = BrokenPool::new(format!("worker process {} {why}", exit.pid));
            self.start_refused(&[worker], cause, now, effects);
            self.advance(now, effects);
            return;
        }
        let mut in_flight = std::mem::take(&mut row.in_flight);
        let first = in_flight.front().copied();
        // A call whose arguments alone are too much is never read, and would be the end of each
        // worker that gets it.
        let limit_passed = limit_passed(&self.limits, exit).is_some();
        let is_lost = !self.rows[worker.slot.0 as usize].dying
            && first.is_some_and(|id| started || limit_passed || self.is_lost_unread(id));
        let running = if is_lost { in_flight.pop_front() } else { None };
        let row = &self.rows[worker.slot.0 as usize];
        let was_ready = before == State::Ready || row.lost_link;
        if was_ready && running.is_none() {
            self.fruitless_death(worker.slot, exit, now, effects);
        }
        let row = &self.rows[worker.slot.0 as usize];
        let mut not_before = now + pause(row.fruitless_deaths.saturating_sub(1));
        if matches!(before, State::Starting { .. }) {
            self.start_deaths += 1;
            not_before += pause(self.start_deaths);
        }
        self.rows[worker.slot.0 as usize].state = State::Vacant { not_before };
        self.departures.count(before);
        self.idle.retain(|&slot| slot != worker.slot);
        if matches!(before, State::Starting { .. }) {
            self.start_death(exit, effects);
        }
        while let Some(id) = in_flight.pop_back() {
            self.requeue(id, effects);
        }
        if let Some(id) = running {
            self.lose(id, exit, effects);
        }
        self.advance(now, effects);
    }

    /// A worker died before it was ready.
    pub(super) fn start_death(&mut self, exit: &WorkerExit, effects: &mut Vec<Effect<C>>) {
        if matches!(limit_passed(&self.limits, exit), Some(Failure::MemoryLimit)) {
            let limit = self.limits.memory_limit.unwrap_or_default();
            self.break_pool(
                BrokenPool::new(format!(
                    "worker process {} needed more than its memory_limit of {limit} bytes before \
                     it was ready for calls; raise the limit, or load less in the initializer",
                    exit.pid
                )),
                effects,
            );
            return;
        }
        // A clean exit without a handshake is `main` that ran to its end, and would each time.
        if exit.how == ExitHow::Code(0) {
            self.break_pool(
                BrokenPool::new(format!(
                    "{exit} before it was ready: it seems to have run `main` instead of taking \
                     calls; call `ppool::init()` first thing in `main` if this platform does not \
                     run initialisers before it"
                )),
                effects,
            );
        } else if self.start_deaths >= START_DEATHS {
            self.break_pool(
                BrokenPool::new(format!(
                    "{START_DEATHS} workers in a row ended before they were ready; the last: {exit}"
                )),
                effects,
            );
        }
    }

    /// The call at the front of the item's chunk was running in a process that is gone.
    pub(super) fn lose(&mut self, id: WorkId, exit: &WorkerExit, effects: &mut Vec<Effect<C>>) {
        let terminating = self.life == Life::Terminating;
        let Some(item) = self.items.get_mut(id) else {
            return;
        };
        let stop = item
            .stop
            .take()
            .or(terminating.then_some(StopReason::Killed));
        // It would pass the limit each time.
        let limit_passed = limit_passed(&self.limits, exit);
        if stop.is_none() && limit_passed.is_none() && item.attempt < item.retries {
            item.attempt += 1;
            self.totals.retried += 1;
            self.requeue(id, effects);
            return;
        }
        let failure = match stop {
            Some(reason) => failure_of(reason, item.timeout),
            None => limit_passed.unwrap_or_else(|| Failure::Lost(exit.clone())),
        };
        if item.next + 1 == item.count {
            self.fail_rest(id, &failure, effects);
            return;
        }
        self.totals.fail(1, &failure);
        effects.push(Effect::Fail {
            cargo: item.cargo.clone(),
            id,
            calls: item.next..item.next + 1,
            failure,
        });
        item.next += 1;
        item.attempt = 0;
        self.requeue(id, effects);
    }

    /// The item goes back to the front of the queue; or nowhere, when nothing will run any more.
    pub(super) fn requeue(&mut self, id: WorkId, effects: &mut Vec<Effect<C>>) {
        if self.life == Life::Terminating {
            self.fail_rest(id, &Failure::Cancelled { started: false }, effects);
        } else if let Some(cause) = self.broken.clone() {
            self.fail_rest(id, &Failure::Broken(cause), effects);
        } else if let Some(item) = self.items.get_mut(id) {
            item.place = Place::Waiting;
            effects.push(Effect::Requeued(item.cargo.clone()));
            match item.pinned {
                Some(slot) => {
                    self.rows[slot.0 as usize].mail.push_front(id);
                    self.mail += 1;
                }
                None => {
                    let priority = item.priority;
                    self.pending.push_front(id, priority);
                    self.make_way(priority, effects);
                }
            }
            // It wants a worker as much as a new call does.
            self.resting = false;
        }
    }
}
