//! The start of a larger pool: until each of its workers runs a call.

use std::time::Instant;

use super::crew::Crew;
use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::Bench,
    contenders::Contender,
};

pub(super) const ABOUT: About = About {
    name: "start_many",
    what: "a pool of 32: from its start until all 32 workers run a call, divided by 32",
    figures: &[Figure::time("per_worker", "pool of 32, per worker")],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let workers = bench.size(32, 3);
    let time = bench.median_time(5, || {
        let start = Instant::now();
        let pool = C::start(workers)?;
        let crew = Crew::hold(&pool, workers)?;
        let time = start.elapsed();
        crew.dismiss()?;
        pool.stop();
        Ok(time)
    })?;
    bench.figure("per_worker", time / workers as f64)
}
