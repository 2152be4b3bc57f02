//! The kinds of objects, and what a death means to each.

use super::{Object, layout};
use crate::{
    shm::atomic::Ordering::Acquire,
    sync::algorithm::{
        lock_word::LockWord,
        parking::{Bed, Parking},
        permits::Permits,
        rendezvous::Rendezvous,
        seats::{Identity, Seat, SeatWords},
        switch::Switch,
    },
};

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Lock = 1,
    RLock = 2,
    Event = 3,
    Condition = 4,
    Semaphore = 5,
    BoundedSemaphore = 6,
    Barrier = 7,
    Array = 8,
    Value = 9,
    Queue = 10,
    JoinableQueue = 11,
}

impl Kind {
    /// As errors call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Lock => "lock",
            Kind::RLock => "rlock",
            Kind::Event => "event",
            Kind::Condition => "condition",
            Kind::Semaphore => "semaphore",
            Kind::BoundedSemaphore => "bounded semaphore",
            Kind::Barrier => "barrier",
            Kind::Array => "shared array",
            Kind::Value => "shared value",
            Kind::Queue => "queue",
            Kind::JoinableQueue => "joinable queue",
        }
    }
}

impl Kind {
    /// How much of its memory is mapped, if more may be behind that.
    pub(super) fn mapped_len(self) -> Option<usize> {
        match self {
            Kind::Queue | Kind::JoinableQueue => Some(layout::DATA + layout::RING_LEN),
            _ => None,
        }
    }
}

/// The object's words, as the algorithms see them.
impl Object {
    /// One of the places where threads wait.
    #[inline]
    pub(crate) fn parking(&self, index: usize) -> Parking<'_> {
        let at = layout::PARKINGS[index];
        Parking::new(self.memory().half_word(at), self.memory().word(at + 8))
    }

    #[inline]
    pub(crate) fn lock_word(&self) -> LockWord<'_> {
        LockWord::new(self.memory().word(layout::WORD), self.parking(0))
    }

    /// The lock of a queue's producers.
    #[inline]
    pub(crate) fn put_lock(&self) -> LockWord<'_> {
        LockWord::new(self.memory().word(layout::PUT_LOCK), self.parking(1))
    }

    /// The lock of its consumers.
    #[inline]
    pub(crate) fn get_lock(&self) -> LockWord<'_> {
        LockWord::new(self.memory().word(layout::GET_LOCK), self.parking(2))
    }

    pub(crate) fn switch(&self) -> Switch<'_> {
        Switch::new(self.memory().word(layout::WORD), self.parking(0))
    }

    #[inline]
    pub(crate) fn permits(&self) -> Permits<'_, Object> {
        let bound = match self.kind() {
            Kind::BoundedSemaphore => u32::try_from(self.parameter()).ok(),
            _ => None,
        };
        let word = self.memory().word(layout::WORD);
        Permits::new(word, self, self.parking(0), bound)
    }

    pub(crate) fn rendezvous(&self) -> Rendezvous<'_> {
        // The parameter was checked when the handle was made or arrived.
        let parties = u32::try_from(self.parameter()).unwrap_or(u32::MAX);
        let word = self.memory().word(layout::WORD);
        Rendezvous::new(word, self.parking(0), parties)
    }

    /// Releases what a dead process held from its seat. May be done again.
    pub(super) fn release_from(&self, seat: Seat, dead: Identity) {
        match self.kind() {
            Kind::Lock | Kind::RLock | Kind::Array | Kind::Value => {
                self.lock_word().take_from(dead);
            }
            Kind::Semaphore | Kind::BoundedSemaphore => self.permits().take_from(seat, dead),
            Kind::Barrier => {
                let is_buried = || self.tenant(seat).load(Acquire) != dead.bits();
                self.rendezvous().lose_party(is_buried);
            }
            Kind::Queue | Kind::JoinableQueue => {
                self.put_lock().take_from(dead);
                self.get_lock().take_from(dead);
                if self.kind() == Kind::JoinableQueue {
                    self.permits().take_from(seat, dead);
                }
            }
            Kind::Event | Kind::Condition => {}
        }
    }

    /// Whether this process holds something that its death has to release: then its seat stays.
    pub(super) fn holds(&self, seat: Seat, me: Identity) -> bool {
        match self.kind() {
            Kind::Lock | Kind::RLock | Kind::Array | Kind::Value => {
                self.lock_word().owner() == Some(me)
            }
            Kind::Semaphore | Kind::BoundedSemaphore | Kind::JoinableQueue => {
                self.permits().held_at(seat) > 0
            }
            // The locks of a queue are held only within its methods.
            Kind::Event | Kind::Condition | Kind::Barrier | Kind::Queue => false,
        }
    }

    /// Lets all who wait, for whatever, look again.
    pub(super) fn shake(&self, bed: &impl Bed) {
        for index in 0..layout::PARKINGS.len() {
            self.parking(index).shake(bed);
        }
    }
}
