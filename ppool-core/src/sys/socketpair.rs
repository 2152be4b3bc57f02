//! Two connected sockets.

use std::{io, os::fd::OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType};

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
    pair(SockType::Stream)
}

/// `socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)`—two ends over which whole messages go, each
/// sent and received in one step, by however many; both block.
///
/// # Errors
/// As [`stream_pair`].
///
/// # References
/// - [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)
pub fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair(SockType::SeqPacket)
}

fn pair(of: SockType) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (one, other) = nix::sys::socket::socketpair(AddressFamily::Unix, of, None, flags)?;
    Ok((lift(one)?, lift(other)?))
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
