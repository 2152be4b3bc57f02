//! A pool all of whose workers are there.

use crate::{
    Failure,
    contenders::{Contender, Pending},
    gate::Gate,
    jobs::hold,
};

/// Holds every worker of a pool at a gate.
pub(super) struct Crew<C: Contender> {
    gate: Gate,
    calls: Vec<C::Pending<u32>>,
    /// The processes of the workers, each once.
    pub(super) pids: Vec<u32>,
}

impl<C: Contender> Crew<C> {
    /// Waits until `workers` calls run at the same time.
    pub(super) fn hold(pool: &C, workers: usize) -> Result<Self, Failure> {
        let mut gate = Gate::new()?;
        let calls = (0..workers)
            .map(|_| pool.submit(hold, gate.name()))
            .collect();
        let mut pids = gate.wait_for(workers)?;
        pids.sort_unstable();
        pids.dedup();
        Ok(Crew { gate, calls, pids })
    }

    /// Lets the workers go on, and waits until they are idle.
    pub(super) fn dismiss(self) -> Result<Vec<u32>, Failure> {
        self.gate.open();
        for call in self.calls {
            call.wait()?;
        }
        Ok(self.pids)
    }
}
