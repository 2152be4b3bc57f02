//! Bytes over a Unix socket, and descriptors that travel with them.
#![expect(unsafe_code, reason = "makes OwnedFds of the numbers that arrive")]

use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use nix::{
    cmsg_space,
    errno::Errno,
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
};

use super::fcntl::lift;

/// The most descriptors that one [`send`] can take: the kernel's `SCM_MAX_FD`.
pub const MAX_DESCRIPTORS: usize = 253;

/// `sendmsg(socket, {parts, SCM_RIGHTS}, MSG_NOSIGNAL)`—sends bytes, and copies of the descriptors
/// with the first of them. Says how many bytes went; when it was one or more, the descriptors went
/// too.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when the socket is full and doesn't wait; `EPIPE` when the other
/// side is gone (no signal is raised); `ETOOMANYREFS` when too many descriptors are on their way.
///
/// # References
/// - [sendmsg(2)](https://man7.org/linux/man-pages/man2/sendmsg.2.html)
/// - [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)
pub fn send(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = if numbers.is_empty() {
        &rights[..0]
    } else {
        &rights[..]
    };
    loop {
        let flags = MsgFlags::MSG_NOSIGNAL;
        match sendmsg::<()>(socket.as_raw_fd(), parts, control, flags, None) {
            Ok(sent) => return Ok(sent),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// `recvmsg(socket, {into}, MSG_CMSG_CLOEXEC)`—receives some bytes, and appends the descriptors that
/// came with them. Zero bytes are the end of the stream.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when nothing is there and the socket doesn't wait. `ENOBUFS` when
/// not all descriptors could be taken, because the process may have no more: some are lost then, and
/// the stream is of no use any more.
///
/// # References
/// - [recvmsg(2)](https://man7.org/linux/man-pages/man2/recvmsg.2.html)
pub fn receive(
    socket: BorrowedFd<'_>,
    into: &mut [u8],
    descriptors: &mut impl Extend<OwnedFd>,
) -> io::Result<usize> {
    let mut control = cmsg_space!([RawFd; MAX_DESCRIPTORS]);
    let mut parts = [IoSliceMut::new(into)];
    let message = loop {
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Ok(message) => break message,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    for control in message.cmsgs()? {
        let ControlMessageOwned::ScmRights(numbers) = control else {
            continue;
        };
        let own = |number| {
            // SAFETY: the kernel has just made this descriptor for us, so nobody else owns it, and
            // each control message is read once.
            unsafe { OwnedFd::from_raw_fd(number) }
        };
        // All of them have an owner before one can fail to be lifted.
        let arrived: Vec<OwnedFd> = numbers.into_iter().map(own).collect();
        for fd in arrived {
            descriptors.extend([lift(fd)?]);
        }
    }
    Ok(message.bytes)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    use super::{super::socketpair::stream_pair, *};

    #[test]
    fn bytes_of_several_parts_arrive_with_their_descriptors_which_close_on_exec() {
        let (one, other) = stream_pair().unwrap();
        let parts = [IoSlice::new(b"he"), IoSlice::new(b""), IoSlice::new(b"llo")];
        assert_eq!(send(one.as_fd(), &parts, &[one.as_fd()]).unwrap(), 5);
        drop(one);
        let mut buffer = [0; 10];
        let mut descriptors = Vec::new();
        let received = receive(other.as_fd(), &mut buffer, &mut descriptors).unwrap();
        assert_eq!(&buffer[..received], b"hello");
        assert_eq!(descriptors.len(), 1);
        let flags = fcntl(&descriptors[0], FcntlArg::F_GETFD).unwrap();
        assert!(FdFlag::from_bits_truncate(flags).contains(FdFlag::FD_CLOEXEC));
        // The copy that arrived was the last one.
        drop(descriptors);
        let received = receive(other.as_fd(), &mut buffer, &mut Vec::new()).unwrap();
        assert_eq!(received, 0);
    }

    #[test]
    fn a_send_to_nobody_is_an_error_and_no_signal() {
        let (one, other) = stream_pair().unwrap();
        drop(other);
        let error = send(one.as_fd(), &[IoSlice::new(b"x")], &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
