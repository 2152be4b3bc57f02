//! How fast 64 MiB are copied, by one thread.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use crate::{Failure, bench::Bench};

/// Bytes in a second.
pub(super) struct Copies {
    /// From one buffer to another that was written before.
    pub(super) warm: f64,
    /// Into memory that the kernel has yet to give.
    pub(super) fresh: f64,
    /// To a second buffer and from there to a third; the bytes counted once.
    pub(super) twice: f64,
}

pub(super) fn measure(bench: &Bench) -> Result<Copies, Failure> {
    let len = bench.size(64 << 20, 64 << 10);
    let source = vec![7u8; len];
    let (mut second, mut third) = (vec![1u8; len], vec![2u8; len]);
    let rate = |run: &mut dyn FnMut()| -> Result<f64, Failure> {
        let seconds = bench.median_time(50, || Ok(timed(&mut *run)))?;
        Ok(len as f64 / seconds)
    };
    let warm = rate(&mut || second.copy_from_slice(black_box(&source)))?;
    let twice = rate(&mut || {
        second.copy_from_slice(black_box(&source));
        third.copy_from_slice(black_box(&second));
    })?;
    let mut fresh = Vec::new();
    let seconds = bench.median_time(50, || {
        // The pages of the last copy go back to the kernel outside of the measured time.
        fresh = Vec::new();
        Ok(timed(|| fresh = black_box(&source).clone()))
    })?;
    black_box((&second, &third, &fresh));
    Ok(Copies {
        warm,
        fresh: len as f64 / seconds,
        twice,
    })
}

fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}
