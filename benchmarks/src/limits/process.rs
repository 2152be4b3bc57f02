//! How long it takes to start this program and to see its end, when it does nothing.

use std::{
    env,
    process::{Command, Stdio},
    time::Instant,
};

use super::NOTHING;
use crate::{Failure, bench::Bench};

pub(super) fn start_time(bench: &Bench) -> Result<f64, Failure> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(NOTHING).stdin(Stdio::null());
    bench.median_time(100, || {
        let start = Instant::now();
        command.status()?;
        Ok(start.elapsed())
    })
}
