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
        if let ControlMessageOwned::ScmRights(numbers) = control {
            descriptors.extend(numbers.into_iter().map(|number| {
                // SAFETY: the kernel has just made this descriptor for us, so nobody else owns it,
                // and each control message is read once.
                unsafe { OwnedFd::from_raw_fd(number) }
            }));
        }
    }
    Ok(message.bytes)
}
