//! A map over a million numbers, nothing tuned.

use std::time::Instant;

use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::Bench,
    contenders::Contender,
};

pub(super) const ABOUT: About = About {
    name: "map",
    what: "map of 1,000,000 u64 (fewer where a million would take seconds), chunks as the pool \
           chooses them, or made by hand where it has no map (crossbeam, procspawn)",
    figures: &[Figure::rate("rate", "map of 1,000,000 u64, untuned")],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    let rate = bench.rate(bench.size(1_000_000, 1000), |n| {
        let inputs: Vec<u64> = (0..n as u64).collect();
        let start = Instant::now();
        let squares = pool.map(&inputs)?;
        let time = start.elapsed();
        check(&inputs, &squares)?;
        Ok(time)
    })?;
    bench.figure("rate", rate)?;
    pool.stop();
    Ok(())
}

/// The results of a map, as wrong ones would be measured all too fast.
pub(super) fn check(inputs: &[u64], squares: &[u64]) -> Result<(), Failure> {
    let right = inputs.iter().map(|n| n.wrapping_mul(*n));
    match right.eq(squares.iter().copied()) {
        true => Ok(()),
        false => Err("the map gave wrong results".into()),
    }
}
