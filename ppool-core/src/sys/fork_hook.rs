//! Learning that this process is a forked child.
#![expect(unsafe_code, reason = "registers a C callback")]

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use nix::libc;

unsafe extern "C" {
    fn pthread_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> libc::c_int;
}

/// What was registered, for children that the C library does not know of.
static HOOKS: Mutex<Vec<extern "C" fn()>> = Mutex::new(Vec::new());

/// `pthread_atfork(NULL, NULL, hook)`—runs `hook` in each child that is forked from now on, before
/// `fork` returns there.
///
/// The child has one thread and the locks that others held at that moment; the hook may store to
/// atomics, and not much else. It is not run by `posix_spawn` or by `vfork`.
///
/// # Errors
/// `ENOMEM` when the C library can't register it.
///
/// # References
/// - [pthread_atfork(3)](https://man7.org/linux/man-pages/man3/pthread_atfork.3.html)
pub fn in_forked_child(hook: extern "C" fn()) -> io::Result<()> {
    // SAFETY: the hook is a function of this program; pthread_atfork allows calls from any thread.
    match unsafe { pthread_atfork(None, None, Some(hook)) } {
        0 => {
            let mut hooks = HOOKS.lock().unwrap_or_else(PoisonError::into_inner);
            hooks.push(hook);
            Ok(())
        }
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Runs what [`in_forked_child`] has registered, in a child that was made by other means than `fork`,
/// from a process of one thread.
pub(super) fn run() {
    let hooks = HOOKS.lock().unwrap_or_else(PoisonError::into_inner);
    hooks.iter().for_each(|hook| hook());
}
