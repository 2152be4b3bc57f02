//! Two connected sockets.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, getsockopt, sockopt};

use super::fcntl::lift;

/// `socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)`—two ends of one stream; both block.
///
/// # Errors
/// `EMFILE` or `ENFILE` when descriptors have run out, `ENOMEM` when memory has.
///
/// # References
/// - [socketpair(2)](https://man7.org/linux/man-pages/man2/socketpair.2.html)
/// - [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)
pub fn stream_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair(SockType::Stream, SockFlag::SOCK_CLOEXEC)
}

/// `socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK)`—two ends of one sequence of
/// packets: each arrives whole or not at all. Neither blocks.
///
/// # Errors
/// `EMFILE` or `ENFILE` when descriptors have run out, `ENOMEM` when memory has.
///
/// # References
/// - [socketpair(2)](https://man7.org/linux/man-pages/man2/socketpair.2.html)
/// - [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)
pub fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    pair(SockType::SeqPacket, flags)
}

/// `getsockopt(fd, SO_TYPE)`—whether it is an end of a [`packet_pair`], for one that a peer has sent.
///
/// # References
/// - [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html)
#[must_use]
pub fn is_packet_socket(fd: BorrowedFd<'_>) -> bool {
    getsockopt(&fd, sockopt::SockType).is_ok_and(|kind| kind == SockType::SeqPacket)
}

fn pair(kind: SockType, flags: SockFlag) -> io::Result<(OwnedFd, OwnedFd)> {
    let (one, other) = nix::sys::socket::socketpair(AddressFamily::Unix, kind, None, flags)?;
    Ok((lift(one)?, lift(other)?))
}

/// `shutdown(fd, SHUT_RDWR)`—ends both directions of a socket, whoever else has it. What was sent
/// before can still be received.
///
/// # References
/// - [shutdown(2)](https://man7.org/linux/man-pages/man2/shutdown.2.html)
pub fn shut_down(fd: BorrowedFd<'_>) {
    // The only error is that it has ended already.
    let _ = nix::sys::socket::shutdown(fd.as_raw_fd(), Shutdown::Both);
}

/// `getsockopt(socket, SO_PEERCRED)`—the id of the process that made the pair of which this is an
/// end, wherever the ends are now.
///
/// # Errors
/// When it is no Unix socket.
///
/// # References
/// - [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)
pub fn peer_pid(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let credentials = getsockopt(&socket, sockopt::PeerCredentials)?;
    Ok(credentials.pid().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        os::{fd::AsFd, unix::net::UnixStream},
    };

    use super::*;

    #[test]
    fn what_is_written_at_one_end_is_read_at_the_other_until_it_closes() {
        let (one, other) = stream_pair().unwrap();
        let (mut one, mut other) = (UnixStream::from(one), UnixStream::from(other));
        one.write_all(b"hello").unwrap();
        drop(one);
        let mut text = String::new();
        other.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }

    #[test]
    fn packets_arrive_whole_and_before_the_end() {
        let (one, other) = packet_pair().unwrap();
        assert!(is_packet_socket(one.as_fd()));
        assert!(!is_packet_socket(stream_pair().unwrap().0.as_fd()));
        let (mut one, mut other) = (UnixStream::from(one), UnixStream::from(other));
        one.write_all(b"one").unwrap();
        one.write_all(b"two").unwrap();
        shut_down(one.as_fd());
        let mut buffer = [0; 16];
        for expected in [&b"one"[..], b"two", b""] {
            let read = other.read(&mut buffer).unwrap();
            assert_eq!(&buffer[..read], expected);
        }
    }
}
