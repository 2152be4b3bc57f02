//! The descriptors of items: a socket beside the ring, of which all who have the queue have both ends.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use crate::{
    codec::attach::Attached,
    sys::fd_passing::{self, Received, Receiver},
};

/// How long a message is: the number of its item.
const LEN: usize = size_of::<u64>();

/// Sends the descriptors of the item with this number. False when there is no room.
///
/// # Errors
/// When the system refuses.
pub(super) fn send(to: BorrowedFd<'_>, number: u64, all: &[OwnedFd]) -> io::Result<bool> {
    let all: Vec<_> = all.iter().map(AsFd::as_fd).collect();
    let bytes = number.to_le_bytes();
    match fd_passing::send_now(to, &[IoSlice::new(&bytes)], &all) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Duplicates of the descriptors of the item with this number, which stay there. Those of earlier
/// numbers, which nobody needs any more, are thrown away.
///
/// # Errors
/// When the system refuses.
pub(super) fn look_at(from: BorrowedFd<'_>, number: u64) -> io::Result<Attached> {
    loop {
        let found: io::Result<_> = with_receiver(|receiver, bytes| {
            let received = receiver.peek_now(from, bytes)?;
            Ok((u64::from_le_bytes(*bytes), received))
        });
        match found {
            Ok((earlier, _)) if earlier < number => throw_away(from)?,
            Ok((found, received)) if found == number => return Ok(attached(received)),
            // They are not there, which only a process that breaks the rules can bring about.
            Ok(_) => return Ok(Attached::incomplete(Vec::new())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Attached::incomplete(Vec::new()));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Removes the first message, and closes its descriptors.
///
/// # Errors
/// When the system refuses.
pub(super) fn throw_away(from: BorrowedFd<'_>) -> io::Result<()> {
    with_receiver(|receiver, bytes| receiver.receive_now(from, bytes).map(drop))
}

fn attached(received: Received) -> Attached {
    match received.descriptors {
        None => Attached::incomplete(Vec::new()),
        Some(all) if all.is_cut_off => Attached::incomplete(all.descriptors),
        Some(all) => Attached::from(all.descriptors),
    }
}

fn with_receiver<R>(f: impl FnOnce(&mut Receiver, &mut [u8; LEN]) -> R) -> R {
    thread_local! {
        static RECEIVER: RefCell<Receiver> = RefCell::default();
    }
    RECEIVER.with_borrow_mut(|receiver| f(receiver, &mut [0; LEN]))
}
