//! Counted permits that come back when their holder dies.
//!
//! How many are free is one thing, how many each process holds another; a process that is killed
//! between two writes must not make them disagree. So there is one word that counts, and each change
//! of it says also what it means for which seat:
//!
//! ```text
//!  word:    free permits │ seat │ number of the change │ effect on the seat's record
//!  record:  number of the last change that it has seen │ permits held
//! ```
//!
//! A change is one compare-exchange of the word. Whoever makes the next one first brings the record
//! that the word names up to date ([`Permits::help`]); the numbers say whether it was. So at any moment
//! word and records together say the truth, whoever died.
//!
//! # Invariants
//!
//! - Free permits and held ones add up to what was put in, whatever dies.
//! - Only the last change can be missing in a record, and the word has all that is needed to add it.

use super::{
    parking::{Bed, Parking},
    seats::{Identity, Seat, SeatWords},
};
use crate::shm::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

/// The most permits that there may be.
pub(crate) const MAX_PERMITS: u32 = (1 << 24) - 1;

const SEAT_BITS: u32 = 12;
const NUMBER_BITS: u32 = 26;

/// What a change means for the record of its seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    Nothing,
    OneMore,
    OneLess,
    None,
}

/// The word, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Word {
    free: u32,
    seat: Seat,
    number: u32,
    effect: Effect,
}

/// A record, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Record {
    number: u32,
    held: u32,
}

/// More was given back than was ever taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooMany;

/// The word, the seats' records, and the place to wait for a permit.
#[derive(Debug)]
pub(crate) struct Permits<'a, S> {
    word: &'a AtomicU64,
    seats: &'a S,
    pub(crate) parking: Parking<'a>,
    /// The most that may be free.
    bound: u32,
}

impl<'a, S: SeatWords> Permits<'a, S> {
    pub(crate) fn new(
        word: &'a AtomicU64,
        seats: &'a S,
        parking: Parking<'a>,
        bound: Option<u32>,
    ) -> Self {
        Permits {
            word,
            seats,
            parking,
            bound: bound.map_or(MAX_PERMITS, |bound| bound.min(MAX_PERMITS)),
        }
    }

    /// The word of an object with so many free permits.
    pub(crate) fn initial(free: u32) -> u64 {
        let free = Word {
            free,
            seat: Seat(0),
            number: 0,
            effect: Effect::Nothing,
        };
        free.pack()
    }

    /// How many are free.
    pub(crate) fn free(&self) -> u32 {
        Word::unpack(self.word.load(Acquire)).free
    }

    /// Takes a permit if one is free and nobody is owed it.
    #[inline]
    pub(crate) fn try_acquire_politely(&self, seat: Seat) -> bool {
        !self.parking.somebody_is_owed() && self.try_acquire(seat)
    }

    /// Takes a permit if one is free.
    pub(crate) fn try_acquire(&self, seat: Seat) -> bool {
        self.change(seat, Effect::OneMore, |word, _| word.free.checked_sub(1))
    }

    /// Waits for a permit. False when the time is over.
    pub(crate) fn acquire(&self, seat: Seat, bed: &impl Bed) -> bool {
        let mut first = true;
        let acquired = self.parking.wait(bed, || {
            let acquired = if std::mem::take(&mut first) {
                self.try_acquire_politely(seat)
            } else {
                self.try_acquire(seat)
            };
            acquired.then_some(())
        });
        // Others may have stood back for this thread while there was enough for all.
        if acquired.is_some() && self.free() > 0 {
            self.parking.notify(bed, 1);
        }
        acquired.is_some()
    }

    /// Gives a permit of the seat back. One beyond the bound, which somebody put in by hand
    /// meanwhile, vanishes.
    pub(crate) fn give_back(&self, seat: Seat, bed: &impl Bed) {
        self.change(seat, Effect::OneLess, |word, _| {
            Some((word.free + 1).min(self.bound))
        });
        self.parking.notify(bed, 1);
    }

    /// Gives a permit of the seat back, if it has one; whether it had.
    pub(crate) fn give_back_if_held(&self, seat: Seat) -> bool {
        self.change(seat, Effect::OneLess, |word, record| {
            (record.held > 0).then(|| (word.free + 1).min(self.bound))
        })
    }

    /// From now on a permit of the seat is nobody's: its holder's death doesn't bring it back.
    pub(crate) fn forget(&self, seat: Seat) {
        self.change(seat, Effect::OneLess, |word, _| Some(word.free));
    }

    /// Puts one more permit in.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub(crate) fn put_in(&self, seat: Seat, bed: &impl Bed) -> Result<(), TooMany> {
        let put = self.change(seat, Effect::Nothing, |word, _| {
            (word.free < self.bound).then(|| word.free + 1)
        });
        self.parking.notify(bed, 1);
        if put { Ok(()) } else { Err(TooMany) }
    }

    /// Gives back all permits of a dead process. The caller shakes the parking afterwards.
    pub(crate) fn take_from(&self, seat: Seat, dead: Identity) {
        self.change(seat, Effect::None, |word, record| {
            // Looked at after the word: should the seat change hands later, the word has changed too
            // (for it was first given back what is held there).
            let tenant = self.seats.tenant(seat).load(Acquire);
            (tenant == dead.bits() && record.held > 0)
                .then(|| word.free.saturating_add(record.held).min(self.bound))
        });
    }

    /// How many permits the process at a seat holds.
    pub(crate) fn held_at(&self, seat: Seat) -> u32 {
        self.help(Word::unpack(self.word.load(Acquire)));
        Record::unpack(self.seats.record(seat).load(Acquire)).held
    }

    /// As one who takes a permit and is killed before it has noted that.
    #[cfg(all(test, loom))]
    pub(crate) fn take_and_die(&self, seat: Seat) -> bool {
        let bits = self.word.load(Acquire);
        let word = Word::unpack(bits);
        self.help(word);
        let record = Record::unpack(self.seats.record(seat).load(Acquire));
        let after = Word {
            free: word.free - 1,
            seat,
            number: next_number(record.number),
            effect: Effect::OneMore,
        };
        self.word
            .compare_exchange(bits, after.pack(), AcqRel, Acquire)
            .is_ok()
    }

    /// Makes one change, if `next` allows it: given the word and the seat's record, it says how many
    /// are free afterwards.
    #[inline]
    fn change(
        &self,
        seat: Seat,
        effect: Effect,
        next: impl Fn(Word, Record) -> Option<u32>,
    ) -> bool {
        let mut bits = self.word.load(Acquire);
        loop {
            let word = Word::unpack(bits);
            self.help(word);
            let record = Record::unpack(self.seats.record(seat).load(Acquire));
            let Some(free) = next(word, record) else {
                return false;
            };
            let after = Word {
                free,
                seat,
                number: next_number(record.number),
                effect,
            };
            match self
                .word
                .compare_exchange_weak(bits, after.pack(), AcqRel, Acquire)
            {
                Ok(_) => {
                    self.help(after);
                    return true;
                }
                Err(now) => bits = now,
            }
        }
    }

    /// Adds a change to the record of its seat, unless that has seen it.
    #[inline]
    fn help(&self, word: Word) {
        if word.effect == Effect::Nothing {
            return;
        }
        let place = self.seats.record(word.seat);
        let bits = place.load(Acquire);
        let record = Record::unpack(bits);
        if next_number(record.number) != word.number {
            return;
        }
        let held = match word.effect {
            Effect::Nothing => record.held,
            Effect::OneMore => record.held + 1,
            // Not below zero, whatever memory holds (LINK-2).
            Effect::OneLess => record.held.saturating_sub(1),
            Effect::None => 0,
        };
        let after = Record {
            number: word.number,
            held,
        };
        // Refused: somebody else has added it.
        let _ = place.compare_exchange(bits, after.pack(), AcqRel, Acquire);
    }
}

fn next_number(number: u32) -> u32 {
    (number + 1) & ((1 << NUMBER_BITS) - 1)
}

impl Word {
    fn pack(self) -> u64 {
        let effect = match self.effect {
            Effect::Nothing => 0,
            Effect::OneMore => 1,
            Effect::OneLess => 2,
            Effect::None => 3,
        };
        let tag =
            u64::from(self.seat.0) << (NUMBER_BITS + 2) | u64::from(self.number) << 2 | effect;
        u64::from(self.free) << (SEAT_BITS + NUMBER_BITS + 2) | tag
    }

    #[expect(clippy::cast_possible_truncation, reason = "each is masked")]
    fn unpack(bits: u64) -> Self {
        let effect = match bits & 3 {
            0 => Effect::Nothing,
            1 => Effect::OneMore,
            2 => Effect::OneLess,
            _ => Effect::None,
        };
        Word {
            free: (bits >> (SEAT_BITS + NUMBER_BITS + 2)) as u32 & MAX_PERMITS,
            seat: Seat((bits >> (NUMBER_BITS + 2)) as u16 & ((1 << SEAT_BITS) - 1)),
            number: (bits >> 2) as u32 & ((1 << NUMBER_BITS) - 1),
            effect,
        }
    }
}

impl Record {
    fn pack(self) -> u64 {
        u64::from(self.number) << 32 | u64::from(self.held)
    }

    #[expect(clippy::cast_possible_truncation, reason = "each half is cut out")]
    fn unpack(bits: u64) -> Self {
        Record {
            number: (bits >> 32) as u32 & ((1 << NUMBER_BITS) - 1),
            held: bits as u32,
        }
    }
}
