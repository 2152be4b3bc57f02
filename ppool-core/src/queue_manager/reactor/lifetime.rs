//! From one start of a pool to the next: how its workers have left, and how it opens again.

use std::{ops::Sub, time::Duration};

use super::{Life, Reactor, State, Terms};
use crate::{
    error::BrokenPool,
    ids::WorkId,
    queue::Place,
    queue_manager::effect::{Effect, Refusal},
};

/// A time that can be added to any other.
const LONGEST_LEAVE: Duration = Duration::from_secs(86_400 * 365);

/// How workers have left, by the hardest means that was used on each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Departures {
    /// They were told to leave, and did.
    pub(crate) left: usize,
    /// They were sent SIGTERM.
    pub(crate) terminated: usize,
    /// They were sent SIGKILL.
    pub(crate) killed: usize,
}

impl Departures {
    /// A worker in this state has ended.
    pub(super) fn count(&mut self, state: State) {
        match state {
            State::Leaving { .. } => self.left += 1,
            State::Asked { .. } | State::Terminating { .. } => self.terminated += 1,
            State::Killed => self.killed += 1,
            // It died by itself, and is replaced.
            State::Vacant { .. } | State::Starting { .. } | State::Ready => {}
        }
    }
}

impl Sub for Departures {
    type Output = Departures;

    fn sub(self, before: Self) -> Self {
        Departures {
            left: self.left - before.left,
            terminated: self.terminated - before.terminated,
            killed: self.killed - before.killed,
        }
    }
}

impl<C: Clone> Reactor<C> {
    /// How workers that are gone have left, since the pool was made.
    pub(crate) fn departures(&self) -> Departures {
        self.departures
    }

    /// Workers that leave have at least so long, from now on, until they are made to.
    pub(crate) fn allow_to_leave_for(&mut self, time: Duration, now: Duration) {
        let time = time.min(LONGEST_LEAVE);
        self.limits.leave_timeout = self.limits.leave_timeout.max(time);
        for row in &mut self.rows {
            if let State::Leaving { deadline } = &mut row.state {
                *deadline = (*deadline).max(now + time);
            }
        }
    }

    /// Whether calls are accepted.
    pub(crate) fn is_open(&self) -> bool {
        self.life == Life::Open
    }

    /// A pool that has ended accepts calls again; one that was broken is tried again. False when it
    /// has not ended. From now on workers have `leave_timeout` to leave.
    pub(crate) fn reopen(&mut self, leave_timeout: Duration) -> bool {
        if self.life != Life::Stopped {
            return false;
        }
        self.life = Life::Open;
        self.limits.leave_timeout = leave_timeout;
        self.broken = None;
        // Workers start with the first call, as they did before. Generations and ids go on where
        // they were: nothing of the past can be taken for something new (SUP-1).
        self.started = false;
        self.resting = false;
        self.start_deaths = 0;
        self.spawn_failures = 0;
        for row in &mut self.rows {
            row.fruitless_deaths = 0;
            row.state = State::Vacant {
                not_before: Duration::ZERO,
            };
        }
        true
    }

    /// A call, or a chunk of calls, that its submitter runs itself, without a worker.
    pub(crate) fn begins_here(
        &mut self,
        cargo: C,
        terms: Terms,
        now: Duration,
    ) -> Result<WorkId, Refusal> {
        self.admits()?;
        let id = self.insert(cargo, terms, now, None);
        if let Some(item) = self.items.get_mut(id) {
            item.place = Place::Here;
        }
        self.running_here += 1;
        Ok(id)
    }

    /// The pool can't run calls here, and never will.
    pub(crate) fn breaks_here(&mut self, cause: BrokenPool, effects: &mut Vec<Effect<C>>) {
        self.break_pool(cause, effects);
    }

    /// Every call of the item is resolved.
    pub(crate) fn ends_here(&mut self, id: WorkId, effects: &mut Vec<Effect<C>>) {
        if self.items.remove(id).is_some() {
            self.running_here -= 1;
        }
        self.check_stopped(effects);
    }
}
