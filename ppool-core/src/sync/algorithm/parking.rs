//! Where threads of all processes sleep until something that they look at changes.
//!
//! ```text
//!  who waits                                who changes something
//!  enroll: read the sequence,  ┐            ┌ change it
//!          count oneself       │            │ fence
//!          fence               │            │ is anybody counted? no: done, no system call
//!  look: still not so?         ┘            └ advance the sequence, wake
//!  sleep while the sequence is what was read
//!  leave: discount oneself
//! ```
//!
//! Each side writes one place and then reads the other's. The two fences are `SeqCst`, so one comes
//! first: either who waits sees the change, or who changes sees that somebody waits. The sequence is
//! read before anything else, so whoever advances it after that keeps the sleep from beginning.
//!
//! # Invariants
//!
//! - The count is never too low: a thread that is killed while it waits leaves it one too high, which
//!   costs system calls and nothing else. [`Parking::shake`] puts that right: it begins a new epoch
//!   with nobody counted, and wakes all, who count themselves anew. Who leaves later is of another
//!   epoch and is not discounted.
//! - Who was woken and found nothing is owed a turn: as long as such a thread is counted,
//!   [`Parking::somebody_is_owed`] says so, and those who come later queue behind it. So nobody
//!   starves. Who gives up while owed a turn wakes another, who may have stood back for it.
//!
//! # Failure
//!
//! A thread that is killed after it was woken and before it acts keeps a wake-up to itself. Whoever
//! notices its death shakes, so that all others look again.

use crate::shm::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};

/// One who waits, in the word that counts them.
const WAITER: u64 = 1;
/// One who is owed a turn.
const OWED: u64 = 1 << 24;
const OWED_MASK: u64 = (EPOCH - 1) & !(OWED - 1);
/// One epoch.
const EPOCH: u64 = 1 << 40;

/// How one thread sleeps, and wakes others: the kernel's futex, or a model of it.
pub(crate) trait Bed {
    /// Sleeps while `sequence` is `seen`, until it is woken or its time is over. It may wake for no
    /// reason.
    fn sleep(&self, sequence: &AtomicU32, seen: u32) -> Rest;

    /// Wakes at most `count` of those that sleep on `sequence`, longest first.
    fn wake(&self, sequence: &AtomicU32, count: u32);
}

/// How a sleep ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the time may be over"]
pub(crate) enum Rest {
    /// Somebody woke this thread, or nobody did: look again.
    Woken,
    /// The time is over.
    TimedOut,
}

/// Two words in shared memory: the sequence, and who waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parking<'a> {
    sequence: &'a AtomicU32,
    waiters: &'a AtomicU64,
}

/// One who is counted.
#[must_use = "who enrolls has to leave"]
#[derive(Debug)]
struct Enrolled {
    seen: u32,
    epoch: u64,
    counted: u64,
}

impl<'a> Parking<'a> {
    pub(crate) fn new(sequence: &'a AtomicU32, waiters: &'a AtomicU64) -> Self {
        Parking { sequence, waiters }
    }

    /// Sleeps until `look` finds what it looks for. None when the time was over first; `look` has
    /// had one more try then.
    pub(crate) fn wait<R>(self, bed: &impl Bed, mut look: impl FnMut() -> Option<R>) -> Option<R> {
        let mut owed = false;
        loop {
            let enrolled = self.enroll(owed);
            let found = look();
            let rest = match found {
                Some(_) => Rest::Woken,
                None => bed.sleep(self.sequence, enrolled.seen),
            };
            self.leave(&enrolled);
            if found.is_some() {
                return found;
            }
            if rest == Rest::TimedOut {
                let found = look();
                if found.is_none() && owed {
                    self.notify(bed, 1);
                }
                return found;
            }
            owed = true;
        }
    }

    /// After a change: wakes at most `count` of those who wait for it.
    #[inline]
    pub(crate) fn notify(self, bed: &impl Bed, count: u32) {
        // Partner: the fence in `enroll`.
        fence(SeqCst);
        if self.has_waiters() {
            self.wake(bed, count);
        }
    }

    /// After a death, once what the dead held is released: lets all who wait look again, and forgets
    /// the count, in which the dead may still be. Those who are alive count themselves anew.
    pub(crate) fn shake(self, bed: &impl Bed) {
        let begun = self
            .waiters
            .fetch_update(Relaxed, Relaxed, |waiters| Some(next_epoch(waiters)));
        debug_assert!(begun.is_ok(), "the update is never refused");
        fence(SeqCst);
        self.wake(bed, u32::MAX);
    }

    /// Whether somebody waits who has been woken before and came away with nothing.
    #[inline]
    pub(crate) fn somebody_is_owed(self) -> bool {
        self.waiters.load(Relaxed) & OWED_MASK != 0
    }

    /// Whether somebody waits. To act on it needs the fences of [`Parking::notify`].
    #[inline]
    pub(crate) fn has_waiters(self) -> bool {
        self.waiters.load(Relaxed) & (EPOCH - 1) != 0
    }

    /// The sequence and an enrolment for those whose condition is the sequence itself.
    fn enroll(self, owed: bool) -> Enrolled {
        // Acquire, and first: what comes later in this thread stays later. It pairs with `wake`, so
        // that who sees a new sequence counts itself in the new epoch too.
        let seen = self.sequence.load(Acquire);
        let counted = if owed { WAITER | OWED } else { WAITER };
        let before = self.waiters.fetch_add(counted, Relaxed);
        // Partner: the fences in `notify` and `shake`.
        fence(SeqCst);
        Enrolled {
            seen,
            epoch: before / EPOCH,
            counted,
        }
    }

    /// As one who is killed while it waits.
    #[cfg(test)]
    pub(crate) fn count_one_for_ever(self) {
        let _never_leaves = self.enroll(true);
    }

    fn leave(self, enrolled: &Enrolled) {
        // Refused in another epoch, which never counted this one.
        let _ = self.waiters.fetch_update(Relaxed, Relaxed, |waiters| {
            (waiters / EPOCH == enrolled.epoch).then(|| waiters.wrapping_sub(enrolled.counted))
        });
    }

    fn wake(self, bed: &impl Bed, count: u32) {
        self.sequence.fetch_add(1, Release);
        bed.wake(self.sequence, count);
    }

    /// Waits for one [`Parking::notify`] that comes after `begin` has run, or for a shake; what
    /// `begin` does is what the notifier is to see. Whether it came in time. It may come back for no
    /// reason.
    pub(crate) fn wait_for_notice(self, bed: &impl Bed, begin: impl FnOnce()) -> bool {
        let enrolled = self.enroll(false);
        begin();
        let rest = bed.sleep(self.sequence, enrolled.seen);
        self.leave(&enrolled);
        // Notified at the last moment counts too.
        rest == Rest::Woken || self.sequence.load(Acquire) != enrolled.seen
    }
}

fn next_epoch(waiters: u64) -> u64 {
    (waiters / EPOCH).wrapping_add(1).wrapping_mul(EPOCH)
}
