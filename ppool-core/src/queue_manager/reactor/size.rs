//! How many workers there are: when another one is started, when one may leave, and what follows
//! when the limits change.
//!
//! A call wants a worker of its own, so as many are wanted as there are calls, within the limits.
//! A worker that leaves fills its slot until its process is gone: there are never more processes
//! than workers allowed, except after the limits were lowered.

use std::time::Duration;

use super::{Life, Reactor, Row, State};
use crate::{ids::Slot, queue_manager::effect::Effect};

/// The workers at one moment.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Those that take calls, or will.
    pub(super) living: usize,
    /// The calls that these have.
    held: usize,
    /// The processes, those included that are on their way out.
    processes: usize,
    /// Slots that wait for a while before they are filled again.
    paused: usize,
}

impl<C: Clone> Reactor<C> {
    pub(super) fn census(&self) -> Census {
        let mut census = Census::default();
        for row in &self.rows {
            if let State::Vacant { not_before } = row.state {
                census.paused += usize::from(not_before > self.now);
                continue;
            }
            census.processes += 1;
            if row.will_take_calls() {
                census.living += 1;
                census.held += row.in_flight.len();
            }
        }
        census
    }

    /// How many slots have a worker that takes calls, or will.
    pub(super) fn living(&self) -> usize {
        self.rows.iter().filter(|row| row.will_take_calls()).count()
    }

    /// How many workers there should be: from the first call on at least the least number; in a
    /// pool that closes, no more than there are calls.
    pub(super) fn wanted(&self, census: &Census) -> usize {
        let calls = self.pending.len() + census.held;
        match self.life {
            _ if !self.may_start() => 0,
            Life::Open => calls.clamp(self.limits.min_workers as usize, self.ceiling()),
            _ => calls.min(self.limits.max_workers as usize),
        }
    }

    /// Whether workers are started at all.
    pub(super) fn may_start(&self) -> bool {
        match self.life {
            Life::Open => self.started && !self.resting && self.broken.is_none(),
            Life::Closing => self.broken.is_none(),
            Life::Terminating | Life::Stopped => false,
        }
    }

    /// How many workers there may be now.
    fn ceiling(&self) -> usize {
        let full = self.is_full();
        match full {
            true => self.limits.most_workers(),
            false => self.limits.max_workers as usize,
        }
    }

    /// How many more processes there may be now.
    pub(super) fn spare(&self, census: &Census) -> usize {
        self.ceiling().saturating_sub(census.processes)
    }

    /// How many slots can be filled now.
    fn to_start(&self, census: &Census) -> usize {
        let coming = census.living + census.paused;
        let missing = self.wanted(census).saturating_sub(coming);
        missing.min(self.spare(census))
    }

    /// Starts workers while more are wanted.
    pub(super) fn refill(&mut self, now: Duration, effects: &mut Vec<Effect<C>>) {
        self.refill_for_mail(now, effects);
        let mut to_start = self.to_start(&self.census());
        if to_start == 0 {
            return;
        }
        // The limits were raised, or may be passed for a while.
        while self.rows.len() < self.ceiling() {
            self.rows.push(Row::new());
        }
        for slot in self.slots().take(self.ceiling()) {
            if to_start > 0 && self.rows[slot.0 as usize].is_free(now) {
                self.start_worker(slot, now, effects);
                to_start -= 1;
            }
        }
    }

    pub(super) fn start_worker(&mut self, slot: Slot, now: Duration, effects: &mut Vec<Effect<C>>) {
        let deadline = self.start_deadline(now);
        let budget = self.limits.max_tasks.unwrap_or(u32::MAX);
        self.rows[slot.0 as usize].starts(deadline, budget);
        effects.push(Effect::Spawn(self.worker(slot)));
    }

    /// When the next slot may be filled that waits for it.
    pub(super) fn next_start(&self) -> Option<Duration> {
        let census = self.census();
        if census.paused == 0 || self.spare(&census) == 0 || !self.may_start() {
            return None;
        }
        let wanted = self.wanted(&census) > census.living;
        let pauses = self.rows.iter().filter_map(|row| match row.state {
            State::Vacant { not_before } if wanted || !row.mail.is_empty() => Some(not_before),
            _ => None,
        });
        pauses.filter(|pause| *pause > self.now).min()
    }

    /// The worker has nothing to do: it takes the next call, or leaves if it may not.
    pub(super) fn becomes_idle(&mut self, slot: Slot, now: Duration, effects: &mut Vec<Effect<C>>) {
        // A worker that was not counted when the limits were lowered, because it was to leave anyway,
        // may take calls again: it was spared, or got back calls of its budget.
        let too_many = self.living() > self.limits.most_workers();
        let row = &mut self.rows[slot.0 as usize];
        debug_assert!(row.in_flight.is_empty() && row.state == State::Ready);
        if row.takes_calls() && !too_many {
            row.idle_since = now;
            self.idle.push(slot);
        } else if row.mail.is_empty() || row.budget == 0 {
            self.leave(slot, now, effects);
        }
    }

    /// Lets a worker go that has nothing to do.
    pub(super) fn leave(&mut self, slot: Slot, now: Duration, effects: &mut Vec<Effect<C>>) {
        let deadline = now + self.limits.leave_timeout;
        self.rows[slot.0 as usize].state = State::Leaving { deadline };
        effects.push(Effect::SendSentinel(self.worker(slot)));
    }

    /// Lets workers go that are there only because the queue was full, once nothing waits.
    pub(super) fn drop_extra(&mut self, now: Duration, effects: &mut Vec<Effect<C>>) {
        if self.limits.strict || !self.pending.is_empty() || self.idle.is_empty() {
            return;
        }
        let census = self.census();
        if census.held > census.living - self.idle.len() {
            // What lies with others behind the call that they run is on its way to idle ones.
            return;
        }
        let extra = census
            .living
            .saturating_sub(self.limits.max_workers as usize)
            .min(self.idle.len());
        for slot in self.idle.drain(..extra).collect::<Vec<_>>() {
            self.leave(slot, now, effects);
        }
    }

    /// Lets workers go that were idle for too long, those first that were idle longest.
    pub(super) fn drop_idle(&mut self, now: Duration, effects: &mut Vec<Effect<C>>) {
        while self.next_idle_end().is_some_and(|end| end <= now) {
            let slot = self.idle.remove(0);
            self.leave(slot, now, effects);
        }
    }

    /// When a worker will have been idle for too long.
    pub(super) fn next_idle_end(&self) -> Option<Duration> {
        let timeout = self.limits.idle_timeout?;
        // The first of them has been idle longest: they come and go at the other end.
        let first = self.idle.first()?;
        let idle_since = self.rows[first.0 as usize].idle_since;
        let census = self.census();
        let least = self.wanted(&census).max(self.limits.min_workers as usize);
        (census.living > least).then(|| idle_since.saturating_add(timeout))
    }

    /// From now on there are to be so many workers. Those that are too many leave: idle ones at
    /// once, the others when they have finished what they have.
    pub(crate) fn resize(
        &mut self,
        min_workers: u32,
        max_workers: u32,
        now: Duration,
        effects: &mut Vec<Effect<C>>,
    ) {
        self.limits.min_workers = min_workers;
        self.limits.max_workers = max_workers;
        let too_many = self.living().saturating_sub(self.limits.most_workers());
        let at_once = too_many.min(self.idle.len());
        for slot in self.idle.drain(..at_once).collect::<Vec<_>>() {
            self.leave(slot, now, effects);
        }
        let others = self.rows.iter_mut().rev();
        for row in others
            .filter(|row| row.will_take_calls())
            .take(too_many - at_once)
        {
            row.retiring = true;
        }
        for slot in self.slots() {
            if self.rows[slot.0 as usize].retiring {
                self.reclaim_behind(slot, |_| true, effects);
            }
        }
        self.advance(now, effects);
    }
}
