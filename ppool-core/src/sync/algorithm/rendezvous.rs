//! A place where so many threads wait until all of them are there.
//!
//! ```text
//!            arrive (not the last)        arrive (the last): next round
//!   Open(0) ──────────────► Open(n) ─────────────────────────────► Open(0)
//!                             │ abort, a time that is over, a death
//!                             ▼
//!                           Broken ──reset──► Open(0)
//! ```
//!
//! One word: rounds completed, rounds broken, how many have arrived, whether it is broken. Who waits
//! remembers both counts from its arrival; when the first has changed, its round was completed, when
//! only the second has, its round was broken. (Both may have changed: then its round was completed and
//! a later one broken, for a broken round is only followed by a complete one when all parties come
//! again, who include the one that waits.)

use super::parking::{Bed, Parking};
use crate::shm::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

/// The most parties that there may be.
pub(crate) const MAX_PARTIES: u32 = (1 << 15) - 1;

const BROKEN: u64 = 1;

/// Nobody can meet here until it is reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Broken;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct State {
    completed: u32,
    broken_rounds: u16,
    arrived: u32,
    broken: bool,
}

/// The word and the place to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rendezvous<'a> {
    word: &'a AtomicU64,
    pub(crate) parking: Parking<'a>,
    parties: u32,
}

impl<'a> Rendezvous<'a> {
    pub(crate) fn new(word: &'a AtomicU64, parking: Parking<'a>, parties: u32) -> Self {
        Rendezvous {
            word,
            parking,
            parties,
        }
    }

    /// Waits until all parties are there. Says how many were there before.
    ///
    /// # Errors
    /// When the round is broken, also by this thread, whose time is over.
    pub(crate) fn wait(self, bed: &impl Bed) -> Result<u32, Broken> {
        let (before, after) = self.change(|state| {
            if state.broken {
                return None;
            }
            Some(if state.arrived + 1 >= self.parties {
                state.next_round()
            } else {
                State {
                    arrived: state.arrived + 1,
                    ..state
                }
            })
        })?;
        if after.completed != before.completed {
            self.parking.notify(bed, u32::MAX);
            return Ok(before.arrived);
        }
        let end = || before.end_seen_in(State::unpack(self.word.load(Acquire)));
        let ended = self.parking.wait(bed, end);
        let ended = ended.unwrap_or_else(|| self.break_round(bed, before));
        ended.map(|()| before.arrived)
    }

    /// Breaks the barrier, for all who wait and who come.
    pub(crate) fn abort(self, bed: &impl Bed) {
        let _ = self.change(|state| (!state.broken).then(|| state.break_up()));
        self.parking.notify(bed, u32::MAX);
    }

    /// As new; a round that has begun is broken for those who wait.
    pub(crate) fn reset(self, bed: &impl Bed) {
        let _ = self.change(|state| {
            let ended = if state.arrived > 0 {
                state.break_up()
            } else {
                state
            };
            Some(State {
                broken: false,
                ..ended
            })
        });
        self.parking.notify(bed, u32::MAX);
    }

    /// After the death of a party: breaks a round that has begun and so may wait for the dead, unless
    /// `is_known` says meanwhile that the death was dealt with. The caller shakes the parking
    /// afterwards.
    pub(crate) fn lose_party(self, is_known: impl Fn() -> bool) {
        let _ = self.change(|state| {
            // `is_known` is asked after the word was read: so a round that begins after somebody
            // else has dealt with the death is not broken by it.
            (state.arrived > 0 && !is_known()).then(|| state.break_up())
        });
    }

    pub(crate) fn is_broken(self) -> bool {
        State::unpack(self.word.load(Acquire)).broken
    }

    /// How many wait for the others.
    pub(crate) fn arrived(self) -> u32 {
        State::unpack(self.word.load(Acquire)).arrived
    }

    /// The time of one who arrived at `before` is over: breaks the round, if it is still the same.
    fn break_round(self, bed: &impl Bed, before: State) -> Result<(), Broken> {
        let broken = self.change(|state| match before.end_seen_in(state) {
            Some(_) => None,
            None => Some(state.break_up()),
        });
        self.parking.notify(bed, u32::MAX);
        match broken {
            Ok(_) => Err(Broken),
            // It has ended in the last moment.
            Err(Broken) => before
                .end_seen_in(State::unpack(self.word.load(Acquire)))
                .unwrap_or(Err(Broken)),
        }
    }

    /// Makes one change, if `next` allows it; says what was before and after.
    fn change(self, next: impl Fn(State) -> Option<State>) -> Result<(State, State), Broken> {
        let mut bits = self.word.load(Acquire);
        loop {
            let before = State::unpack(bits);
            let after = next(before).ok_or(Broken)?;
            match self
                .word
                .compare_exchange_weak(bits, after.pack(), AcqRel, Acquire)
            {
                Ok(_) => return Ok((before, after)),
                Err(now) => bits = now,
            }
        }
    }
}

impl State {
    fn next_round(self) -> State {
        State {
            completed: self.completed.wrapping_add(1),
            arrived: 0,
            ..self
        }
    }

    fn break_up(self) -> State {
        State {
            broken_rounds: self.broken_rounds.wrapping_add(1),
            arrived: 0,
            broken: true,
            ..self
        }
    }

    /// How the round that had begun in this state has ended, if it has by `now`.
    fn end_seen_in(self, now: State) -> Option<Result<(), Broken>> {
        if now.completed != self.completed {
            return Some(Ok(()));
        }
        (now.broken_rounds != self.broken_rounds).then_some(Err(Broken))
    }

    fn pack(self) -> u64 {
        u64::from(self.completed) << 32
            | u64::from(self.broken_rounds) << 16
            | u64::from(self.arrived) << 1
            | u64::from(self.broken)
    }

    #[expect(clippy::cast_possible_truncation, reason = "each is masked")]
    fn unpack(bits: u64) -> Self {
        State {
            completed: (bits >> 32) as u32,
            broken_rounds: (bits >> 16) as u16,
            arrived: (bits >> 1) as u32 & MAX_PARTIES,
            broken: bits & BROKEN != 0,
        }
    }
}
