//! What a reactor knows.

use std::{collections::VecDeque, time::Duration};

use super::{
    Departures,
    times::Times,
    totals::{Rate, Totals},
};
use crate::{
    error::BrokenPool,
    ids::{Generation, ItemId, Slot, WorkId, WorkerId},
    queue::{Pending, WorkItem, WorkItems},
};

/// How many workers in a row may die before they are ready until the pool counts as broken.
pub(super) const START_DEATHS: u32 = 3;
/// How many workers of one slot may die in a row without having done or begun a call, within
/// [`FRUITLESS_SPAN`], until the pool counts as broken; unless others do calls meanwhile.
pub(super) const FRUITLESS_DEATHS: u32 = 10;
/// See [`FRUITLESS_DEATHS`].
pub(super) const FRUITLESS_SPAN: Duration = Duration::from_secs(60);
/// How many workers in a row may die that had a call before them and had not read it, until it is
/// taken for lost like one that was running: it may be what kills them.
pub(super) const UNREAD_DEATHS: u32 = 5;
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
    /// How many workers there are at the least, from the first call on.
    pub(crate) min_workers: u32,
    /// How many there may be.
    pub(crate) max_workers: u32,
    /// Whether that holds always; otherwise not while the queue is full.
    pub(crate) strict: bool,
    /// How long a worker may be idle while there are more than the least; without it, for ever.
    pub(crate) idle_timeout: Option<Duration>,
    /// After how many calls a worker is replaced.
    pub(crate) max_tasks: Option<u32>,
    /// After how many bytes of memory more than at its start a worker is replaced.
    pub(crate) max_memory_growth: Option<u64>,
    /// How many bytes of memory a worker may have, when it is limited.
    pub(crate) memory_limit: Option<u64>,
    /// How much processor time a call may take.
    pub(crate) cpu_time_limit: Option<Duration>,
    /// Whether it is counted how long calls wait and run.
    pub(crate) histograms: bool,
    /// How many items may wait, with the pool or behind another one with a worker.
    pub(crate) queue_capacity: usize,
    /// From SIGTERM to SIGKILL.
    pub(crate) grace: Duration,
    /// Whether workers are forked from a template.
    pub(crate) forked: bool,
    /// From the start of a process to its joining.
    pub(crate) start_timeout: Duration,
    /// From the sentinel to SIGTERM.
    pub(crate) leave_timeout: Duration,
}

impl Limits {
    /// How many workers there may be while the queue is full: half as many again, unless the limit
    /// is strict.
    pub(super) fn most_workers(&self) -> usize {
        let extra = match self.strict {
            true => 0,
            false => self.max_workers.div_ceil(2),
        };
        (self.max_workers + extra) as usize
    }
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
    /// Those of a higher one go first; 0 is the usual one.
    pub(crate) priority: i32,
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
    Vacant {
        not_before: Duration,
    },
    Starting {
        deadline: Duration,
    },
    Ready,
    /// The call that it runs was asked to stop.
    Asked {
        deadline: Duration,
    },
    Leaving {
        deadline: Duration,
    },
    Terminating {
        deadline: Duration,
    },
    Killed,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) generation: u32,
    pub(super) state: State,
    /// What only the worker of this slot may do, and does not have yet.
    pub(super) mail: VecDeque<WorkId>,
    /// What the worker has, the running one first.
    pub(super) in_flight: VecDeque<WorkId>,
    /// Since when the first of them has been running.
    pub(super) running_since: Duration,
    /// Since when the first item has been the first.
    pub(super) head_since: Duration,
    /// Since when it has had nothing, while it has nothing.
    pub(super) idle_since: Duration,
    /// How many calls it has done.
    pub(super) calls_done: u64,
    /// How many calls it may still be given.
    pub(super) budget: u32,
    /// Whether it is to leave when it has finished what it has, and gets nothing more.
    pub(super) retiring: bool,
    /// The memory that it had when it was ready, in bytes.
    pub(super) first_memory: Option<u64>,
    /// When its memory was measured last.
    pub(super) measured_at: Duration,
    /// Whether its link was closed while it was ready for calls.
    pub(super) lost_link: bool,
    /// Whether it has said that it ends by itself, after the last call that it runs.
    pub(super) dying: bool,
    /// How many workers in a row have died that had done nothing.
    pub(super) fruitless_deaths: u32,
    /// When the first of these did.
    pub(super) first_death: Duration,
}

impl Row {
    pub(super) fn new() -> Self {
        Row {
            generation: 0,
            state: State::Vacant {
                not_before: Duration::ZERO,
            },
            mail: VecDeque::new(),
            in_flight: VecDeque::new(),
            running_since: Duration::ZERO,
            head_since: Duration::ZERO,
            idle_since: Duration::ZERO,
            calls_done: 0,
            budget: 0,
            retiring: false,
            first_memory: None,
            measured_at: Duration::ZERO,
            lost_link: false,
            dying: false,
            fruitless_deaths: 0,
            first_death: Duration::ZERO,
        }
    }

    /// A new process begins, which may do so many calls.
    pub(super) fn starts(&mut self, deadline: Duration, budget: u32) {
        self.generation += 1;
        self.state = State::Starting { deadline };
        self.calls_done = 0;
        self.budget = budget;
        self.retiring = false;
        self.first_memory = None;
        self.lost_link = false;
        self.dying = false;
    }

    /// Whether a worker can be started in it.
    pub(super) fn is_free(&self, now: Duration) -> bool {
        matches!(self.state, State::Vacant { not_before } if not_before <= now)
    }

    /// Whether the worker can be given a call now, if its call queue has room.
    pub(super) fn takes_calls(&self) -> bool {
        self.state == State::Ready && !self.is_done()
    }

    /// The same for one that may not be ready yet.
    pub(super) fn will_take_calls(&self) -> bool {
        matches!(self.state, State::Starting { .. } | State::Ready) && !self.is_done()
    }

    /// Whether the worker gets nothing more than what it has.
    fn is_done(&self) -> bool {
        self.retiring || self.budget == 0
    }
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
    /// How many of them their submitters run themselves.
    pub(super) running_here: usize,
    pub(super) pending: Pending,
    /// Whether a call ever had another priority than the usual one.
    pub(super) uneven: bool,
    /// How many items lie in the mail of slots.
    pub(super) mail: usize,
    /// By slot; there may be more of them than workers are allowed.
    pub(super) rows: Vec<Row>,
    /// The time of the last event.
    pub(super) now: Duration,
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
    /// When a worker has done a call last.
    pub(super) last_result: Option<Duration>,
    pub(super) totals: Totals,
    pub(super) rate: Rate,
    pub(super) times: Times,
    /// When the first call came in, once one has.
    pub(super) first_call: Duration,
    /// How workers that are gone have left.
    pub(super) departures: Departures,
}

impl<C: Clone> Reactor<C> {
    /// A pool without workers and calls.
    pub(crate) fn new(limits: Limits, call_queue: usize) -> Self {
        Reactor {
            rows: (0..limits.max_workers).map(|_| Row::new()).collect(),
            now: Duration::ZERO,
            limits,
            call_queue,
            items: WorkItems::default(),
            running_here: 0,
            pending: Pending::default(),
            uneven: false,
            mail: 0,
            idle: Vec::new(),
            life: Life::Open,
            broken: None,
            started: false,
            resting: false,
            start_deaths: 0,
            last_result: None,
            spawn_failures: 0,
            totals: Totals::default(),
            rate: Rate::default(),
            times: Times::new(limits.histograms),
            first_call: Duration::ZERO,
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

    /// What the worker is to be told when the item that it runs is to be stopped.
    pub(crate) fn stop_item(&self, worker: WorkerId) -> Option<ItemId> {
        let work_id = self.running(worker)?;
        let item = self.items.get(work_id)?;
        Some(ItemId {
            work_id,
            attempt: item.sent_attempt,
            index: item.next - item.sent,
        })
    }

    /// How many items wait, those included that lie with a worker behind the one that it runs: how
    /// deep a worker's own queue is must not change what users see, nor what `queue_capacity` means.
    pub(crate) fn pending(&self) -> usize {
        self.items.len() - self.busy() - self.running_here
    }

    /// How many items there are, waiting or in flight.
    pub(crate) fn unresolved(&self) -> usize {
        self.items.len()
    }

    /// How many workers there are at the least, and how many there may be.
    pub(crate) fn min_and_max(&self) -> (u32, u32) {
        (self.limits.min_workers, self.limits.max_workers)
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
        let rows = u32::try_from(self.rows.len());
        (0..rows.expect("the number of workers is bounded")).map(Slot)
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
