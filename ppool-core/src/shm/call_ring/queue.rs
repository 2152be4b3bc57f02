//! The parent's end of the call ring.

use std::{ops::Range, sync::Arc};

use super::{
    super::{
        arena::Arena, atomic::Ordering::Relaxed, layout::Layout, memory::Memory, region::Region,
    },
    slot::{Entry, Items, Slot, State},
};

/// Puts calls into one worker's ring, takes back those that have not started, and knows what became
/// of each.
#[derive(Debug)]
pub(crate) struct CallQueue {
    memory: Arc<Memory>,
    layout: Layout,
    /// The position of the next call.
    tail: u64,
    /// Every slot before this position is free again.
    freed: u64,
    /// No call before this position waits for an answer.
    answered: u64,
    /// What is known of the calls in the slots. Not shared: the worker can't damage it.
    shadows: Box<[Shadow]>,
    arena: Arena,
}

/// The parent's own notes on a call in the ring.
#[derive(Clone, Copy, Debug)]
struct Shadow {
    work_id: u64,
    attempt: u32,
    /// How many of its items the worker has, or had, to answer, and has not.
    left: u32,
    /// What of the arena is free when its slot is.
    arena_end: u64,
    /// Whether the worker says when it started.
    timed: bool,
    /// Whether it has several items.
    several: bool,
    /// Whether items of it were taken back.
    cut: bool,
    state: ShadowState,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ShadowState {
    /// Results are missing.
    InFlight,
    /// It was answered, or taken back in part or as a whole; the slot is free once the worker has
    /// passed it.
    Leaving,
    /// It was answered, and the worker has passed the slot before it said so.
    Done,
}

/// Where the arguments of a call come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// They are copied into the ring.
    Bytes(&'a [u8]),
    /// They are sent by the socket, or in a segment whose descriptor is.
    Stream,
}

/// There is no room in the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

/// How far the worker is with a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Started {
    /// It has not started it.
    No,
    /// It runs, or did when the worker died.
    Yes {
        /// Since when (nanoseconds of the monotonic clock), when it was asked to say.
        since: Option<u64>,
    },
}

impl CallQueue {
    pub(crate) fn new(region: &Region) -> Self {
        let empty = Shadow {
            work_id: 0,
            attempt: 0,
            left: 0,
            arena_end: 0,
            timed: false,
            several: false,
            cut: false,
            state: ShadowState::Done,
        };
        CallQueue {
            memory: region.memory.clone(),
            layout: region.layout,
            tail: 0,
            freed: 0,
            answered: 0,
            shadows: vec![empty; region.layout.slots].into(),
            arena: Arena::new(region.layout.arena_len),
        }
    }

    /// How many more calls fit, if their arguments do.
    pub(crate) fn room(&mut self) -> usize {
        self.reclaim();
        let used = usize::try_from(self.tail - self.freed).unwrap_or(usize::MAX);
        self.layout.slots.saturating_sub(used)
    }

    /// Whether arguments of this length can go through the region.
    pub(crate) fn takes(&self, len: usize) -> bool {
        len <= self.layout.max_arena_payload()
    }

    /// Queues a call. The worker must be told when it sleeps (see [`super::super::bell`]).
    ///
    /// # Errors
    /// When there is no room now.
    #[inline]
    pub(crate) fn push(&mut self, entry: &Entry, source: Source<'_>) -> Result<(), Full> {
        if self.room() == 0 {
            return Err(Full);
        }
        let slot = Slot::new(&self.memory, &self.layout, self.tail);
        match source {
            Source::Bytes(bytes) if bytes.len() <= Slot::inline_capacity(&self.layout) => {
                slot.write_inline(entry, bytes);
            }
            Source::Bytes(bytes) => {
                let piece = self.arena.allocate(bytes.len()).ok_or(Full)?;
                slot.write_in_arena(entry, piece.offset, bytes);
            }
            Source::Stream => slot.write_in_stream(entry),
        }
        self.shadows[self.layout.slot_index(self.tail)] = Shadow {
            work_id: entry.work_id,
            attempt: entry.attempt,
            left: entry.count,
            arena_end: self.arena.end(),
            timed: entry.timed,
            several: entry.count > 1,
            cut: false,
            state: ShadowState::InFlight,
        };
        slot.set(State::Queued);
        self.tail += 1;
        Ok(())
    }

    /// Takes a call back; whether the worker had not started it, and now never will.
    pub(crate) fn revoke(&mut self, work_id: u64) -> bool {
        let Some(position) = self.find(work_id) else {
            return false;
        };
        let revoked =
            Slot::new(&self.memory, &self.layout, position).change(State::Queued, State::Revoked);
        if revoked {
            self.shadow(position).state = ShadowState::Leaving;
        }
        revoked
    }

    /// Takes back items of a call that the worker has not claimed, all but `leave` of them, from the
    /// end; which.
    pub(crate) fn take_back(&mut self, work_id: u64, leave: u32) -> Option<Range<u32>> {
        let position = self.find(work_id)?;
        // A call of one item is claimed by its state.
        if !self.shadow(position).several {
            return None;
        }
        let word = Slot::new(&self.memory, &self.layout, position).items();
        let mut seen = word.load(Relaxed);
        let taken = loop {
            let Items { claimed, limit } = Items::unpack(seen);
            // One that nothing of is claimed keeps an item: to take it back as a whole is to revoke it.
            let new_limit = claimed.max(1).saturating_add(leave);
            if new_limit >= limit {
                return None;
            }
            let cut = Items {
                claimed,
                limit: new_limit,
            };
            // Partner: the same in `CallTaker::claim_items`. Only the word itself is agreed upon.
            match word.compare_exchange(seen, cut.pack(), Relaxed, Relaxed) {
                Ok(_) => break new_limit..limit,
                Err(now) => seen = now,
            }
        };
        let shadow = self.shadow(position);
        shadow.cut = true;
        shadow.left = shadow.left.saturating_sub(taken.end - taken.start);
        if shadow.left == 0 {
            // All that it has claimed is answered; but it may still be at the slot.
            shadow.state = ShadowState::Leaving;
        }
        Some(taken)
    }

    /// Takes note of `count` results of a call. With the last of several: how long the worker took for
    /// them all, in nanoseconds.
    #[inline]
    pub(crate) fn answered(&mut self, work_id: u64, attempt: u32, count: u32) -> Option<u64> {
        // The slots of those before `freed` may be others' by now.
        for position in self.answered.max(self.freed)..self.tail {
            self.answered = position;
            let shadow = self.shadow(position);
            if shadow.state == ShadowState::InFlight {
                if (shadow.work_id, shadow.attempt) != (work_id, attempt) {
                    // The worker answers in order: it is this one or none.
                    return None;
                }
                shadow.left = shadow.left.saturating_sub(count);
                if shadow.left > 0 {
                    return None;
                }
                shadow.state = match shadow.cut {
                    true => ShadowState::Leaving,
                    false => ShadowState::Done,
                };
                if !shadow.several {
                    return None;
                }
                let slot = Slot::new(&self.memory, &self.layout, position);
                return Some(slot.spent().load(Relaxed));
            }
        }
        None
    }

    /// How far the worker is with a call that is not answered; `None` when there is no such call.
    pub(crate) fn started(&self, work_id: u64) -> Option<Started> {
        let position = self.find(work_id)?;
        let slot = Slot::new(&self.memory, &self.layout, position);
        Some(match slot.is(State::Queued) {
            true => Started::No,
            false => Started::Yes {
                since: self.shadows[self.layout.slot_index(position)]
                    .timed
                    .then(|| slot.started_at())
                    .flatten(),
            },
        })
    }

    /// The work ids of the calls that are not answered, oldest first.
    pub(crate) fn in_flight(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        (self.freed..self.tail)
            .map(|position| &self.shadows[self.layout.slot_index(position)])
            .filter(|shadow| shadow.state == ShadowState::InFlight)
            .map(|shadow| shadow.work_id)
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn memory(&self) -> Arc<Memory> {
        self.memory.clone()
    }

    /// Takes note of the slots that have become free.
    fn reclaim(&mut self) {
        while self.freed < self.tail {
            let position = self.freed;
            let Shadow {
                state, arena_end, ..
            } = *self.shadow(position);
            let free = match state {
                ShadowState::InFlight => false,
                ShadowState::Leaving => Slot::new(&self.memory, &self.layout, position).is_passed(),
                ShadowState::Done => true,
            };
            if !free {
                return;
            }
            self.arena.free_until(arena_end);
            self.freed += 1;
        }
    }

    /// Where a call lies that is not answered.
    fn find(&self, work_id: u64) -> Option<u64> {
        (self.freed..self.tail).find(|position| {
            let shadow = &self.shadows[self.layout.slot_index(*position)];
            shadow.state == ShadowState::InFlight && shadow.work_id == work_id
        })
    }

    fn shadow(&mut self, position: u64) -> &mut Shadow {
        &mut self.shadows[self.layout.slot_index(position)]
    }
}
