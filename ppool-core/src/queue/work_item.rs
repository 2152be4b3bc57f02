//! The table of work items: what a pool knows of each call that is not resolved yet.

use std::time::Duration;

use super::Stamp;
use crate::ids::{Slot, WorkId};

/// One call, or one chunk of calls of the same task, that is not resolved yet.
#[derive(Debug)]
pub(crate) struct WorkItem<C> {
    /// Its name; also says that this place of the table is not reused meanwhile.
    pub(crate) id: WorkId,
    /// What is to be sent and who waits for it; the reactor never looks inside.
    pub(crate) cargo: C,
    /// How many calls the chunk has.
    pub(crate) count: u32,
    /// The first of them that is not resolved.
    pub(crate) next: u32,
    /// The first of them that was sent to the worker that has the item; the worker counts from it.
    pub(crate) sent: u32,
    /// How many of them were sent to that worker.
    pub(crate) sent_count: u32,
    /// The attempt that it was sent as.
    pub(crate) sent_attempt: u32,
    /// How often the call at `next` was given to a worker that was lost.
    pub(crate) attempt: u32,
    /// How often it may be.
    pub(crate) retries: u32,
    /// How many workers in a row have died before they had read it.
    pub(crate) unread: u32,
    /// How long each of the calls may run.
    pub(crate) timeout: Option<Duration>,
    /// When it came in.
    pub(crate) submitted: Stamp,
    /// Those of a higher one go first.
    pub(crate) priority: i32,
    /// The slot whose worker alone may do it, if so.
    pub(crate) pinned: Option<Slot>,
    /// Where the item is.
    pub(crate) place: Place,
    /// Why its worker is being stopped, once it is.
    pub(crate) stop: Option<StopReason>,
}

/// Where a work item is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In the queue of pending calls, or in the mail of the slot that it is pinned to.
    Waiting,
    /// In the call queue of the worker of this slot, perhaps running.
    InFlight(Slot),
    /// With the thread that submitted it, which runs it.
    Here,
}

/// Why a call that runs is being stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StopReason {
    /// It passed its time limit.
    TimedOut,
    /// `kill`, or `terminate` of the pool.
    Killed,
}

/// All work items of a pool, found by id in constant time.
#[derive(Debug)]
pub(crate) struct WorkItems<C> {
    places: Vec<Option<WorkItem<C>>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<C> Default for WorkItems<C> {
    fn default() -> Self {
        WorkItems {
            places: Vec::new(),
            free: Vec::new(),
            sequence: 0,
        }
    }
}

impl<C> WorkItems<C> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether every place that a [`WorkId`] can name is taken.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= WorkId::MAX_ITEMS
    }

    /// Takes in what `make` builds for the id that it is given.
    pub(crate) fn insert(&mut self, make: impl FnOnce(WorkId) -> WorkItem<C>) -> WorkId {
        self.sequence += 1;
        let index = match self.free.pop() {
            Some(index) => index as usize,
            None => {
                self.places.push(None);
                self.places.len() - 1
            }
        };
        let id = WorkId::new(self.sequence, index);
        self.places[index] = Some(make(id));
        id
    }

    /// The item with this id, unless it is resolved.
    pub(crate) fn get(&self, id: WorkId) -> Option<&WorkItem<C>> {
        self.places
            .get(id.index())?
            .as_ref()
            .filter(|item| item.id == id)
    }

    /// The same, to change it.
    pub(crate) fn get_mut(&mut self, id: WorkId) -> Option<&mut WorkItem<C>> {
        self.places
            .get_mut(id.index())?
            .as_mut()
            .filter(|item| item.id == id)
    }

    /// Takes the item with this id out.
    pub(crate) fn remove(&mut self, id: WorkId) -> Option<WorkItem<C>> {
        let place = self.places.get_mut(id.index())?;
        if place.as_ref()?.id != id {
            return None;
        }
        let item = place.take();
        self.free
            .push(u32::try_from(id.index()).expect("an index has 24 bits"));
        item
    }

    /// The ids of all items.
    pub(crate) fn ids(&self) -> impl Iterator<Item = WorkId> {
        self.places.iter().flatten().map(|item| item.id)
    }
}
