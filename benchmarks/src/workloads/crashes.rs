//! Calls that kill their worker, among others that don't.

use std::time::{Duration, Instant};

use super::crew::Crew;
use crate::{
    Failure,
    about::{About, Figure},
    bench::Bench,
    contenders::{Contender, Pending},
    jobs::crash_at_times,
    unit::{Better, Unit},
};

pub(super) const ABOUT: About = About {
    name: "crashes",
    what: "100 calls, of which 5 kill their worker with SIGKILL: how many fail, how long until all have an outcome, whether \
           the error names the signal",
    figures: &[
        Figure::new(
            "failed",
            "100 calls, 5 kill their worker: how many fail",
            Unit::Count,
            Better::Neither,
        ),
        Figure::time("settled", "100 calls, 5 kill their worker: settled after"),
        Figure::new(
            "named",
            "100 calls, 5 kill their worker: signal named",
            Unit::YesNo,
            Better::Neither,
        ),
    ],
    patience: Duration::from_secs(15),
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    Crew::hold(&pool, bench.workers)?.dismiss()?;
    let start = Instant::now();
    let calls: Vec<_> = (0..100).map(|n| pool.submit(crash_at_times, n)).collect();
    let results: Vec<_> = calls.into_iter().map(Pending::wait).collect();
    let settled = start.elapsed().as_secs_f64();
    let errors: Vec<String> = results
        .into_iter()
        .filter_map(Result::err)
        .map(|error| error.to_string())
        .collect();
    let named = errors.iter().all(|error| names_the_signal(error));
    bench.figure("failed", errors.len() as f64)?;
    bench.figure("settled", settled)?;
    bench.figure("named", f64::from(u8::from(named && !errors.is_empty())))?;
    pool.stop();
    Ok(())
}

fn names_the_signal(error: &str) -> bool {
    ["SIGKILL", "signal 9", "signal: 9"]
        .iter()
        .any(|name| error.contains(name))
}
