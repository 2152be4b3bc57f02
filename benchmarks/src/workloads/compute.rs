//! Pure computing: how much of the CPUs the pool leaves to the calls.

use std::time::{Duration, Instant};

use super::crew::Crew;
use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::Bench,
    contenders::{Contender, Pending},
    jobs::compute,
    unit::{Better, Unit},
};

pub(super) const ABOUT: About = About {
    name: "compute",
    what: "64 calls of 20 ms of CPU time each, as a share of the ideal: the CPU time divided by the number of workers",
    figures: &[Figure::new(
        "share",
        "64 × 20 ms of pure computing, share of ideal",
        Unit::Share,
        Better::Higher,
    )],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    Crew::hold(&pool, bench.workers)?.dismiss()?;
    let (calls, micros) = (bench.size(64, 4), bench.size(20_000, 500));
    let total = Duration::from_micros((calls * micros) as u64);
    let ideal = total.as_secs_f64() / bench.workers as f64;
    let start = Instant::now();
    let submit = |_| pool.submit(compute, micros as u64);
    let calls: Vec<_> = (0..calls).map(submit).collect();
    for call in calls {
        call.wait()?;
    }
    bench.figure("share", ideal / start.elapsed().as_secs_f64())?;
    pool.stop();
    Ok(())
}
