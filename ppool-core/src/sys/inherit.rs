//! What a new process got from the one that started it; for the worker's side.
#![expect(unsafe_code, reason = "takes and closes descriptors by their number")]

use std::{
    fs, io,
    os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    libc,
    sys::stat::{Mode, SFlag, fstat},
};

/// `fcntl(number, F_SETFD, FD_CLOEXEC)`—takes the socket that was handed over at `number`, so that
/// programs started from here don't get it too. Works once in the life of a process.
///
/// # Errors
/// `EBADF` when nothing is open there. [`io::ErrorKind::InvalidData`] when what is open there was
/// not handed over (it is close-on-exec, so it can't have come through one) or is no socket.
/// [`io::ErrorKind::AlreadyExists`] when it has been taken before.
///
/// # References
/// - [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html)
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);

    // SAFETY: F_GETFD changes nothing, whatever the number means.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    let close_on_exec = Errno::result(flags)? & libc::FD_CLOEXEC != 0;
    if close_on_exec && !TAKEN.load(Relaxed) {
        return Err(not_handed_over(number, "was opened by this process"));
    }
    if TAKEN.swap(true, Relaxed) {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("descriptor {number} has been taken already"),
        ));
    }
    // SAFETY: F_SETFD to a constant; the descriptor came through exec and nobody took it yet, so no
    // owner is surprised.
    let set = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    Errno::result(set)?;
    // SAFETY: it is open, as F_GETFD has just said; it came through exec, so no code of this program
    // opened it; and the flag above lets only one caller come here.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    let kind = SFlag::from_bits_truncate(fstat(&fd)?.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFSOCK {
        return Err(not_handed_over(number, "is no socket"));
    }
    Ok(fd)
}

fn not_handed_over(number: RawFd, why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("descriptor {number} {why}, it was not handed over by the pool"),
    )
}

/// `close_range(first, ~0, 0)`—closes every descriptor from `first` up: what the program that
/// started this one had open without close-on-exec.
///
/// Where the kernel has no `close_range` (before 5.9, or a sandbox that doesn't know it), it closes
/// what `/proc/self/fd` lists.
///
/// # Errors
/// When the fallback can't read `/proc/self/fd`.
///
/// # Safety
/// No descriptor from `first` up may have an owner in this process. At its very start, before any
/// code that opens something, that is so.
///
/// # References
/// - [close_range(2)](https://man7.org/linux/man-pages/man2/close_range.2.html)
pub unsafe fn close_from(first: RawFd) -> io::Result<()> {
    let flags: libc::c_uint = 0;
    // SAFETY: the caller says that nobody owns these descriptors; no memory is touched.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) };
    match Errno::result(closed) {
        Ok(_) => Ok(()),
        Err(Errno::ENOSYS | Errno::EPERM) => close_listed(first),
        Err(errno) => Err(errno.into()),
    }
}

/// The same without the system call. Only [`close_from`] may use it: its caller's promise is needed.
fn close_listed(first: RawFd) -> io::Result<()> {
    let mut listed = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        if let Some(number) = name.to_str().and_then(|name| name.parse::<RawFd>().ok()) {
            listed.push(number);
        }
    }
    // The directory itself was among them and is closed by now; closing it once more does nothing.
    for number in listed.into_iter().filter(|&number| number >= first) {
        // SAFETY: the caller of `close_from` says that nobody owns it.
        unsafe { libc::close(number) };
    }
    Ok(())
}

/// `open("/dev/null", O_RDWR)`—until 0, 1 and 2 are open.
///
/// A program that was started with its standard streams closed gives the next file that it opens
/// one of their numbers, and then prints into it. Rust's own start-up sees to that before `main`,
/// which a worker never reaches.
///
/// # Errors
/// `ENOENT` when there is no `/dev/null`, `EMFILE` when no descriptor is left.
///
/// # References
/// - [open(2)](https://man7.org/linux/man-pages/man2/open.2.html)
pub fn open_standard_streams() -> io::Result<()> {
    loop {
        // Not close-on-exec: standard streams are there to be inherited.
        let fd = open("/dev/null", OFlag::O_RDWR, Mode::empty())?;
        let number = fd.into_raw_fd();
        if number > libc::STDERR_FILENO {
            // SAFETY: it was opened four lines above and given to nobody.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::AsRawFd};

    use super::{super::fcntl::duplicate, *};

    #[test]
    fn what_this_process_opened_is_not_taken() {
        let file = File::open("/dev/null").unwrap();
        let error = take(file.as_raw_fd()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(
            error.to_string().contains("opened by this process"),
            "{error}"
        );
        assert_eq!(take(-1).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn closing_spares_what_is_below_and_closes_the_rest_in_either_way() {
        // Far above everything that other tests of this process open.
        const FIRST: RawFd = 1000;
        let below = File::open("/dev/null").unwrap();
        let open_above = || duplicate(&below, FIRST).unwrap().into_raw_fd();
        let is_open = |number: RawFd| {
            // SAFETY: F_GETFD changes nothing, whatever the number means.
            unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
        };

        let above = [open_above(), open_above()];
        // SAFETY: only this test opens descriptors that high, and nobody owns the two.
        unsafe { close_from(FIRST) }.unwrap();
        assert!(!above.into_iter().any(is_open));

        let above = [open_above(), open_above()];
        assert!(above.into_iter().all(is_open));
        close_listed(FIRST).unwrap();
        assert!(!above.into_iter().any(is_open));
        assert!(is_open(below.as_raw_fd()));
    }
}
