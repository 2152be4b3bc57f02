//! Large arguments: 64 MiB to a call that reads a byte of each page.

use std::time::Instant;

use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::Bench,
    contenders::Contender,
    jobs::take_bytes,
};

pub(super) const ABOUT: About = About {
    name: "bytes_argument",
    what: "64 MiB of bytes as an argument, of which the call reads one byte of each page",
    figures: &[Figure::throughput("rate", "64 MiB as an argument")],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    let bytes = bytes(bench);
    let expected = take_bytes(&bytes);
    let seconds = bench.median_time(30, || {
        let mut argument = bytes.clone();
        let start = Instant::now();
        let sum = pool.take_bytes(&mut argument)?;
        let time = start.elapsed();
        match sum == expected {
            true => Ok(time),
            false => Err("the bytes arrived wrong".into()),
        }
    })?;
    bench.figure("rate", bytes.len() as f64 / seconds)?;
    pool.stop();
    Ok(())
}

/// The payload: no two pages of it are equal.
pub(super) fn bytes(bench: &Bench) -> Vec<u8> {
    let len = bench.size(64 << 20, 64 << 10);
    (0..len)
        .map(|at| (at / 4096 * 7 + at).to_le_bytes()[0])
        .collect()
}
