//! Whether the system would let workers run as the pool's settings want it: tried on a thread.

use std::{io, thread};

use crate::sys::scheduling;

/// Tries to give a thread this niceness and to have it run on each of these processors. On Linux
/// both belong to threads, so nothing else of this process is changed.
///
/// # Errors
/// What the kernel says to the workers, too: without the right to that niceness, or to one of the
/// processors. And when no thread can be started.
pub fn try_scheduling(nice: Option<i32>, cpus: &[usize]) -> io::Result<()> {
    if nice.is_none() && cpus.is_empty() {
        return Ok(());
    }
    let try_both = || {
        if let Some(nice) = nice {
            scheduling::set_nice(nice).map_err(|error| not_so_nice(nice, &error))?;
        }
        match cpus {
            [] => Ok(()),
            _ => scheduling::set_cpus(cpus),
        }
    };
    thread::scope(|scope| {
        let trial = thread::Builder::new().name("ppool-trial".into());
        match trial.spawn_scoped(scope, try_both)?.join() {
            Ok(tried) => tried,
            Err(_) => Err(io::Error::other("the trial of the settings panicked")),
        }
    })
}

/// What the kernel says of a niceness, with what was wanted.
#[must_use]
pub fn not_so_nice(nice: i32, error: &io::Error) -> io::Error {
    let text = format!(
        "a niceness of {nice} is refused ({error}): only with privileges may a process be less \
         nice than its parent"
    );
    io::Error::new(error.kind(), text)
}
