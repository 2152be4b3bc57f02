//! A second process that goes on where this one is.
//!
//! The kernel's wish to die with one's parent (`PR_SET_PDEATHSIG`) is bound to the thread that
//! forked, which here is any thread of a user's program and may end long before its process. So the
//! child has a *lifeline* instead: a socket whose other end only its parent has. When that end closes,
//! and be it because the parent was killed, the kernel sends the child SIGKILL by itself.
//!
//! The child has all exit handlers of its parent, which are none of its business: before each fork one
//! more is registered, which runs before them, and ends the process in a child.
#![expect(
    unsafe_code,
    reason = "fork, on_exit and _exit, which no wrapper makes safe"
)]

use std::{
    ffi::{c_int, c_void},
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Instant,
};

use nix::{
    errno::Errno,
    libc,
    unistd::{ForkResult, getpid},
};

use super::{epoll::Interest, poll, signal::SIGKILL};

/// The command of fcntl, which the libc crate lacks.
const F_SETSIG: c_int = 10;

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    /// Of the GNU C library alone; unlike one of `atexit`, the handler is told the exit code.
    fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

/// Whether this process is a child that was forked here.
static IS_FORKED: AtomicBool = AtomicBool::new(false);

/// `fork()`—a copy of this process with the calling thread alone. The id of the copy; None in it. An
/// `exit` of the copy runs only those exit handlers that it has registered itself (with the GNU C
/// library).
///
/// # Errors
/// `EAGAIN` when the user has too many processes, `ENOMEM` when memory has run out.
///
/// # Safety
/// In a process with more than one thread, the child may use nothing that another thread may have
/// locked at that moment.
///
/// # References
/// - [fork(2)](https://man7.org/linux/man-pages/man2/fork.2.html)
pub unsafe fn fork() -> io::Result<Option<u32>> {
    shadow_exit_handlers()?;
    // SAFETY: what the child may do is the caller's promise.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child.as_raw().unsigned_abs())),
        ForkResult::Child => {
            IS_FORKED.store(true, Relaxed);
            Ok(None)
        }
    }
}

/// `on_exit(handler)`—registers a handler that keeps those before it from running in a child. Here
/// and not in the child, where the C library's list may be locked for ever.
fn shadow_exit_handlers() -> io::Result<()> {
    #[cfg(target_env = "gnu")]
    {
        extern "C" fn end_child(code: c_int, _: *mut c_void) {
            if IS_FORKED.load(Relaxed) {
                exit_now(code);
            }
        }
        // SAFETY: the handler is a function of this program, unwinds into nobody and ignores its
        // argument; on_exit allows calls from any thread.
        if unsafe { on_exit(end_child, std::ptr::null_mut()) } != 0 {
            return Err(Errno::ENOMEM.into());
        }
    }
    Ok(())
}

/// `fcntl(F_SETOWN, F_SETSIG, O_ASYNC)`—has the kernel kill this process once nobody has the other end
/// of the socket any more. Says whether somebody still has.
///
/// # Errors
/// None is known.
///
/// # References
/// - [F_SETSIG(2const)](https://man7.org/linux/man-pages/man2/F_SETSIG.2const.html)
pub fn die_with(lifeline: &OwnedFd) -> io::Result<bool> {
    let fd = lifeline.as_raw_fd();
    for (command, argument) in [
        (libc::F_SETOWN, getpid().as_raw()),
        (F_SETSIG, SIGKILL),
        (libc::F_SETFL, libc::O_ASYNC),
    ] {
        // SAFETY: the descriptor is open while it is borrowed, and all three take a number.
        let done = unsafe { libc::fcntl(fd, command, argument) };
        Errno::result(done)?;
    }
    // Asked only after the wish, so that an end in between is seen here.
    let ended = poll::wait(lifeline.as_fd(), Interest::READ, Some(Instant::now()))?;
    Ok(!ended)
}

/// `_exit(code)`—ends this process at once: no exit handler runs, and no buffer is flushed.
///
/// # References
/// - [_exit(2)](https://man7.org/linux/man-pages/man2/_exit.2.html)
pub fn exit_now(code: i32) -> ! {
    // SAFETY: it touches nothing of the process and doesn't return.
    unsafe { libc::_exit(code) }
}
