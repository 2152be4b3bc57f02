//! Real processes and real signals: `sys` and the launcher as the kernel sees them.
//!
//! ```text
//!  cargo test ──► runner ──► one process per case ──► launched workers, each plays a role
//!                            (limits, signals and descriptors are the whole process's)
//! ```
//!
//! The launched process is this program again, so there is no libtest here: `main` decides by the
//! environment what it is.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is its own test harness"
)]

mod cases;
mod roles;
mod runner;

use std::{env, process::ExitCode};

use ppool_core::supervise::handover;

fn main() -> ExitCode {
    if env::var_os(handover::VARIABLE).is_some() {
        return roles::play();
    }
    if let Some(case) = env::var_os(runner::CASE) {
        return runner::run_case(&case);
    }
    runner::run_all(env::args().skip(1))
}
