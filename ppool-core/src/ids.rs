//! Numbers that name things, each a type of its own so that they can't be mixed up.

use std::fmt;

/// Names one call of one pool: how many calls came before it, and the place in the table of work
/// items where it is kept. Grows with each submission and is never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WorkId(pub u64);

impl WorkId {
    /// The bits that hold the place in the table; the others count the calls.
    const INDEX_BITS: u32 = 24;
    /// The most work items that one pool can hold.
    pub const MAX_ITEMS: usize = 1 << Self::INDEX_BITS;

    pub(crate) fn new(sequence: u64, index: usize) -> Self {
        debug_assert!(
            index < Self::MAX_ITEMS,
            "the table of work items is bounded"
        );
        WorkId(sequence << Self::INDEX_BITS | index as u64)
    }

    /// How many calls were submitted to the pool before this one, plus one.
    #[must_use]
    pub fn sequence(self) -> u64 {
        self.0 >> Self::INDEX_BITS
    }

    pub(crate) fn index(self) -> usize {
        usize::try_from(self.0 & (Self::MAX_ITEMS as u64 - 1)).expect("24 bits fit")
    }
}

impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.sequence())
    }
}

/// Names one item of one try of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ItemId {
    /// The call.
    pub work_id: WorkId,
    /// How often it was tried before.
    pub attempt: u32,
    /// Which item of the call, as it was sent.
    pub index: u32,
}

/// A row of the slot table: the place that one worker process at a time fills.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Slot(pub u32);

/// The how-many-eth process of a slot (SUP-1: grows with each process, so that a late message
/// can't be taken for a new worker's).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Generation(pub u32);

/// One worker process of one pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WorkerId {
    /// Its row in the slot table.
    pub slot: Slot,
    /// Which process of that row it is.
    pub generation: Generation,
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot.0, self.generation.0)
    }
}
