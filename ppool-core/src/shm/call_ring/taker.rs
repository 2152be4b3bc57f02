//! The worker's end of the call ring.
#![cfg_attr(
    not(loom),
    expect(unsafe_code, reason = "lends out arguments where they lie")
)]

use std::{ops::Range, sync::Arc};

use super::{
    super::{Broken, atomic::Ordering::Relaxed, layout::Layout, memory::Memory, region::Region},
    slot::{Entry, Items, Place, Slot, State},
};

/// Takes the calls of one ring, in order.
#[derive(Debug)]
pub(crate) struct CallTaker {
    memory: Arc<Memory>,
    layout: Layout,
    /// The position of the next call.
    head: u64,
    /// Whether revoked calls were skipped since this was last set to false.
    pub(crate) skipped: bool,
}

/// What is at the head of the ring.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A call, which now runs.
    Call(Claimed),
    /// A call that was revoked, and whose arguments come by the socket all the same.
    RevokedStream(Entry),
}

/// The call that runs. Its slot is taken until it is given to [`CallTaker::release`].
#[derive(Debug)]
#[must_use = "its slot must be released"]
pub(crate) struct Claimed {
    position: u64,
    pub(crate) entry: Entry,
    pub(crate) place: Place,
}

impl CallTaker {
    pub(crate) fn new(region: &Region) -> Self {
        CallTaker {
            memory: region.memory.clone(),
            layout: region.layout,
            head: 0,
            skipped: false,
        }
    }

    /// Claims the next call, if there is one.
    ///
    /// # Errors
    /// When the ring holds what can't be there.
    #[inline]
    pub(crate) fn take(&mut self) -> Result<Option<Taken>, Broken> {
        loop {
            let slot = Slot::new(&self.memory, &self.layout, self.head);
            if slot.is(State::Queued) {
                if !slot.change(State::Queued, State::Running) {
                    // It is being revoked this moment: look again.
                    continue;
                }
                let (entry, place) = slot.read().ok_or(Broken("a call"))?;
                let position = self.head;
                self.head += 1;
                return Ok(Some(Taken::Call(Claimed {
                    position,
                    entry,
                    place,
                })));
            }
            if !slot.is(State::Revoked) {
                return Ok(None);
            }
            let (entry, place) = slot.read().ok_or(Broken("a revoked call"))?;
            slot.pass();
            self.head += 1;
            self.skipped = true;
            if place == Place::Stream {
                return Ok(Some(Taken::RevokedStream(entry)));
            }
        }
    }

    /// Whether [`take`](CallTaker::take) would find something, or has to skip something.
    #[inline]
    pub(crate) fn has_some(&self) -> bool {
        let slot = Slot::new(&self.memory, &self.layout, self.head);
        slot.is(State::Queued) || slot.is(State::Revoked)
    }

    /// Says when a call that is [timed](Entry::timed) started.
    pub(crate) fn set_started_at(&self, claimed: &Claimed, nanos: u64) {
        Slot::new(&self.memory, &self.layout, claimed.position).set_started_at(nanos);
    }

    /// The arguments of a call that has them [here](Place::Here), where they lie. Empty for others.
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn arguments<'a>(&'a self, claimed: &'a Claimed) -> &'a [u8] {
        match claimed.place {
            Place::Here { at, len } => {
                // SAFETY: the parent leaves a call's arguments alone until its slot is released,
                // which needs the `Claimed` that is borrowed here; this process never writes them.
                unsafe { self.memory.bytes(at, len) }
            }
            Place::Stream => &[],
        }
    }

    /// A copy of the same.
    #[cfg(test)]
    pub(crate) fn copy_arguments(&self, claimed: &Claimed) -> Vec<u8> {
        let mut copy = Vec::new();
        if let Place::Here { at, len } = claimed.place {
            self.memory.append_to(&mut copy, at, len);
        }
        copy
    }

    /// Claims the next items of a call that has several, at most `want` of them, in order; `None`
    /// when there are no more.
    #[inline]
    pub(crate) fn claim_items(&self, claimed: &Claimed, want: u32) -> Option<Range<u32>> {
        let word = Slot::new(&self.memory, &self.layout, claimed.position).items();
        let mut seen = word.load(Relaxed);
        loop {
            let Items { claimed, limit } = Items::unpack(seen);
            let end = claimed.saturating_add(want).min(limit);
            if end <= claimed {
                return None;
            }
            let next = Items {
                claimed: end,
                limit,
            };
            // Partner: the same in `CallQueue::take_back`. Only the word itself is agreed upon.
            match word.compare_exchange(seen, next.pack(), Relaxed, Relaxed) {
                Ok(_) => return Some(claimed..end),
                Err(now) => seen = now,
            }
        }
    }

    /// Says how long a call of several items took.
    pub(crate) fn set_spent(&self, claimed: &Claimed, nanos: u64) {
        let slot = Slot::new(&self.memory, &self.layout, claimed.position);
        slot.spent().store(nanos, Relaxed);
    }

    /// Gives the slot back. Do it before the call's last result is published, which says to the
    /// parent that it is free.
    #[inline]
    pub(crate) fn release(&self, claimed: Claimed) {
        Slot::new(&self.memory, &self.layout, claimed.position).pass();
    }
}
