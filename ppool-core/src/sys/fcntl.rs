//! Moving descriptors to higher numbers.
#![expect(
    unsafe_code,
    reason = "makes an OwnedFd of the number that fcntl returns"
)]

use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
};

/// The lowest number that a descriptor of ours may have: 0 to 2 are the standard streams, and 3 is
/// where a worker finds its link.
pub const FIRST_FREE: RawFd = 4;

/// `fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE)`—the same descriptor, out of the way of the standard
/// streams.
///
/// A descriptor that is out of the way already is returned as it is.
///
/// # Errors
/// `EMFILE` when there is no number left.
///
/// # References
/// - [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html)
pub fn lift(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= FIRST_FREE {
        return Ok(fd);
    }
    duplicate(&fd, FIRST_FREE)
}

/// `fcntl(fd, F_DUPFD_CLOEXEC, lowest)`—a second descriptor for the same thing, numbered `lowest`
/// or higher.
///
/// # Errors
/// `EMFILE` when there is no number left.
///
/// # References
/// - [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html)
pub fn duplicate(fd: impl AsFd, lowest: RawFd) -> io::Result<OwnedFd> {
    let number = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(lowest)).map_err(|errno| match errno {
        // The kernel's answer when the limit lies at `lowest` or below. To the caller it is the
        // same shortage.
        Errno::EINVAL => Errno::EMFILE,
        other => other,
    })?;
    // SAFETY: the kernel has just made this descriptor for us, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::fcntl::FdFlag;

    use super::*;

    #[test]
    fn a_duplicate_has_a_number_at_or_above_the_lowest_and_closes_on_exec() {
        let file = File::open("/dev/null").unwrap();
        let copy = duplicate(&file, 100).unwrap();
        assert!(copy.as_raw_fd() >= 100);
        let flags = fcntl(&copy, FcntlArg::F_GETFD).unwrap();
        assert!(FdFlag::from_bits_truncate(flags).contains(FdFlag::FD_CLOEXEC));
    }

    #[test]
    fn what_is_out_of_the_way_keeps_its_number() {
        let fd = duplicate(File::open("/dev/null").unwrap(), 50).unwrap();
        let number = fd.as_raw_fd();
        assert_eq!(lift(fd).unwrap().as_raw_fd(), number);
    }
}
