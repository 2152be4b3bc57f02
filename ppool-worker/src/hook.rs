//! The take-over: how a process that was started as a worker becomes one before its `main`.
//!
//! ```text
//!  .init_array:  [ .. | ours | later ones .. ]
//!                       │
//!                       ├ not a worker: return, and the program goes on as ever
//!                       └ a worker: what was handed over, then the later ones (C++ statics must be
//!                         ready), then the work, then exit
//! ```
//!
//! The pointer to [`take_over`] lies in the section of functions that run before `main`. Every task
//! names [`hook`], which names the pointer, so the linker can't leave it out of a program that has a
//! task.
//!
//! # Safety
//!
//! The only file of this crate with `unsafe` in it. It runs before any other Rust code of the
//! program, on its only thread, except for initialisers that come before ours.
#![expect(
    unsafe_code,
    reason = "runs before main, and calls what the linker collected"
)]

use std::{
    ffi::{CStr, c_char, c_int},
    hint::black_box,
    io,
    os::fd::OwnedFd,
    process,
    sync::Arc,
};

use nix::libc;
use ppool_core::{
    error::SHORTAGE_EXIT,
    link::socket::WorkerSocket,
    supervise::handover::{self, Handover, Role},
    sys::{inherit, signal},
    wire::{PARENT_LOST_EXIT, START_FAILED_EXIT},
};

use crate::{
    boot::{self, Ending},
    limits, manager,
};

/// A function that runs before `main`. glibc passes what `main` gets; other C libraries pass
/// nothing, and their functions expect nothing.
type Initialiser = extern "C" fn(c_int, *const *const c_char, *const *const c_char);

#[used]
#[unsafe(link_section = ".init_array")]
static TAKE_OVER: Initialiser = take_over;

unsafe extern "C" {
    /// Where the linker put the end of the initialisers.
    static __init_array_end: [Initialiser; 0];

    /// `getenv`, but finds nothing in a program with more rights than whoever started it.
    fn secure_getenv(name: *const c_char) -> *const c_char;
}

/// The name of the variable, as C wants it.
const VARIABLE: &CStr = c"PPOOL_WORKER";

/// Keeps this crate's initialiser in every program that has a task; it does nothing itself.
#[doc(hidden)]
pub fn hook() {
    black_box(&raw const TAKE_OVER);
}

/// Becomes a worker if this process was started as one; else returns and does nothing.
///
/// There is no need to call it: a worker is taken over before `main`. It is for a platform where
/// that doesn't happen, and then belongs at the very start of `main`, before any thread is started.
/// It does not return in a worker.
pub fn init() {
    if let Some(handover) = handed_over() {
        let socket = take(handover);
        run(handover.role, socket);
    }
}

/// Runs before `main` in every program with a task, so it must cost nothing when there is nothing to
/// do.
extern "C" fn take_over(argc: c_int, argv: *const *const c_char, envp: *const *const c_char) {
    if let Some(handover) = handed_over() {
        let socket = take(handover);
        run_later_initialisers(argc, argv, envp);
        run(handover.role, socket);
    }
}

/// What the parent said, when it started this process as a worker.
///
/// A variable that no parent could have written is somebody else's, and the program an ordinary one.
fn handed_over() -> Option<Handover> {
    // SAFETY: the name is a C string; the environment changes only below, on this thread.
    let value = unsafe { secure_getenv(VARIABLE.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: getenv gives a C string, which lives until the environment is changed.
    let value = unsafe { CStr::from_ptr(value) };
    handover::parse(value.to_str().ok()?)
}

/// Takes what was handed over, and makes the process a safe place to work in. After that nothing
/// tells the programs that it starts that this is a worker.
fn take(handover: Handover) -> OwnedFd {
    // SAFETY: no other thread runs yet that could read the environment.
    unsafe { std::env::remove_var(handover::VARIABLE) };
    // First of all.
    die_with(handover.parent_pid);
    let understood = handover.protocol == handover::PROTOCOL && handover.fd == handover::FD;
    match prepare() {
        Ok(socket) if understood => socket,
        _ => exit_now(START_FAILED_EXIT),
    }
}

/// Descriptors and signals: what Rust's own start-up does for a `main`, and what a worker needs.
fn prepare() -> io::Result<OwnedFd> {
    inherit::open_standard_streams()?;
    let socket = inherit::take(handover::FD)?;
    // SAFETY: what is open from here up came through exec and has no owner: no code of the program
    // has run yet but initialisers that come before ours.
    unsafe { inherit::close_from(handover::FD + 1) }?;
    signal::unblock_all()?;
    // The parent decides what an interrupt from the terminal means; both get it.
    signal::ignore(signal::SIGINT)?;
    signal::ignore(signal::SIGPIPE)?;
    Ok(socket)
}

/// Does what the C library would have done after our initialiser.
fn run_later_initialisers(argc: c_int, argv: *const *const c_char, envp: *const *const c_char) {
    let ours = (&raw const TAKE_OVER).cast::<Option<Initialiser>>();
    let end = (&raw const __init_array_end).cast();
    // The address of our entry hides from the compiler that it is a single static, and that what
    // follows it is the linker's.
    let mut next = black_box(ours).wrapping_add(1);
    while next < end {
        // SAFETY: between our entry and the end of the section lie more entries, all of them the
        // address of such a function or zero, and never written after the program was loaded.
        let entry = unsafe { next.read() };
        next = next.wrapping_add(1);
        if let Some(initialiser) = entry {
            initialiser(argc, argv, envp);
        }
    }
}

/// What a template's fork does: it is a worker of `parent`, by this socket.
pub(crate) fn run_forked(socket: OwnedFd, parent: u32) -> ! {
    die_with(parent);
    run(Role::Worker, socket)
}

/// From here on the kernel sees to SUP-4.
fn die_with(parent: u32) {
    match signal::set_parent_death_signal(signal::SIGKILL, parent) {
        Ok(true) => {}
        Ok(false) => exit_now(PARENT_LOST_EXIT),
        Err(_) => exit_now(START_FAILED_EXIT),
    }
}

/// Works until there is no more to do, and ends the process.
fn run(role: Role, socket: OwnedFd) -> ! {
    match role {
        Role::Worker => work(socket),
        Role::Manager => manager::serve(socket),
    }
}

/// Works for a pool.
fn work(socket: OwnedFd) -> ! {
    match boot::serve(Arc::new(WorkerSocket::new(socket))) {
        // What was registered to run at the exit runs. Should it hang, the parent ends the process.
        Ending::Finished => process::exit(0),
        Ending::Ran(code) => process::exit(code),
        Ending::StartFailed => process::exit(START_FAILED_EXIT),
        Ending::Shortage => exit_now(SHORTAGE_EXIT),
        Ending::ParentLost => {
            limits::end_group();
            exit_now(PARENT_LOST_EXIT)
        }
    }
}

/// Ends the process at once, whatever its other threads are doing.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: it touches nothing of the process and doesn't return.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_the_one_that_the_launcher_sets() {
        assert_eq!(VARIABLE.to_str(), Ok(handover::VARIABLE));
    }
}
