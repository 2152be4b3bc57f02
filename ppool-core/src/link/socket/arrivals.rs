//! Descriptors on their way in, until the message is whole that they belong to.
//!
//! The descriptors of one message come all at once, with its first byte, and never together with
//! those of another: so there is a set for each message that has any, in order.

use std::{
    collections::VecDeque,
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use crate::{
    codec::attach::{Attached, MOST},
    sys::fd_passing::{Descriptors, Received, Receiver},
    wire::{MAX_DESCRIPTORS, WireError},
};

/// Receives, and keeps the descriptors that come.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    receiver: Receiver,
    sets: VecDeque<Descriptors>,
    /// Those of the message that is given out next.
    claimed: Vec<OwnedFd>,
    /// Whether some of that message could not be taken in.
    is_incomplete: bool,
}

impl Arrivals {
    /// Receives some bytes.
    pub(super) fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let Received { bytes, descriptors } = self.receiver.receive(socket, buffer)?;
        self.sets.extend(descriptors);
        // That of a message under way, and of one that begins behind it; no sender has more.
        match self.sets.len() {
            0..=2 => Ok(bytes),
            _ => Err(WireError::Descriptors.into()),
        }
    }

    /// Descriptors belong to the next message: so many.
    pub(super) fn claim(&mut self, count: u8) -> Result<(), WireError> {
        if count == 0 {
            return Ok(());
        }
        let set = self.sets.pop_front().ok_or(WireError::Descriptors)?;
        let arrived = set.descriptors.len();
        let is_whole = arrived == usize::from(count);
        // More than a value may have, and those of the link itself.
        let are_too_many = self.claimed.len() + arrived > MOST + MAX_DESCRIPTORS;
        if !is_whole && !set.is_cut_off || are_too_many {
            return Err(WireError::Descriptors);
        }
        // What comes behind a gap has lost its number.
        if !self.is_incomplete {
            self.claimed.extend(set.descriptors);
        }
        self.is_incomplete |= !is_whole;
        Ok(())
    }

    /// The descriptors of the message that is given out.
    pub(super) fn take(&mut self) -> Attached {
        if self.claimed.is_empty() && !self.is_incomplete {
            return Attached::default();
        }
        let claimed = std::mem::take(&mut self.claimed);
        match std::mem::take(&mut self.is_incomplete) {
            true => Attached::incomplete(claimed),
            false => claimed.into(),
        }
    }

    /// Closes what no message has claimed, when none is under way: no sender sends such.
    pub(super) fn drop_unclaimed(&mut self) {
        self.sets.clear();
    }
}
