//! The end of this process: daemons are killed, the others are waited for, as multiprocessing's exit
//! handler does.

use std::sync::{
    Once,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use super::record::children;
use crate::sys::{exit_hook, signal::SIGKILL};

/// The last process that started a keeper.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Says that processes of this one may be there when it exits.
pub(super) fn register() {
    static HOOK: Once = Once::new();

    OWNER.store(std::process::id(), Relaxed);
    HOOK.call_once(|| {
        // Without room for the handler, they end with this process all the same (SUP-4).
        let _ = exit_hook::at_exit(end_all);
    });
}

fn end_all() {
    // A forked child has no children here, and the list may be locked for ever in it.
    if OWNER.load(Relaxed) != std::process::id() {
        return;
    }
    // Others may be started meanwhile, by threads that still run.
    loop {
        let children = children();
        if children.is_empty() {
            return;
        }
        for child in &children {
            if child.daemon {
                let _ = child.signal(SIGKILL);
            } else if child.of_channel {
                child.hang_up();
            }
        }
        for child in &children {
            let _ = child.wait(None);
        }
    }
}
