//! What a call costs in memory while it waits.

use super::crew::Crew;
use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::{Bench, with_own},
    contenders::{Contender, Pending},
    jobs::same,
};

pub(super) const ABOUT: About = About {
    name: "queued_memory",
    what: "memory that program and workers gain together (PSS) with each of 200,000 calls (50,000 with Python's pools), of one u64, that wait for \
           workers that are busy; its future is included",
    figures: &[Figure::size("per_call", "memory per queued call")],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    let mut n = bench.size(200_000, 500);
    if let Some((most, why)) = C::most_queued()
        && most < n
    {
        n = most;
        bench.note(&format!("measured with {n} queued calls: {why}"))?;
    }
    // Warm: what the first call allocates once is no cost of each call.
    pool.submit(same, 7).wait()?;
    let crew = Crew::hold(&pool, bench.workers)?;
    let pids = with_own(&crew.pids);
    let before = bench.memory(&pids)?;
    let calls: Vec<_> = (0..n as u64).map(|n| pool.submit(same, n)).collect();
    let after = bench.memory(&pids)?;
    bench.figure("per_call", (after.pss - before.pss) / n as f64)?;
    crew.dismiss()?;
    for call in calls {
        call.wait()?;
    }
    pool.stop();
    Ok(())
}
