//! A flag that is up or down, and that threads wait for.
//!
//! The word counts beside the flag how often it went up. Who waits is satisfied by a count that has
//! grown, too: so one that was set and cleared before the waiter could look has still woken it.

use super::parking::{Bed, Parking};
use crate::shm::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

const UP: u64 = 1;

/// The word and the place to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Switch<'a> {
    word: &'a AtomicU64,
    pub(crate) parking: Parking<'a>,
}

impl<'a> Switch<'a> {
    pub(crate) fn new(word: &'a AtomicU64, parking: Parking<'a>) -> Self {
        Switch { word, parking }
    }

    pub(crate) fn is_set(self) -> bool {
        self.word.load(Acquire) & UP != 0
    }

    pub(crate) fn set(self, bed: &impl Bed) {
        // Down to up is one more time and the flag: from 2n to 2n + 3.
        let _ = self.word.fetch_update(AcqRel, Acquire, |word| {
            (word & UP == 0).then(|| word.wrapping_add(2) | UP)
        });
        self.parking.notify(bed, u32::MAX);
    }

    pub(crate) fn clear(self) {
        self.word.fetch_and(!UP, AcqRel);
    }

    /// Waits until the flag is up. False when the time is over.
    pub(crate) fn wait(self, bed: &impl Bed) -> bool {
        let before = self.word.load(Acquire);
        if before & UP != 0 {
            return true;
        }
        let look = || (self.word.load(Acquire) / 2 != before / 2).then_some(());
        self.parking.wait(bed, look).is_some()
    }
}
