//! A limit of this process's memory, and how to tell that it died of it.
//!
//! The kernel only refuses memory; what happens then is the program's own. Rust's allocator aborts,
//! C++ throws and, uncaught, aborts, careless C writes through a null pointer. All of these leave
//! `ENOMEM` in `errno` of the thread that dies, so a handler of their signals can tell such a death
//! from others.
#![expect(unsafe_code, reason = "installs signal handlers")]

use std::{
    io,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    },
};

/// `setrlimit(RLIMIT_DATA, bytes)`—this process may have so many bytes of private writable memory:
/// heap, stacks of threads, anonymous mappings, touched or not. Programs that it starts inherit the
/// limit, each for itself. It can't be raised again; a lower one that holds already stays.
///
/// Not RLIMIT_AS, which would also count what is only reserved (64 MiB for the heap of each
/// thread), what is mapped from files, and what is shared.
///
/// # Errors
/// None is known.
///
/// # References
/// - [getrlimit(2)](https://man7.org/linux/man-pages/man2/getrlimit.2.html)
pub fn set(bytes: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_DATA)?;
    let limit = bytes.min(hard);
    Ok(setrlimit(Resource::RLIMIT_DATA, limit, limit)?)
}

/// Forgets that this thread was ever refused memory: what it was before, it has survived.
#[inline]
pub fn forget_refusals() {
    Errno::clear();
}

static EXIT_CODE: AtomicI32 = AtomicI32::new(0);

/// From now on, this process ends with `code`, instead of by the signal, when it aborts or crashes
/// (SIGABRT, SIGSEGV, SIGBUS) on a thread to which memory was refused.
///
/// Without a refusal these signals do what they did. Handlers that a task installs take the place of
/// this one.
///
/// # Errors
/// None is known.
///
/// # References
/// - [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html)
pub fn exit_when_refused(code: i32) -> io::Result<()> {
    EXIT_CODE.store(code, Relaxed);
    for signal in [Signal::SIGABRT, Signal::SIGSEGV, Signal::SIGBUS] {
        // Once: after the handler, the cause repeats itself and meets the default.
        let flags = SaFlags::SA_RESETHAND | SaFlags::SA_ONSTACK;
        let action = SigAction::new(SigHandler::Handler(died), flags, SigSet::empty());
        // SAFETY: the handler reads `errno` and an atomic number, and may end the process.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

extern "C" fn died(_signal: libc::c_int) {
    if Errno::last() == Errno::ENOMEM {
        // SAFETY: it ends the process at once and may be called in a signal handler.
        unsafe { libc::_exit(EXIT_CODE.load(Relaxed)) }
    }
}
