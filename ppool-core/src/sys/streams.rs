//! Standard streams that are pipes to another process.
#![expect(unsafe_code, reason = "sets a buffer of the C library")]

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    ptr,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl, open},
    libc,
    sys::stat::Mode,
    unistd::{dup2_stderr, dup2_stdout, pipe2, read, write},
};

use super::fcntl::lift;

/// `pipe2(O_CLOEXEC)`—a pipe whose first end, the one that is read, never blocks.
///
/// # Errors
/// `EMFILE` or `ENFILE` when descriptors have run out.
///
/// # References
/// - [pipe2(2)](https://man7.org/linux/man-pages/man2/pipe2.2.html)
pub fn output_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (to_read, to_write) = pipe2(OFlag::O_CLOEXEC)?;
    let (to_read, to_write) = (lift(to_read)?, lift(to_write)?);
    // Of this end only: the two don't share their flags.
    fcntl(&to_read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((to_read, to_write))
}

/// `read(fd)`—what is there, at most as much as fits; `Ok(None)` when nothing is, `Ok(Some(0))` when
/// nothing will be.
///
/// # Errors
/// None is known for a pipe.
///
/// # References
/// - [read(2)](https://man7.org/linux/man-pages/man2/read.2.html)
pub fn read_some(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match read(fd.as_fd(), buffer) {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// `write(fd)`—these bytes in one piece, at most `PIPE_BUF` (4096) of them. Waits for room in the
/// pipe.
///
/// # Errors
/// `EPIPE` when nobody reads any more.
///
/// # References
/// - [pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)
pub fn write_whole(fd: impl AsFd, bytes: &[u8]) -> io::Result<()> {
    loop {
        match write(fd.as_fd(), bytes) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// `dup2(stdout, 1)`, `dup2(stderr, 2)`—what this process prints goes there from now on.
///
/// C's own standard output, which would hold back what goes to a pipe, gives out every line.
///
/// # Errors
/// None is known.
///
/// # References
/// - [dup2(2)](https://man7.org/linux/man-pages/man2/dup2.2.html)
/// - [setvbuf(3)](https://man7.org/linux/man-pages/man3/setvbuf.3.html)
pub fn redirect(stdout: impl AsFd, stderr: impl AsFd) -> io::Result<()> {
    unsafe extern "C" {
        #[link_name = "stdout"]
        static C_STDOUT: *mut libc::FILE;
    }

    dup2_stdout(stdout)?;
    dup2_stderr(stderr)?;
    // SAFETY: it is set before any code of the program, and read only here.
    let stream = unsafe { C_STDOUT };
    // SAFETY: the stream is C's own and open; without a buffer of ours, it goes on with its own.
    unsafe { libc::setvbuf(stream, ptr::null_mut(), libc::_IOLBF, 0) };
    Ok(())
}

/// `open("/dev/null", O_WRONLY)`—where nothing comes to anything.
///
/// # Errors
/// `ENOENT` when there is no `/dev/null`.
///
/// # References
/// - [null(4)](https://man7.org/linux/man-pages/man4/null.4.html)
pub fn null() -> io::Result<OwnedFd> {
    Ok(open(
        "/dev/null",
        OFlag::O_WRONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_says_whether_there_is_nothing_yet_or_nothing_more() {
        let (to_read, to_write) = output_pipe().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(read_some(&to_read, &mut buffer).unwrap(), None);
        write_whole(&to_write, b"text").unwrap();
        assert_eq!(read_some(&to_read, &mut buffer).unwrap(), Some(4));
        assert_eq!(&buffer[..4], b"text");
        drop(to_write);
        assert_eq!(read_some(&to_read, &mut buffer).unwrap(), Some(0));
    }
}
