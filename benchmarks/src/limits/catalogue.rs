//! All limits, as one workload of which the machine is the only contender.

use super::{copies, process, wake_up};
use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::Bench,
};

/// The argument with which `measure` ends at once.
pub const NOTHING: &str = "nothing";

/// What there is to know of them.
pub const ABOUT: About = About {
    name: "limits",
    what: "what the machine itself can do",
    figures: &[
        Figure::throughput("copy_warm", "copy of 64 MiB, warm pages"),
        Figure::throughput("copy_fresh", "copy of 64 MiB into fresh pages"),
        Figure::throughput("copy_twice", "two warm copies of 64 MiB, counted once"),
        Figure::time("process_start", "start and end of a Rust program"),
        Figure::time("wake_up", "two threads wake each other, round trip"),
    ],
    patience: PATIENCE,
};

/// Measures all of them.
///
/// # Errors
/// When a process can't be started.
pub fn measure(bench: &mut Bench) -> Result<(), Failure> {
    let copies = copies::measure(bench)?;
    bench.figure("copy_warm", copies.warm)?;
    bench.figure("copy_fresh", copies.fresh)?;
    bench.figure("copy_twice", copies.twice)?;
    let start = process::start_time(bench)?;
    bench.figure("process_start", start)?;
    let wake_up = wake_up::round_trip(bench)?;
    bench.figure("wake_up", wake_up)
}
