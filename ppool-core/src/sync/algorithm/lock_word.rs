//! A lock that knows who holds it.
//!
//! ```text
//!             acquire                    release
//!   Free ─────────────► Held(process) ─────────────► Free
//!    ▲                      │
//!    └── acquire (told) ── Left(process) ◄── its death
//! ```
//!
//! One word says who holds the lock, by an [`Identity`] that is never given to another process. So
//! whoever learns of a death can take the lock from the dead, any number of times, and never takes it
//! from anybody else (SYNC-1). The next owner is told who left it.
//!
//! # Fairness
//!
//! A free lock goes to whoever comes first, which is fast. But nobody is passed over for ever: those
//! who come later stand back while somebody waits who was woken before and came too late.

use super::{
    parking::{Bed, Parking},
    seats::Identity,
};
use crate::shm::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Somebody holds it, or (without this) left it or never had it.
const HELD: u64 = 1;
const FLAG_BITS: u32 = 4;

/// The word and the place to wait for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockWord<'a> {
    word: &'a AtomicU64,
    pub(crate) parking: Parking<'a>,
}

/// The lock is the caller's now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the lock has to be released"]
pub(crate) struct Acquired {
    /// Who died with it, if the owner before did.
    pub(crate) left_by: Option<Identity>,
}

impl<'a> LockWord<'a> {
    pub(crate) fn new(word: &'a AtomicU64, parking: Parking<'a>) -> Self {
        LockWord { word, parking }
    }

    /// Takes the lock if it is free and nobody is owed it.
    #[inline]
    pub(crate) fn try_acquire_politely(self, me: Identity) -> Option<Acquired> {
        if self.parking.somebody_is_owed() {
            return None;
        }
        self.try_acquire(me)
    }

    /// Takes the lock if it is free.
    #[inline]
    pub(crate) fn try_acquire(self, me: Identity) -> Option<Acquired> {
        let mut word = self.word.load(Relaxed);
        while word & HELD == 0 {
            let mine = me.bits() << FLAG_BITS | HELD;
            // Acquire: pairs with `release` and `take_from`.
            match self
                .word
                .compare_exchange_weak(word, mine, Acquire, Relaxed)
            {
                Ok(_) => {
                    let left_by = Identity::from_bits(word >> FLAG_BITS);
                    return Some(Acquired { left_by });
                }
                Err(now) => word = now,
            }
        }
        None
    }

    /// Waits for the lock. None when the time is over.
    pub(crate) fn acquire(self, me: Identity, bed: &impl Bed) -> Option<Acquired> {
        let mut first = true;
        self.parking.wait(bed, || {
            if std::mem::take(&mut first) {
                self.try_acquire_politely(me)
            } else {
                self.try_acquire(me)
            }
        })
    }

    /// Gives the lock back. For its owner.
    #[inline]
    pub(crate) fn release(self, bed: &impl Bed) {
        self.word.store(0, Release);
        self.parking.notify(bed, 1);
    }

    /// Takes the lock from a dead owner. The caller shakes the parking afterwards.
    pub(crate) fn take_from(self, dead: Identity) {
        let held = dead.bits() << FLAG_BITS | HELD;
        // Refused: it has or had another owner. Release: whoever saw the death passes on what it saw.
        let _ = self
            .word
            .compare_exchange(held, held & !HELD, Release, Relaxed);
    }

    /// Who holds it.
    pub(crate) fn owner(self) -> Option<Identity> {
        let word = self.word.load(Relaxed);
        (word & HELD != 0)
            .then(|| Identity::from_bits(word >> FLAG_BITS))
            .flatten()
    }
}
