//! A map with one input in each call.

use std::time::Instant;

use super::map::check;
use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::Bench,
    contenders::Contender,
};

pub(super) const ABOUT: About = About {
    name: "map_one_by_one",
    what: "the same map with chunk_size(1), over as many inputs as take half a second",
    figures: &[Figure::rate("rate", "map of u64, chunk_size(1)")],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    let rate = bench.rate(bench.size(1_000_000, 1000), |n| {
        let inputs: Vec<u64> = (0..n as u64).collect();
        let start = Instant::now();
        let squares = pool.map_one_by_one(&inputs)?;
        let time = start.elapsed();
        check(&inputs, &squares)?;
        Ok(time)
    })?;
    bench.figure("rate", rate)?;
    pool.stop();
    Ok(())
}
