//! Where what lies in a region.

/// How far apart two words lie that different processes write: two cache lines, because processors
/// fetch them in pairs.
const APART: usize = if cfg!(loom) { 16 } else { 128 };

/// How many bytes the header has: a page.
pub(super) const HEADER_LEN: usize = if cfg!(loom) { 9 * APART } else { 4096 };

/// The words that describe the region, one after the other.
pub(super) const DESCRIPTION: usize = 0;
/// The bell of a worker that waits for calls.
pub(super) const WORKER_BELL: usize = APART;
/// The bell of a worker that waits for room for results.
pub(super) const ROOM_BELL: usize = APART + 8;
/// The parent's bell.
pub(super) const PARENT_BELL: usize = 2 * APART;
/// How long a worker without work spins before it sleeps; the parent writes it.
pub(super) const SPIN: usize = 3 * APART;
/// Not zero once the parent has closed its end.
pub(super) const CLOSED: usize = 3 * APART + 8;
/// Up to where the worker has published results.
pub(super) const RESULTS_TAIL: usize = 4 * APART;
/// Up to where the parent has taken results.
pub(super) const RESULTS_HEAD: usize = 5 * APART;
/// What the worker has written of a record that it has not published yet. It is written for each item,
/// so it lies apart from what the parent watches.
pub(super) const RESULTS_OPEN: usize = 6 * APART;
/// Up to which use the parent has read each of the worker's segments; one word after the other.
#[cfg(not(loom))]
const FREED_SEGMENTS: usize = 7 * APART;

/// The word of one of the worker's segments.
#[cfg(not(loom))]
pub(super) fn freed_segment(index: usize) -> usize {
    FREED_SEGMENTS + 8 * index
}

/// The sizes of the parts of a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    /// How many slots the call ring has; a power of two.
    pub(super) slots: usize,
    /// How many bytes a slot has; a multiple of 64.
    pub(super) slot_len: usize,
    /// How many bytes the call arena has; a power of two.
    pub(super) arena_len: usize,
    /// How many bytes the result ring has; a power of two.
    pub(super) results_len: usize,
}

impl Layout {
    /// What every worker gets. The memory is taken only as it is used.
    pub(crate) const STANDARD: Layout = Layout {
        slots: 256,
        slot_len: 256,
        arena_len: 1 << 20,
        results_len: 1 << 20,
    };

    /// How many bytes the region has.
    pub(super) const fn total(&self) -> usize {
        self.results() + self.results_len
    }

    /// Where the slot of a position begins.
    #[inline]
    pub(super) fn slot(&self, position: u64) -> usize {
        HEADER_LEN + self.slot_index(position) * self.slot_len
    }

    /// Which slot of the ring a position has.
    #[inline]
    pub(super) fn slot_index(&self, position: u64) -> usize {
        wrapped(position, self.slots)
    }

    /// Where the call arena begins.
    pub(super) const fn arena(&self) -> usize {
        HEADER_LEN + self.slots * self.slot_len
    }

    /// Where the result ring begins.
    pub(super) const fn results(&self) -> usize {
        self.arena() + self.arena_len
    }

    /// The largest payload that goes through the arena.
    pub(super) const fn max_arena_payload(&self) -> usize {
        self.arena_len / 16
    }

    /// The largest record that goes through the result ring.
    pub(super) const fn max_record(&self) -> usize {
        self.results_len / 16
    }
}

/// `position` in a ring of `len`, a power of two.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is left is less than len"
)]
pub(super) fn wrapped(position: u64, len: usize) -> usize {
    position as usize & (len - 1)
}
