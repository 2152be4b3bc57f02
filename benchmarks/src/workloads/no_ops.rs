//! Many no-ops: submitted one by one, their futures awaited at the end.

use std::time::{Duration, Instant};

use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::Bench,
    contenders::{Contender, Pending},
    jobs::same,
};

pub(super) const ABOUT: About = About {
    name: "no_ops",
    what: "no-ops submitted one by one, the futures awaited at the end",
    figures: &[Figure::rate(
        "rate",
        "no-ops one by one, awaited at the end",
    )],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    let most = C::most_queued().map_or(1_000_000, |(most, _)| most);
    let mut calls = 0;
    let rate = bench.rate(most, |n| {
        calls += n;
        submit_all_then_wait(&pool, n)
    })?;
    bench.calls(calls)?;
    bench.figure("rate", rate)?;
    pool.stop();
    Ok(())
}

fn submit_all_then_wait<C: Contender>(pool: &C, n: usize) -> Result<Duration, Failure> {
    let start = Instant::now();
    let calls: Vec<_> = (0..n as u64).map(|n| pool.submit(same, n)).collect();
    for (n, call) in calls.into_iter().enumerate() {
        if call.wait()? != n as u64 {
            return Err("a no-op gave back something else".into());
        }
    }
    Ok(start.elapsed())
}
