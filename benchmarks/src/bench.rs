//! A sample from the inside: how large the workload is to be, and the conversation with the driver.
//!
//! ```text
//!  measure                       driver
//!  note TEXT             ──►     kept for the report
//!  figure NAME VALUE     ──►     kept
//!  memory PID..          ──►     reads /proc
//!                        ◄──     PSS and private bytes, added up
//!  activity SECONDS PID..──►     reads /proc twice, so far apart
//!                        ◄──     seconds of CPU time and context switches in between
//!  calls NUMBER          ──►     not kept: for people who profile a sample
//!  end                   ──►
//! ```

use std::{
    io::{self, Write},
    process,
    time::{Duration, Instant},
};

use crate::Failure;

/// What a workload works with.
#[derive(Debug)]
pub struct Bench {
    /// How many workers the pool has.
    pub workers: usize,
    /// Whether the sizes are tiny, only to see that all of it works.
    pub quick: bool,
}

/// Memory of some processes, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Resident memory; what is shared counts in proportion.
    pub pss: f64,
    /// Memory that no other process has.
    pub private: f64,
}

/// What some processes did in a while.
#[derive(Clone, Copy, Debug)]
pub struct Activity {
    /// CPU time, in seconds.
    pub cpu: f64,
    /// Context switches: how often a thread was woken or interrupted.
    pub switches: f64,
}

impl Bench {
    /// One of two sizes.
    #[must_use]
    pub fn size(&self, full: usize, quick: usize) -> usize {
        match self.quick {
            true => quick,
            false => full,
        }
    }

    /// How long a figure may be measured.
    #[must_use]
    pub fn budget(&self) -> Duration {
        match self.quick {
            true => Duration::from_millis(5),
            false => Duration::from_millis(500),
        }
    }

    /// Reports a figure.
    ///
    /// # Errors
    /// When the driver is gone.
    pub fn figure(&mut self, name: &str, value: f64) -> Result<(), Failure> {
        say(&format!("figure {name} {value:e}"))
    }

    /// Says something about the sample that a reader of the report should know.
    ///
    /// # Errors
    /// When the driver is gone.
    pub fn note(&mut self, text: &str) -> Result<(), Failure> {
        say(&format!("note {text}"))
    }

    /// Says how many calls were made, so that a profile can be divided by it.
    ///
    /// # Errors
    /// When the driver is gone.
    pub fn calls(&mut self, number: usize) -> Result<(), Failure> {
        say(&format!("calls {number}"))
    }

    /// Asks for the memory of these processes, added up.
    ///
    /// # Errors
    /// When the driver can't tell.
    pub fn memory(&mut self, pids: &[u32]) -> Result<Memory, Failure> {
        say(&format!("memory {}", listed(pids)))?;
        let [pss, private] = answer()?;
        Ok(Memory { pss, private })
    }

    /// Asks what these processes do in the next while; no more than this thread has to wait, and
    /// it does so asleep.
    ///
    /// # Errors
    /// When the driver can't tell.
    pub fn activity(&mut self, while_: Duration, pids: &[u32]) -> Result<Activity, Failure> {
        let seconds = while_.as_secs_f64();
        say(&format!("activity {seconds} {}", listed(pids)))?;
        let [cpu, switches] = answer()?;
        Ok(Activity { cpu, switches })
    }

    /// Times `run` again and again, until the budget is used or it ran `most` times; gives the
    /// median. The first run is to warm up and doesn't count, unless it is the only one.
    ///
    /// # Errors
    /// What `run` says.
    pub fn median_time(
        &self,
        most: usize,
        mut run: impl FnMut() -> Result<Duration, Failure>,
    ) -> Result<f64, Failure> {
        let start = Instant::now();
        let first = run()?;
        let mut times = Vec::new();
        while times.len() < most && (times.is_empty() || start.elapsed() < self.budget()) {
            times.push(run()?.as_secs_f64());
        }
        Ok(median(&mut times).unwrap_or(first.as_secs_f64()))
    }

    /// The rate at which `run(n)` does `n` things: `n` grows until a run takes as long as the budget
    /// allows, or is `most`.
    ///
    /// # Errors
    /// What `run` says.
    pub fn rate(
        &self,
        most: usize,
        mut run: impl FnMut(usize) -> Result<Duration, Failure>,
    ) -> Result<f64, Failure> {
        let mut n = self.size(1000, 10).min(most);
        loop {
            let seconds = run(n)?.as_secs_f64();
            let wanted = self.budget().as_secs_f64();
            if seconds >= wanted / 2.0 || n == most {
                break;
            }
            let factor = (wanted / seconds.max(1e-9)).clamp(2.0, 10.0);
            n = scale(n, factor).min(most);
        }
        let median = self.median_time(15, || run(n))?;
        Ok(n as f64 / median)
    }
}

/// `n` times `factor`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes of workloads are far from the bounds"
)]
#[must_use]
pub fn scale(n: usize, factor: f64) -> usize {
    (n as f64 * factor) as usize
}

/// The middle of some values.
#[must_use]
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        _ if values.is_empty() => None,
        1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// This process and the others, each once.
#[must_use]
pub fn with_own(workers: &[u32]) -> Vec<u32> {
    let mut pids = workers.to_vec();
    pids.push(process::id());
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Says the last word of a sample.
///
/// # Errors
/// When the driver is gone.
pub fn end() -> Result<(), Failure> {
    say("end")
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

fn answer() -> Result<[f64; 2], Failure> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let mut numbers = line.split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(second))) => Ok([first, second]),
        _ => Err(format!("the driver can't tell: {}", line.trim()).into()),
    }
}

fn listed(pids: &[u32]) -> String {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    pids.join(" ")
}
