//! [`Memory`] as the model checker needs it: its own atomics, and bytes that it watches, so that
//! two threads that touch the same bytes without taking turns are reported.
#![expect(unsafe_code, reason = "loom gives its cells out as raw pointers")]

use loom::cell::UnsafeCell;

use super::atomic::{AtomicU32, AtomicU64};

/// Memory that two threads of a model share.
#[derive(Debug)]
pub(crate) struct Memory {
    places: Vec<Place>,
}

/// Eight bytes.
#[derive(Debug)]
struct Place {
    word: AtomicU64,
    half_word: AtomicU32,
    bytes: UnsafeCell<[u8; 8]>,
}

// SAFETY: loom reports it when two threads touch a cell without taking turns.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) fn heap(len: usize) -> Self {
        let place = |_| Place {
            word: AtomicU64::new(0),
            half_word: AtomicU32::new(0),
            bytes: UnsafeCell::new([0; 8]),
        };
        Memory {
            places: (0..len.div_ceil(8)).map(place).collect(),
        }
    }

    pub(crate) fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8), "a word outside");
        &self.places[at / 8].word
    }

    pub(crate) fn half_word(&self, at: usize) -> &AtomicU32 {
        assert!(at.is_multiple_of(8), "a word outside");
        &self.places[at / 8].half_word
    }

    pub(crate) fn write(&self, at: usize, bytes: &[u8]) {
        for (at, byte) in (at..).zip(bytes) {
            self.places[at / 8].bytes.with_mut(|place| {
                // SAFETY: loom has checked that nobody else uses it now.
                let place = unsafe { &mut *place };
                place[at % 8] = *byte;
            });
        }
    }

    pub(crate) fn append_to(&self, into: &mut Vec<u8>, at: usize, len: usize) {
        for at in at..at + len {
            into.push(self.places[at / 8].bytes.with(|place| {
                // SAFETY: loom has checked that nobody writes it now.
                let place = unsafe { &*place };
                place[at % 8]
            }));
        }
    }
}
