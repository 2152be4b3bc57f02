//! Tasks that many tests need.

use nix::sys::signal::{Signal, raise};
use ppool::task;
use serde::{Deserialize, Serialize};

use super::{Flag, Tally};

#[task]
pub(crate) fn square(n: u64) -> u64 {
    n * n
}

/// The process that runs the call.
#[task]
pub(crate) fn worker_pid() -> u32 {
    std::process::id()
}

/// A call that says when it runs and goes on until it is let go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hold {
    pub(crate) started: Flag,
    pub(crate) release: Flag,
}

impl Hold {
    pub(crate) fn new(scratch: &super::Scratch, name: &str) -> Self {
        Hold {
            started: scratch.flag(&format!("{name}-started")),
            release: scratch.flag(&format!("{name}-release")),
        }
    }
}

/// Runs until `hold.release` is up; gives its process.
#[task]
pub(crate) fn hold(hold: &Hold) -> u32 {
    hold.started.raise();
    hold.release.wait();
    std::process::id()
}

/// Never ends by itself.
#[task]
pub(crate) fn run_for_ever(started: &Flag) {
    started.raise();
    loop {
        std::thread::park();
    }
}

/// Leaves a trace and gives it back.
#[task]
pub(crate) fn count(tally: &Tally, n: u64) -> u64 {
    tally.note(&n.to_string());
    n
}

#[task]
pub(crate) fn panic_with(message: &str) {
    panic!("{message}");
}

/// Ways in which a process can end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum End {
    Exit(i32),
    Abort,
    Segfault,
    Kill,
}

impl End {
    pub(crate) fn come(self) -> ! {
        match self {
            End::Exit(code) => std::process::exit(code),
            End::Abort => std::process::abort(),
            End::Segfault => end_by(Signal::SIGSEGV),
            End::Kill => end_by(Signal::SIGKILL),
        }
    }

    /// What the error says of it: the exit code, or the signal's name.
    pub(crate) fn exit(self) -> Result<i32, &'static str> {
        match self {
            End::Exit(code) => Ok(code),
            End::Abort => Err("SIGABRT"),
            End::Segfault => Err("SIGSEGV"),
            End::Kill => Err("SIGKILL"),
        }
    }
}

/// Ends this process. The standard library's handler for SIGSEGV, where it is installed, takes
/// itself off and returns; the second signal then meets the default.
fn end_by(signal: Signal) -> ! {
    loop {
        raise(signal).expect("a process may signal itself");
    }
}

/// Ends the worker that runs it.
#[task]
pub(crate) fn end(how: End) -> u64 {
    how.come()
}
