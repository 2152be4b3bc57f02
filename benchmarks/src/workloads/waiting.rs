//! What a pool does while it waits for one long call.

use std::{thread, time::Duration};

use super::crew::Crew;
use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::{Bench, with_own},
    contenders::{Contender, Pending},
    gate::Gate,
    jobs::hold,
    unit::{Better, Unit},
};

pub(super) const ABOUT: About = About {
    name: "waiting",
    what: "one second of a pool whose program waits for one call that is asleep: CPU time and context switches of all threads of \
           the program and its workers",
    figures: &[
        Figure::new(
            "wake_ups",
            "pool that waits for a long call: wake-ups in a second",
            Unit::Count,
            Better::Lower,
        ),
        Figure::time(
            "cpu",
            "pool that waits for a long call: CPU time in a second",
        ),
    ],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(bench.workers)?;
    let workers = Crew::hold(&pool, bench.workers)?.dismiss()?;
    let mut gate = Gate::new()?;
    let call = pool.submit(hold, gate.name());
    gate.wait_for(1)?;
    let second = Duration::from_millis(bench.size(1000, 50) as u64);
    let settling = Duration::from_millis(bench.size(300, 20) as u64);
    let activity = thread::scope(|scope| {
        // Meanwhile, another thread is in `wait`.
        let waiter = scope.spawn(move || call.wait());
        thread::sleep(settling);
        let activity = bench.activity(second, &with_own(&workers));
        gate.open();
        waiter.join().map_err(|_| "the wait panicked")??;
        activity
    })?;
    let seconds = second.as_secs_f64();
    bench.figure("wake_ups", activity.switches / seconds)?;
    bench.figure("cpu", activity.cpu / seconds)?;
    pool.stop();
    Ok(())
}
