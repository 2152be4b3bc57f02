//! Who this process is.

use std::{
    io,
    sync::{
        Once,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use nix::libc;

use crate::{
    sync::algorithm::seats::Identity,
    sys::{fork_hook, pidfd::ExitWatch, procfs},
};

/// Zero until it is known, and again in a forked child.
static ME: AtomicU64 = AtomicU64::new(0);

/// The identity of this process. Only the first use makes system calls.
#[inline]
pub(crate) fn me() -> Identity {
    match Identity::from_bits(ME.load(Relaxed)) {
        Some(me) => me,
        None => find_out(),
    }
}

#[cold]
fn find_out() -> Identity {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // Without it a forked child would pass for its parent: as bad as no memory, which is why it
        // fails.
        let registered = fork_hook::in_forked_child(forget);
        debug_assert!(registered.is_ok(), "{registered:?}");
    });
    let pid = std::process::id();
    let me = Identity::new(pid, start_of(pid)).expect("no process has the id zero");
    ME.store(me.bits(), Relaxed);
    me
}

/// When a process started; zero where the kernel doesn't tell, the same for everybody there.
fn start_of(pid: u32) -> u64 {
    procfs::start_time(pid).unwrap_or(0)
}

/// Whether the process that has this id now is the one that is meant.
pub(crate) fn is_same(identity: Identity) -> bool {
    Identity::new(identity.pid(), start_of(identity.pid())) == Some(identity)
}

extern "C" fn forget() {
    ME.store(0, Relaxed);
}

/// Whether a process has not ended. When the kernel can't say, it is taken for alive.
pub(crate) fn is_alive(identity: Identity) -> bool {
    match ExitWatch::open(identity.pid()) {
        Ok(watch) => is_same(identity) && !watch.is_over().unwrap_or(false),
        Err(error) => !is_gone(&error),
    }
}

/// Whether an [`ExitWatch`] could not be made because there is no such process.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    // No such process; or no process leads a thread group of this id.
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EINVAL))
}
