//! What a reactor knows.

use std::{collections::VecDeque, time::Duration};

use super::Departures;
use crate::{
    error::BrokenPool,
    ids::{Generation, Slot, WorkId, WorkerId},
    queue::{Pending, WorkItem, WorkItems},
};

/// How many workers in a row may die before they are ready until the pool counts as broken.
pub(super) const START_DEATHS: u32 = 3;
/// How many starts in a row may be refused by the system, while no worker lives, until the calls
/// that wait are failed.
pub(super) const SPAWN_FAILURES: u32 = 6;
/// The first pause before a start that follows a failure; it doubles with each.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause before a start.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a reactor is told when it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many workers there are.
    pub(crate) workers: u32,
    /// How many items may wait, with the pool or behind another one with a worker.
    pub(crate) queue_capacity: usize,
    /// From SIGTERM to SIGKILL.
    pub(crate) grace: Duration,
    /// From the start of a process to its joining.
    pub(crate) start_timeout: Duration,
    /// From the sentinel to SIGTERM.
    pub(crate) leave_timeout: Duration,
}

/// What a submission asks for, besides its cargo.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How many calls the item has, one or more.
    pub(crate) count: u32,
    /// How often a call may run again after its worker was lost.
    pub(crate) retries: u32,
    /// How long each call may run.
    pub(crate) timeout: Option<Duration>,
}

/// What `cancel` found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cancel {
    /// It waited and is cancelled now.
    Done,
    /// It is with this worker; it is cancelled when the worker's link can revoke it.
    Ask(WorkerId),
    /// It is resolved already.
    TooLate,
}

/// Calls of an item, as its worker counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Calls {
    /// The first.
    pub(crate) index: u32,
    /// How many.
    pub(crate) count: u32,
}

/// A result that was expected: whose it is.
#[derive(Debug)]
pub(crate) enum Accepted<C> {
    /// The calls are finished.
    Value {
        /// Whose they are.
        cargo: C,
        /// The index of the first of them in the item.
        index: u32,
        /// How long the item was with the worker, when it is finished with them.
        ran: Option<Duration>,
    },
    /// The call had been stopped before; what it gave doesn't count ([`Effect::Fail`] follows).
    Discarded,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Vacant { not_before: Duration },
    Starting { deadline: Duration },
    Ready,
    Leaving { deadline: Duration },
    Terminating { deadline: Duration },
    Killed,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) generation: u32,
    pub(super) state: State,
    /// What the worker has, the running one first.
    pub(super) in_flight: VecDeque<WorkId>,
    /// Since when the first of them has been running.
    pub(super) running_since: Duration,
    /// Since when the first item has been the first.
    pub(super) head_since: Duration,
    /// Deaths without a call in between, for the pause before the next start.
    pub(super) idle_deaths: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    /// Accepts calls.
    Open,
    /// Accepts none; what is there is finished.
    Closing,
    /// Everything is being stopped.
    Terminating,
    /// Nothing is left.
    Stopped,
}

/// The state of one pool.
#[derive(Debug)]
pub(crate) struct Reactor<C> {
    pub(super) limits: Limits,
    /// How many items one worker may have at a time, the running one included.
    pub(super) call_queue: usize,
    pub(super) items: WorkItems<C>,
    pub(super) pending: Pending,
    pub(super) rows: Vec<Row>,
    /// Ready slots with nothing to do; the one that was busy last is last, and taken first: it may
    /// still be spinning, and its caches are warm.
    pub(super) idle: Vec<Slot>,
    pub(super) life: Life,
    pub(super) broken: Option<BrokenPool>,
    /// Whether a call ever came in: workers start with the first.
    pub(super) started: bool,
    /// Whether the system refused every start, so that none is tried before the next call.
    pub(super) resting: bool,
    pub(super) start_deaths: u32,
    pub(super) spawn_failures: u32,
    /// Messages of workers that were gone, or about calls that were resolved.
    pub(super) stale: u64,
    /// How workers that are gone have left.
    pub(super) departures: Departures,
}

impl<C: Clone> Reactor<C> {
    /// A pool without workers and calls.
    pub(crate) fn new(limits: Limits, call_queue: usize) -> Self {
        let row = || Row {
            generation: 0,
            state: State::Vacant {
                not_before: Duration::ZERO,
            },
            in_flight: VecDeque::new(),
            running_since: Duration::ZERO,
            head_since: Duration::ZERO,
            idle_deaths: 0,
        };
        Reactor {
            rows: (0..limits.workers).map(|_| row()).collect(),
            limits,
            call_queue,
            items: WorkItems::default(),
            pending: Pending::default(),
            idle: Vec::new(),
            life: Life::Open,
            broken: None,
            started: false,
            resting: false,
            start_deaths: 0,
            spawn_failures: 0,
            stale: 0,
            departures: Departures::default(),
        }
    }

    /// The item with this id.
    pub(crate) fn item(&self, id: WorkId) -> Option<&WorkItem<C>> {
        self.items.get(id)
    }

    /// Every item that a worker has, the running ones too.
    pub(crate) fn in_flight(&self) -> Vec<(WorkerId, WorkId)> {
        self.slots()
            .flat_map(|slot| {
                let worker = self.worker(slot);
                let row = &self.rows[slot.0 as usize];
                row.in_flight.iter().map(move |&id| (worker, id))
            })
            .collect()
    }

    /// The item that the worker runs, or will run next.
    pub(crate) fn running(&self, worker: WorkerId) -> Option<WorkId> {
        self.rows
            .get(worker.slot.0 as usize)
            .filter(|row| row.generation == worker.generation.0)
            .and_then(|row| row.in_flight.front().copied())
    }

    /// How many items wait.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// How many items there are, waiting or in flight.
    pub(crate) fn unresolved(&self) -> usize {
        self.items.len()
    }

    /// How many workers run a call, and how many are ready for one.
    pub(crate) fn busy_and_idle(&self) -> (usize, usize) {
        (self.busy(), self.idle.len())
    }

    /// How many workers run a call.
    pub(super) fn busy(&self) -> usize {
        let busy = self.rows.iter().filter(|row| !row.in_flight.is_empty());
        busy.count()
    }

    /// Why no worker can be started, if so.
    pub(crate) fn broken(&self) -> Option<&BrokenPool> {
        self.broken.as_ref()
    }

    /// Whether the worker is expected to end: it was told to, or a signal was sent.
    pub(crate) fn is_going(&self, worker: WorkerId) -> bool {
        self.rows
            .get(worker.slot.0 as usize)
            .is_none_or(|row| !matches!(row.state, State::Starting { .. } | State::Ready))
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + use<C> {
        (0..self.limits.workers).map(Slot)
    }

    pub(super) fn worker(&self, slot: Slot) -> WorkerId {
        WorkerId {
            slot,
            generation: Generation(self.rows[slot.0 as usize].generation),
        }
    }

    /// The row of a worker, unless another one has taken its place (SUP-1).
    pub(super) fn row(&mut self, worker: WorkerId) -> Option<&mut Row> {
        self.rows
            .get_mut(worker.slot.0 as usize)
            .filter(|row| row.generation == worker.generation.0)
            .filter(|row| !matches!(row.state, State::Vacant { .. }))
    }
}
