//! Running something when the process exits.
#![expect(unsafe_code, reason = "registers a C callback")]

use std::{
    io, panic,
    sync::{Mutex, PoisonError},
};

use nix::libc;

/// Registered and not yet run; each registration with the C library runs the last of them.
static HOOKS: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// `atexit(hook)`—runs `hook` when the process ends by `exit` or by a return from `main`; the one
/// that was registered last runs first.
///
/// It is not run when a signal ends the process, or `abort`, or `_exit`. Other threads still run
/// while the hook does. A panic in the hook is caught and goes no further.
///
/// # Errors
/// `ENOMEM` when the C library can't register it.
///
/// # References
/// - [atexit(3)](https://man7.org/linux/man-pages/man3/atexit.3.html)
pub fn at_exit(hook: fn()) -> io::Result<()> {
    // Held until both lists agree, so that each C callback finds its own hook.
    let mut hooks = HOOKS.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: `run_last` is a function of this program, unwinds into nobody and needs no argument;
    // atexit allows calls from any thread.
    let refused = unsafe { libc::atexit(run_last) };
    if refused != 0 {
        return Err(io::Error::from_raw_os_error(libc::ENOMEM));
    }
    hooks.push(hook);
    Ok(())
}

extern "C" fn run_last() {
    // The lock is let go before the hook runs: the hook may register another.
    let hook = HOOKS.lock().unwrap_or_else(PoisonError::into_inner).pop();
    if let Some(hook) = hook {
        // The panic hook has told what there is to tell; the process is ending anyway.
        let _ = panic::catch_unwind(hook);
    }
}
