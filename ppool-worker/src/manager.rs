//! The life of a process that serves a manager.

use std::{os::fd::OwnedFd, process};

use nix::sys::prctl;
use ppool_core::{error::SHORTAGE_EXIT, manager::server};

/// Serves the manager whose first door's inner end this is, until nobody needs it any more, and ends
/// the process. The kernel ends it with its parent (SUP-4).
pub(crate) fn serve(door: OwnedFd) -> ! {
    // For `ps` and `top`. A name that the kernel doesn't like is no reason not to work.
    let _ = prctl::set_name(c"ppool-manager");
    match server::serve(door) {
        Ok(()) => process::exit(0),
        Err(_) => process::exit(SHORTAGE_EXIT),
    }
}
