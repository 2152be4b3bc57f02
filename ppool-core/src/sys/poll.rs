//! Waiting for one descriptor.

use std::{
    io,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// What to wait for. That the other side is gone ends both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum For {
    /// Something to read.
    Input,
    /// Room to write.
    Room,
}

/// `poll(fd, POLLIN or POLLOUT, timeout)`—waits until a read, or a write, would not block, and says
/// whether it is so; false when the deadline has passed.
///
/// # Errors
/// `ENOMEM` when the kernel has no memory.
///
/// # References
/// - [poll(2)](https://man7.org/linux/man-pages/man2/poll.2.html)
pub fn wait(fd: BorrowedFd<'_>, what: For, deadline: Option<Instant>) -> io::Result<bool> {
    let flags = match what {
        For::Input => PollFlags::POLLIN,
        For::Room => PollFlags::POLLOUT,
    };
    let mut watched = [PollFd::new(fd, flags)];
    loop {
        let timeout = deadline.map_or(PollTimeout::NONE, left);
        match poll(&mut watched, timeout) {
            // More than the kernel can count may be left.
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() < deadline) => {}
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// In whole milliseconds, rounded up: who wakes too early would look again and again.
fn left(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = left.saturating_add(Duration::from_nanos(999_999));
    PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Write, pipe},
        os::fd::AsFd,
    };

    use super::*;

    #[test]
    fn it_waits_until_the_deadline_or_for_something_to_read() {
        let (reader, mut writer) = pipe().unwrap();
        let soon = || Some(Instant::now() + Duration::from_millis(2));
        assert!(!wait(reader.as_fd(), For::Input, soon()).unwrap());
        assert!(wait(writer.as_fd(), For::Room, None).unwrap());
        writer.write_all(b"x").unwrap();
        assert!(wait(reader.as_fd(), For::Input, None).unwrap());
        let past = Instant::now().checked_sub(Duration::from_secs(1));
        assert!(wait(reader.as_fd(), For::Input, past).unwrap());
    }

    #[test]
    fn a_writer_that_is_gone_ends_the_wait() {
        let (reader, writer) = pipe().unwrap();
        drop(writer);
        assert!(wait(reader.as_fd(), For::Input, None).unwrap());
    }
}
