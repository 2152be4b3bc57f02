//! The life of a small pool: start, first result, stop.

use std::time::Instant;

use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::Bench,
    contenders::{Contender, Pending},
    jobs::same,
};

pub(super) const ABOUT: About = About {
    name: "start_stop",
    what: "a pool of 2: start it, wait for one call, stop it",
    figures: &[Figure::time("time", "pool of 2: start, first result, stop")],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let time = bench.median_time(50, || {
        let start = Instant::now();
        let pool = C::start(2)?;
        pool.submit(same, 7).wait()?;
        pool.stop();
        Ok(start.elapsed())
    })?;
    bench.figure("time", time)
}
