//! How a side that sleeps is woken, and one that doesn't isn't.
//!
//! ```text
//!  sleeper                                   producer
//!  announce: store, fence     ┐              ┌ publish (a store of the ring's)
//!  look once more at the ring ┘              └ must_ring: fence, load
//!  still nothing: sleep                      it sleeps: take the announcement down, wake it
//!  withdraw
//! ```
//!
//! Each side writes one place, then reads the other's. The two fences are `SeqCst`, so one of them
//! comes first, and whoever's is second sees what the other wrote: either the sleeper finds what was
//! published, or the producer finds the sleeper. Both may happen, and then the wake-up is one too
//! many; never one too few.
//!
//! The producer takes the announcement down with a compare-exchange, so that one sleep costs at most
//! one system call however much is published.

use super::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, SeqCst},
    fence,
};

/// The word of a bell while its owner is awake.
const AWAKE: u32 = 0;

/// The word of a bell while its owner sleeps, or is about to.
const ASLEEP: u32 = 1;

/// The word in which one side says that it sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bell<'a> {
    word: &'a AtomicU32,
}

impl<'a> Bell<'a> {
    pub(super) fn new(word: &'a AtomicU32) -> Self {
        Bell { word }
    }

    /// The sleeper's side: says that it is about to sleep. It must look for what it waits for once
    /// more after this.
    #[inline]
    pub(crate) fn announce(self) {
        self.word.store(ASLEEP, Relaxed);
        // Partner: the fence in `must_ring`.
        fence(SeqCst);
    }

    /// The sleeper's side: says that it is awake.
    #[inline]
    pub(crate) fn withdraw(self) {
        self.word.store(AWAKE, Relaxed);
    }

    /// The sleeper's side: whether nobody has rung since it announced that it sleeps.
    #[inline]
    pub(crate) fn is_announced(self) -> bool {
        self.word.load(Relaxed) == ASLEEP
    }

    /// The producer's side, after it has published: whether it has to wake the sleeper now.
    #[inline]
    #[must_use = "the sleeper must be woken"]
    pub(crate) fn must_ring(self) -> bool {
        // Partner: the fence in `announce`.
        fence(SeqCst);
        self.word.load(Relaxed) == ASLEEP
            && self
                .word
                .compare_exchange(ASLEEP, AWAKE, Acquire, Relaxed)
                .is_ok()
    }

    /// What the word is while its owner sleeps.
    #[cfg(not(loom))]
    pub(crate) fn asleep(self) -> u32 {
        ASLEEP
    }

    /// The word, to sleep on.
    #[cfg(not(loom))]
    pub(crate) fn word(self) -> &'a AtomicU32 {
        self.word
    }
}
