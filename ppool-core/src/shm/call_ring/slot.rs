//! One slot, as words.

use super::super::{
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    layout::Layout,
    memory::Memory,
};

const STATE: usize = 0;
const WORK_ID: usize = 8;
const TASK: usize = 16;
const ATTEMPT_AND_COUNT: usize = 24;
const PLACE: usize = 32;
const STARTED_AT: usize = 40;
const ARGUMENTS: usize = 48;

/// What the parent says of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) work_id: u64,
    pub(crate) task: u64,
    pub(crate) attempt: u32,
    /// How many items, 1 or more.
    pub(crate) count: u32,
    /// Whether the worker is to say when it started.
    pub(crate) timed: bool,
}

/// Where the arguments of a call are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In the region, from here on.
    Here { at: usize, len: usize },
    /// They come by the socket, or in a segment whose descriptor does.
    Stream,
}

/// What a state word can say. The rest of the word is the position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Free = 0,
    Queued = 1,
    Running = 2,
    Revoked = 3,
}

const INLINE: u64 = 0;
const ARENA: u64 = 1;
const STREAM: u64 = 2;
const PLACE_MASK: u64 = 0xff;
const TIMED: u64 = 1 << 8;
const LEN_SHIFT: u32 = 32;

/// The slot of a position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    memory: &'a Memory,
    layout: &'a Layout,
    position: u64,
    at: usize,
}

impl<'a> Slot<'a> {
    #[inline]
    pub(super) fn new(memory: &'a Memory, layout: &'a Layout, position: u64) -> Self {
        Slot {
            memory,
            layout,
            position,
            at: layout.slot(position),
        }
    }

    #[inline]
    fn word(&self, field: usize) -> &'a AtomicU64 {
        self.memory.word(self.at + field)
    }

    fn value(&self, state: State) -> u64 {
        self.position << 2 | state as u64
    }

    /// How many bytes of arguments fit into a slot.
    pub(super) fn inline_capacity(layout: &Layout) -> usize {
        layout.slot_len - ARGUMENTS - 16
    }

    /// Whether it is in this state, at this position. Seeing it, one sees what was written before the
    /// state was set.
    #[inline]
    pub(super) fn is(&self, state: State) -> bool {
        // Acquire: pairs with `set` and `change`.
        self.word(STATE).load(Acquire) == self.value(state)
    }

    /// Sets the state; what was written before is seen by who sees it.
    #[inline]
    pub(super) fn set(&self, state: State) {
        self.word(STATE).store(self.value(state), Release);
    }

    /// Sets the state to `to` if it is `from`; whether it was.
    #[inline]
    pub(super) fn change(&self, from: State, to: State) -> bool {
        let (from, to) = (self.value(from), self.value(to));
        // Acquire pairs with `set(Queued)`: the winner of a claim reads the call. Nothing is
        // published by either change. When it fails, the other side's change has won, and that is
        // seen in a later look.
        self.word(STATE)
            .compare_exchange(from, to, Acquire, Relaxed)
            .is_ok()
    }

    /// Whether the worker has passed it: it is free for the position one lap later.
    pub(super) fn is_passed(&self) -> bool {
        self.next_lap().is(State::Free)
    }

    /// Gives it back for the position one lap later.
    #[inline]
    pub(super) fn pass(&self) {
        self.next_lap().set(State::Free);
    }

    fn next_lap(&self) -> Self {
        Slot {
            position: self.position + self.layout.slots as u64,
            ..*self
        }
    }

    /// Writes everything but the arguments of a call that has them in the slot or in the arena.
    #[inline]
    pub(super) fn write(&self, entry: &Entry, place: u64, len: u64) {
        let attempt_and_count = u64::from(entry.attempt) << 32 | u64::from(entry.count);
        let timed = if entry.timed { TIMED } else { 0 };
        self.word(WORK_ID).store(entry.work_id, Relaxed);
        self.word(TASK).store(entry.task, Relaxed);
        self.word(ATTEMPT_AND_COUNT)
            .store(attempt_and_count, Relaxed);
        self.word(PLACE)
            .store(place | timed | len << LEN_SHIFT, Relaxed);
        if entry.timed {
            self.word(STARTED_AT).store(0, Relaxed);
        }
        if entry.count > 1 {
            self.items().store(Items::all(entry.count).pack(), Relaxed);
        }
    }

    /// Writes a call whose arguments fit into the slot.
    #[inline]
    pub(super) fn write_inline(&self, entry: &Entry, arguments: &[u8]) {
        self.write(entry, INLINE, arguments.len() as u64);
        self.memory.write(self.at + ARGUMENTS, arguments);
    }

    /// Writes a call whose arguments lie in the arena at `offset`.
    pub(super) fn write_in_arena(&self, entry: &Entry, offset: usize, arguments: &[u8]) {
        self.write(entry, ARENA, arguments.len() as u64);
        self.word(ARGUMENTS).store(offset as u64, Relaxed);
        self.memory.write(self.layout.arena() + offset, arguments);
    }

    /// Writes a call whose arguments come by the socket.
    pub(super) fn write_in_stream(&self, entry: &Entry) {
        self.write(entry, STREAM, 0);
    }

    /// What the slot says of its call; `None` when that can't be.
    #[inline]
    pub(super) fn read(&self) -> Option<(Entry, Place)> {
        let attempt_and_count = self.word(ATTEMPT_AND_COUNT).load(Relaxed);
        let place = self.word(PLACE).load(Relaxed);
        let entry = Entry {
            work_id: self.word(WORK_ID).load(Relaxed),
            task: self.word(TASK).load(Relaxed),
            attempt: high(attempt_and_count),
            count: low(attempt_and_count),
            timed: place & TIMED != 0,
        };
        let len = usize::try_from(place >> LEN_SHIFT).ok()?;
        let place = match place & PLACE_MASK {
            INLINE if len <= Self::inline_capacity(self.layout) => Place::Here {
                at: self.at + ARGUMENTS,
                len,
            },
            ARENA => {
                let offset = usize::try_from(self.word(ARGUMENTS).load(Relaxed)).ok()?;
                let end = offset.checked_add(len)?;
                let at = (end <= self.layout.arena_len).then_some(self.layout.arena() + offset)?;
                Place::Here { at, len }
            }
            STREAM => Place::Stream,
            _ => return None,
        };
        (entry.count > 0).then_some((entry, place))
    }

    /// When its call started, if the worker has said so.
    pub(super) fn started_at(&self) -> Option<u64> {
        match self.word(STARTED_AT).load(Relaxed) {
            0 => None,
            nanos => Some(nanos),
        }
    }

    /// Says when its call started.
    pub(super) fn set_started_at(&self, nanos: u64) {
        self.word(STARTED_AT).store(nanos, Relaxed);
    }

    /// How long the worker took for a call of several items, in nanoseconds.
    pub(super) fn spent(&self) -> &'a AtomicU64 {
        self.word(self.layout.slot_len - 16)
    }

    /// Which items are claimed, and how many the worker may claim.
    pub(super) fn items(&self) -> &'a AtomicU64 {
        self.word(self.layout.slot_len - 8)
    }
}

/// The items of a call that has several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Items {
    /// The worker has claimed those before this one.
    pub(super) claimed: u32,
    /// The parent has taken back this one and those behind it.
    pub(super) limit: u32,
}

impl Items {
    fn all(count: u32) -> Self {
        Items {
            claimed: 0,
            limit: count,
        }
    }

    pub(super) fn pack(self) -> u64 {
        u64::from(self.claimed) << 32 | u64::from(self.limit)
    }

    pub(super) fn unpack(word: u64) -> Self {
        Items {
            claimed: high(word),
            limit: low(word),
        }
    }
}

/// The upper half of a word.
#[inline]
pub(in crate::shm) fn high(word: u64) -> u32 {
    low(word >> 32)
}

/// The lower half of a word.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
pub(in crate::shm) fn low(word: u64) -> u32 {
    word as u32
}
