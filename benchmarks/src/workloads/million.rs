//! A million calls that all wait before the first one runs.

use std::time::Instant;

use super::crew::Crew;
use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::{Bench, scale},
    contenders::{Contender, Pending},
    jobs::same,
};

pub(super) const ABOUT: About = About {
    name: "million",
    what: "1,000,000 no-ops (fewer where that would take more than some seconds) queued while all workers are busy, then \
           done; the time counts from the first submission to the last result",
    figures: &[Figure::rate("rate", "a million queued, then done")],
    patience: PATIENCE,
};

/// How long it may take, in seconds.
const LIMIT: f64 = 4.0;

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    let trial = bench.size(2000, 50);
    let seconds = queue_then_run(bench, &pool, trial)?;
    let fits = scale(trial, LIMIT / seconds.max(1e-6));
    let mut n = bench.size(1_000_000, 200).min(fits).max(trial);
    match C::most_queued() {
        Some((most, why)) if most < n => {
            n = most;
            bench.note(&format!("measured with {n} calls: {why}"))?;
        }
        _ if n < 1_000_000 => {
            bench.note("measured with fewer calls: a million would take too long")?
        }
        _ => {}
    }
    let seconds = queue_then_run(bench, &pool, n)?;
    bench.figure("rate", n as f64 / seconds)?;
    pool.stop();
    Ok(())
}

fn queue_then_run<C: Contender>(bench: &Bench, pool: &C, n: usize) -> Result<f64, Failure> {
    let crew = Crew::hold(pool, bench.workers)?;
    let start = Instant::now();
    let calls: Vec<_> = (0..n as u64).map(|n| pool.submit(same, n)).collect();
    crew.dismiss()?;
    for call in calls {
        call.wait()?;
    }
    Ok(start.elapsed().as_secs_f64())
}
