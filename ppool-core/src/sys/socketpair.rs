//! Two connected sockets.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, sockopt::PeerCredentials};

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
    let (one, other) = nix::sys::socket::socketpair(
        AddressFamily::Unix,
        SockType::Stream,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    Ok((lift(one)?, lift(other)?))
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
    let credentials = getsockopt(&socket, PeerCredentials)?;
    Ok(credentials.pid().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
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
}
