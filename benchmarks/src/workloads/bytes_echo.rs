//! Large arguments and large results: 64 MiB there and back.

use std::time::Instant;

use super::bytes_argument::bytes;
use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::Bench,
    contenders::Contender,
};

pub(super) const ABOUT: About = About {
    name: "bytes_echo",
    what: "64 MiB of bytes there and back; both ways count, so 128 MiB are moved",
    figures: &[Figure::throughput("rate", "64 MiB there and back")],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    let bytes = bytes(bench);
    let seconds = bench.median_time(30, || {
        let mut argument = bytes.clone();
        let start = Instant::now();
        let back = pool.echo_bytes(&mut argument)?;
        let time = start.elapsed();
        match back == bytes {
            true => Ok(time),
            false => Err("the bytes came back wrong".into()),
        }
    })?;
    bench.figure("rate", 2.0 * bytes.len() as f64 / seconds)?;
    pool.stop();
    Ok(())
}
