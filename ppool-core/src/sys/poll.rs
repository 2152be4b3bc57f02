//! Waiting for one descriptor.

use std::{io, os::fd::BorrowedFd, time::Instant};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout},
};

use super::epoll::Interest;

/// `poll(fd, timeout)`—waits until the descriptor is ready, or has failed, or its other side is gone.
/// False when the deadline passed first; it never returns before that otherwise, whatever signals
/// come.
///
/// # Errors
/// `ENOMEM` when memory has run out.
///
/// # References
/// - [poll(2)](https://man7.org/linux/man-pages/man2/poll.2.html)
pub fn wait(fd: BorrowedFd<'_>, interest: Interest, deadline: Option<Instant>) -> io::Result<bool> {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::POLLIN, interest.read);
    flags.set(PollFlags::POLLOUT, interest.write);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // Rounded up, so that the time is over when the kernel says so.
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            let milliseconds = left.as_nanos().div_ceil(1_000_000);
            PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
        });
        match nix::poll::poll(&mut [PollFd::new(fd, flags)], timeout) {
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                return Ok(false);
            }
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::AsFd, os::unix::net::UnixStream, time::Duration};

    use super::*;

    #[test]
    fn it_waits_until_ready_or_the_deadline() {
        let (socket, mut peer) = UnixStream::pair().unwrap();
        let soon = Instant::now() + Duration::from_micros(1500);
        assert!(!wait(socket.as_fd(), Interest::READ, Some(soon)).unwrap());
        assert!(Instant::now() >= soon);
        assert!(wait(socket.as_fd(), Interest::WRITE, None).unwrap());
        peer.write_all(b"x").unwrap();
        assert!(wait(socket.as_fd(), Interest::READ, None).unwrap());
    }
}
