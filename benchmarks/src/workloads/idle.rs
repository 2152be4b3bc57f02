//! What an idle pool does.

use std::{thread, time::Duration};

use super::crew::Crew;
use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::{Bench, with_own},
    contenders::{Contender, Pending},
    jobs::same,
    unit::{Better, Unit},
};

pub(super) const ABOUT: About = About {
    name: "idle",
    what: "one second of a pool that has nothing to do: CPU time and context switches of all threads of the program and its workers",
    figures: &[
        Figure::new(
            "wake_ups",
            "idle pool: wake-ups in a second",
            Unit::Count,
            Better::Lower,
        ),
        Figure::time("cpu", "idle pool: CPU time in a second"),
    ],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    let workers = Crew::hold(&pool, bench.workers)?.dismiss()?;
    for n in 0..bench.size(1000, 20) as u64 {
        pool.submit(same, n).wait()?;
    }
    // What still spins or cleans up after the last call may finish.
    thread::sleep(Duration::from_millis(bench.size(300, 20) as u64));
    let second = Duration::from_millis(bench.size(1000, 50) as u64);
    let activity = bench.activity(second, &with_own(&workers))?;
    let seconds = second.as_secs_f64();
    bench.figure("wake_ups", activity.switches / seconds)?;
    bench.figure("cpu", activity.cpu / seconds)?;
    pool.stop();
    Ok(())
}
