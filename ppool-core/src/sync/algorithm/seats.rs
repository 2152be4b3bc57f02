//! Which processes have a handle to an object: a table of seats in its memory.
//!
//! A process takes a seat before it does anything with the object, and gives it back when its last
//! handle goes. One that dies leaves its seat taken; so whoever waits for the object knows whose
//! deaths matter. A seat is one word, the [`Identity`] of its process, so it is taken and given back
//! in one step. Beside it is one word of which the object's kind says the meaning (how many permits
//! the process holds, say); it stays when the seat changes hands.
//!
//! # Invariants
//!
//! - A seat that anybody took lies below `high`, which only grows.
//! - `epoch` changes after a seat was taken. Who reads it, then the table, and later finds the same
//!   epoch, has missed nobody who could have acted since.

use std::num::NonZeroU64;

use crate::shm::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};

/// How many bits the start time has in an identity.
const START_BITS: u32 = 38;

/// One process, now and for ever: its id, and when it started, which tells it from others that get
/// the same id later. It fits into 60 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Identity(NonZeroU64);

impl Identity {
    /// The process `pid` (at most 2^22) that started so many clock ticks after the system.
    pub(crate) fn new(pid: u32, start: u64) -> Option<Self> {
        let start = start & ((1 << START_BITS) - 1);
        let pid = u64::from(pid) & ((1 << 22) - 1);
        (pid != 0)
            .then(|| NonZeroU64::new(pid << START_BITS | start))
            .flatten()
            .map(Identity)
    }

    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        let identity = NonZeroU64::new(bits & ((1 << 60) - 1)).map(Identity)?;
        (identity.pid() != 0).then_some(identity)
    }

    #[inline]
    pub(crate) fn bits(self) -> u64 {
        self.0.get()
    }

    pub(crate) fn pid(self) -> u32 {
        // 22 bits are left.
        u32::try_from(self.bits() >> START_BITS).unwrap_or(0)
    }
}

/// Where in the table a process sits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seat(pub(crate) u16);

/// The words of the table.
pub(crate) trait SeatWords {
    /// How many seats there are.
    fn seats(&self) -> u16;
    /// Advanced whenever a seat is taken.
    fn epoch(&self) -> &AtomicU64;
    /// How many seats, from the first, were ever taken.
    fn high(&self) -> &AtomicU64;
    /// Who sits there.
    fn tenant(&self, seat: Seat) -> &AtomicU64;
    /// What the kind of the object keeps there.
    fn record(&self, seat: Seat) -> &AtomicU64;
}

/// Takes a free seat. None when there is none.
///
/// The caller then has all who wait look again, so that they learn of it.
pub(crate) fn take(words: &impl SeatWords, me: Identity) -> Option<Seat> {
    let seat = (0..words.seats()).map(Seat).find(|seat| {
        // First `high`: who dies between the two must not sit where nobody looks.
        words.tenant(*seat).load(Relaxed) == 0 && {
            words.high().fetch_max(u64::from(seat.0) + 1, Relaxed);
            words
                .tenant(*seat)
                .compare_exchange(0, me.bits(), Acquire, Relaxed)
                .is_ok()
        }
    })?;
    // Release: who sees the new epoch sees the seat. The caller's fence comes after it.
    words.epoch().fetch_add(1, Release);
    fence(SeqCst);
    Some(seat)
}

/// Gives a seat back, if `tenant` still has it.
pub(crate) fn give_back(words: &impl SeatWords, seat: Seat, tenant: Identity) {
    // Release: what was done on it comes before what the next tenant does.
    let _ = words
        .tenant(seat)
        .compare_exchange(tenant.bits(), 0, Release, Relaxed);
}

/// All who have seats.
pub(crate) fn tenants(words: &impl SeatWords) -> impl Iterator<Item = (Seat, Identity)> {
    let high = u16::try_from(words.high().load(Acquire)).unwrap_or(u16::MAX);
    (0..high.min(words.seats())).filter_map(move |seat| {
        let seat = Seat(seat);
        Identity::from_bits(words.tenant(seat).load(Acquire)).map(|tenant| (seat, tenant))
    })
}
