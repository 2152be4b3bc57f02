//! What an idle worker costs in memory.

use super::crew::Crew;
use crate::{
    Failure,
    about::{About, Figure, PATIENCE},
    bench::Bench,
    contenders::Contender,
};

pub(super) const ABOUT: About = About {
    name: "idle_memory",
    what: "memory of a worker of a pool of 2 after its first call: proportional set size, and what no other process has",
    figures: &[
        Figure::size("pss", "idle worker: PSS"),
        Figure::size("private", "idle worker: private memory"),
    ],
    patience: PATIENCE,
};

pub(super) fn measure<C: Contender>(bench: &mut Bench) -> Result<(), Failure> {
    let pool = C::start(2)?;
    let pids = Crew::hold(&pool, 2)?.dismiss()?;
    let memory = bench.memory(&pids)?;
    bench.figure("pss", memory.pss / pids.len() as f64)?;
    bench.figure("private", memory.private / pids.len() as f64)?;
    pool.stop();
    Ok(())
}
