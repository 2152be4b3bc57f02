//! Bytes over a Unix socket, and descriptors that travel with them.
#![expect(
    unsafe_code,
    reason = "system calls, and OwnedFds of the numbers that arrive"
)]

use std::{
    io::{self, IoSlice},
    mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{ControlMessage, MsgFlags, sendmsg},
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
    send_with(socket, parts, descriptors, MsgFlags::empty())
}

/// `sendmsg(.., MSG_NOSIGNAL | MSG_DONTWAIT)`—as [`send`], and never blocks, whatever the socket does.
///
/// # Errors
/// As [`send`].
///
/// # References
/// - [sendmsg(2)](https://man7.org/linux/man-pages/man2/sendmsg.2.html)
pub fn send_now(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    send_with(socket, parts, descriptors, MsgFlags::MSG_DONTWAIT)
}

fn send_with(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
    how: MsgFlags,
) -> io::Result<usize> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = if numbers.is_empty() {
        &rights[..0]
    } else {
        &rights[..]
    };
    loop {
        let flags = MsgFlags::MSG_NOSIGNAL | how;
        match sendmsg::<()>(socket.as_raw_fd(), parts, control, flags, None) {
            Ok(sent) => return Ok(sent),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// What one [`Receiver::receive`] has found.
#[derive(Debug)]
pub struct Received {
    /// How many bytes; zero are the end of the stream.
    pub bytes: usize,
    /// The descriptors that came with the bytes, if any did: those of one [`send`].
    pub descriptors: Option<Descriptors>,
}

/// Descriptors that were sent together.
#[derive(Debug, Default)]
pub struct Descriptors {
    /// They themselves, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
    /// Whether some at the end are missing, because this process may have no more open.
    pub is_cut_off: bool,
}

/// How many words the kernel needs to tell of as many descriptors as can come at once.
const CONTROL_LEN: usize = {
    let numbers = MAX_DESCRIPTORS * size_of::<RawFd>();
    // A header, with room to align what comes before and after it.
    (numbers + size_of::<libc::cmsghdr>()).div_ceil(size_of::<u64>()) + 2
};

/// Receives bytes and descriptors, with a buffer that is used again.
#[derive(Debug)]
pub struct Receiver {
    /// Words, for the alignment of the headers in it.
    control: Box<[u64; CONTROL_LEN]>,
}

impl Receiver {
    /// One for as many descriptors as can come at once.
    #[must_use]
    pub fn new() -> Self {
        Receiver {
            control: Box::new([0; CONTROL_LEN]),
        }
    }

    /// `recvmsg(socket, {into}, MSG_CMSG_CLOEXEC)`—receives some bytes, and the descriptors that came
    /// with them.
    ///
    /// (By hand: nix gives out none of the descriptors when not all could be taken in, and those
    /// that could would stay open for ever.)
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there and the socket doesn't wait.
    ///
    /// # References
    /// - [recvmsg(2)](https://man7.org/linux/man-pages/man2/recvmsg.2.html)
    pub fn receive(&mut self, socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<Received> {
        self.receive_with(socket, into, 0)
    }

    /// `recvmsg(.., MSG_DONTWAIT)`—as [`receive`](Receiver::receive), and never blocks, whatever the
    /// socket does.
    ///
    /// # Errors
    /// As [`receive`](Receiver::receive).
    pub fn receive_now(&mut self, socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<Received> {
        self.receive_with(socket, into, libc::MSG_DONTWAIT)
    }

    /// `recvmsg(.., MSG_PEEK | MSG_DONTWAIT)`—as [`receive_now`](Receiver::receive_now), and leaves the
    /// message where it is, with its descriptors, of which this gives duplicates.
    ///
    /// # Errors
    /// As [`receive`](Receiver::receive).
    pub fn peek_now(&mut self, socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<Received> {
        self.receive_with(socket, into, libc::MSG_PEEK | libc::MSG_DONTWAIT)
    }

    fn receive_with(
        &mut self,
        socket: BorrowedFd<'_>,
        into: &mut [u8],
        how: libc::c_int,
    ) -> io::Result<Received> {
        let mut part = libc::iovec {
            iov_base: into.as_mut_ptr().cast(),
            iov_len: into.len(),
        };
        // SAFETY: all zeros are a valid header: no name, no parts, no control data.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = self.control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&*self.control);
        let flags = libc::MSG_CMSG_CLOEXEC | how;
        let bytes = loop {
            // SAFETY: the header names buffers that live, with their lengths.
            let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
            match Errno::result(received) {
                Ok(bytes) => break bytes.unsigned_abs(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        let is_cut_off = header.msg_flags & libc::MSG_CTRUNC != 0;
        let descriptors = descriptors_in(&header);
        let descriptors = (is_cut_off || !descriptors.is_empty()).then_some(Descriptors {
            descriptors,
            is_cut_off,
        });
        Ok(Received { bytes, descriptors })
    }
}

/// Takes over the descriptors that `recvmsg` has told of in the header's control data.
fn descriptors_in(header: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: the control data is what the kernel has just written, and lies in a buffer that lives.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: it points to a whole header in the control data, which is aligned for it.
        let control = unsafe { *next };
        if (control.cmsg_level, control.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: a computation with a length, no access.
            let head_len = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = control.cmsg_len.saturating_sub(head_len) / size_of::<RawFd>();
            // SAFETY: as for the header, which the numbers follow.
            let numbers = unsafe { libc::CMSG_DATA(next) }.cast::<RawFd>();
            for index in 0..count {
                // SAFETY: the header's length says that so many numbers are there.
                let at = unsafe { numbers.add(index) };
                // SAFETY: as before; nothing is said of their alignment.
                let number = unsafe { at.read_unaligned() };
                // SAFETY: the kernel has just made this descriptor for us, so nobody else owns it,
                // and each number is read once.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
        // SAFETY: as for the first one.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    descriptors
}

impl Default for Receiver {
    fn default() -> Self {
        Receiver::new()
    }
}
