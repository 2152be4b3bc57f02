//! A flag that wakes a wait point.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::fcntl::lift;

/// A flag with a descriptor that is readable while the flag is up.
#[derive(Debug)]
pub struct Wakeup {
    fd: OwnedFd,
}

impl Wakeup {
    /// `eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)`—a flag that is down.
    ///
    /// # Errors
    /// `EMFILE` or `ENFILE` when descriptors have run out.
    ///
    /// # References
    /// - [eventfd(2)](https://man7.org/linux/man-pages/man2/eventfd.2.html)
    pub fn new() -> io::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Wakeup {
            fd: lift(event.into())?,
        })
    }

    /// `write(fd, 1)`—puts the flag up. Never blocks; from any thread.
    ///
    /// What was written to memory before is seen by the one that is woken.
    pub fn wake(&self) {
        // The only error is EAGAIN: the counter is full, which needs 2^64 wake-ups without one
        // clear. The flag is up then too.
        let _ = nix::unistd::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// `read(fd)`—takes the flag down. Says whether it was up. Never blocks.
    ///
    /// Clear first and look for work afterwards (QM-2); the other way round a wake-up can get lost.
    pub fn clear(&self) -> bool {
        let mut counter = [0; size_of::<u64>()];
        // The only error is EAGAIN: the flag was down.
        nix::unistd::read(&self.fd, &mut counter).is_ok()
    }
}

impl AsFd for Wakeup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_wakes_is_cleared_at_once() {
        let wakeup = Wakeup::new().unwrap();
        assert!(!wakeup.clear());
        wakeup.wake();
        wakeup.wake();
        assert!(wakeup.clear());
        assert!(!wakeup.clear());
    }
}
