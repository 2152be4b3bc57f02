//! The life of a process that serves a manager.

use std::{os::fd::OwnedFd, process};

use nix::sys::prctl;
use ppool_core::{
    codec::{Decoder, Encoder},
    error::SHORTAGE_EXIT,
    manager::server,
    task::TaskEntry,
    wire::CallOutcome,
};

use crate::{
    invoke::invoke,
    panic::{self, Running},
};

/// Serves the manager whose first door's inner end this is, until nobody needs it any more, and ends
/// the process. The kernel ends it with its parent (SUP-4).
pub(crate) fn serve(door: OwnedFd) -> ! {
    // For `ps` and `top`. A name that the kernel doesn't like is no reason not to work.
    let _ = prctl::set_name(c"ppool-manager");
    match server::serve(door, run) {
        Ok(()) => process::exit(0),
        Err(_) => process::exit(SHORTAGE_EXIT),
    }
}

/// Runs a task on the thread of an object.
fn run(entry: &'static TaskEntry, arguments: Decoder<'_>) -> CallOutcome {
    panic::keep_those_of_this_thread();
    panic::now(Running::Nothing);
    let mut output = Encoder::new();
    match invoke(entry, arguments, &mut output) {
        Ok(()) => CallOutcome::Value(output.into_payload()),
        Err(outcome) => outcome,
    }
}
