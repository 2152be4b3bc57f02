//! One record, as words.

use super::super::{
    atomic::Ordering::Relaxed,
    call_ring::{high, low},
    memory::Memory,
};
use crate::codec::Payload;

/// How many bytes come before a record's own.
pub(super) const HEAD_LEN: usize = 24;

/// The kind of a record that only fills the ring up to its end.
pub(super) const PAD: u8 = 0;

/// The most results that one record may hold.
const MAX_COUNT: u32 = (1 << 24) - 1;

/// What a record says of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordHead {
    /// What the bytes are; for `link::ring` to say. Not zero.
    pub(crate) kind: u8,
    pub(crate) work_id: u64,
    pub(crate) attempt: u32,
    /// Which item the first of the results belongs to.
    pub(crate) index: u32,
}

/// A record that was taken from the ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) head: RecordHead,
    /// How many results the bytes are.
    pub(crate) count: u32,
    pub(crate) bytes: Payload,
}

/// How much room a record of `len` bytes takes.
#[inline]
pub(super) fn room_for(len: usize) -> usize {
    HEAD_LEN + len.next_multiple_of(8)
}

/// The first word of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Measure {
    pub(super) kind: u8,
    pub(super) count: u32,
    pub(super) len: usize,
}

impl Measure {
    #[inline]
    pub(super) fn write(self, memory: &Memory, at: usize) {
        let len = (self.len as u64) << 32;
        let count = u64::from(self.count.min(MAX_COUNT)) << 8;
        let word = len | count | u64::from(self.kind);
        memory.word(at).store(word, Relaxed);
    }

    #[inline]
    pub(super) fn read(memory: &Memory, at: usize) -> Self {
        let word = memory.word(at).load(Relaxed);
        let [kind, ..] = word.to_le_bytes();
        Measure {
            kind,
            count: low(word) >> 8,
            len: high(word) as usize,
        }
    }
}

impl RecordHead {
    /// Writes all but the first word.
    #[inline]
    pub(super) fn write(&self, memory: &Memory, at: usize) {
        let item = u64::from(self.attempt) << 32 | u64::from(self.index);
        memory.word(at + 8).store(self.work_id, Relaxed);
        memory.word(at + 16).store(item, Relaxed);
    }

    /// Reads all but the first word.
    #[inline]
    pub(super) fn read(kind: u8, memory: &Memory, at: usize) -> Self {
        let item = memory.word(at + 16).load(Relaxed);
        RecordHead {
            kind,
            work_id: memory.word(at + 8).load(Relaxed),
            attempt: high(item),
            index: low(item),
        }
    }
}

/// How much of the record behind `tail` is written, for a reader that can't wait for its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct OpenRecord {
    pub(super) count: u32,
    pub(super) len: usize,
}

impl OpenRecord {
    const LEN_BITS: u32 = 24;
    const COUNT_BITS: u32 = 24;

    /// As a word that holds only as long as `tail` doesn't move.
    #[inline]
    pub(super) fn pack(self, tail: u64) -> u64 {
        Self::tag(tail) | u64::from(self.count) << Self::LEN_BITS | self.len as u64
    }

    /// What the word grows by with a result of `each` bytes.
    #[cfg(not(loom))]
    #[inline]
    pub(super) fn step(each: usize) -> u64 {
        1 << Self::LEN_BITS | each as u64
    }

    /// The word's meaning, if it was written at this `tail`.
    pub(super) fn unpack(word: u64, tail: u64) -> Option<Self> {
        let mask = |bits: u32| (1_u64 << bits) - 1;
        let is_current = word & !mask(Self::LEN_BITS + Self::COUNT_BITS) == Self::tag(tail);
        let open = OpenRecord {
            count: low(word >> Self::LEN_BITS & mask(Self::COUNT_BITS)),
            len: low(word & mask(Self::LEN_BITS)) as usize,
        };
        (is_current && open.count > 0).then_some(open)
    }

    /// The low bits of `tail`, which is a multiple of 8.
    fn tag(tail: u64) -> u64 {
        (tail / 8) << (Self::LEN_BITS + Self::COUNT_BITS)
    }
}
