//! One no-op: submit, wait, again and again.

use std::time::Instant;

use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::{Bench, median},
    contenders::{Contender, Pending},
    jobs::same,
};

pub(super) const ABOUT: About = About {
    name: "round_trip",
    what: "one no-op at a time: submit, wait",
    figures: &[Figure::time("p50", "one no-op, submit and wait, p50")],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    let warm_up = bench.size(500, 5);
    for n in 0..warm_up as u64 {
        pool.submit(same, n).wait()?;
    }
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < bench.budget() {
        let submitted = Instant::now();
        pool.submit(same, 7).wait()?;
        times.push(submitted.elapsed().as_secs_f64());
    }
    bench.calls(warm_up + times.len())?;
    let p50 = median(&mut times).ok_or("not one call in time")?;
    bench.figure("p50", p50)?;
    pool.stop();
    Ok(())
}
