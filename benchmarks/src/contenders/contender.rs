//! What a workload asks of a pool.

use crate::{
    Failure,
    jobs::{Job, Value, square},
};

/// A pool of a fixed number of workers, used the way its own documentation says.
pub trait Contender: Sized + Sync {
    /// A call that was submitted.
    type Pending<R: Value>: Pending<R>;

    /// Makes a pool. Its workers may start later.
    ///
    /// # Errors
    /// When there is none to be had.
    fn start(workers: usize) -> Result<Self, Failure>;

    /// Hands a call over.
    fn submit<A: Value, R: Value>(&self, job: impl Job<A, R>, argument: A) -> Self::Pending<R>;

    /// Squares all inputs, as fast as it goes without tuning.
    ///
    /// # Errors
    /// When a call fails.
    fn map(&self, inputs: &[u64]) -> Result<Vec<u64>, Failure>;

    /// Squares all inputs, each in a call of its own.
    ///
    /// # Errors
    /// When a call fails.
    fn map_one_by_one(&self, inputs: &[u64]) -> Result<Vec<u64>, Failure> {
        let calls: Vec<_> = inputs.iter().map(|n| self.submit(square, *n)).collect();
        calls.into_iter().map(Pending::wait).collect()
    }

    /// Sends bytes to a call of [`take_bytes`](fn@crate::jobs::take_bytes). May take them or leave them.
    ///
    /// # Errors
    /// When the call fails.
    fn take_bytes(&self, bytes: &mut Vec<u8>) -> Result<u64, Failure>;

    /// Sends bytes to a call of [`echo_bytes`](fn@crate::jobs::echo_bytes). May take them or leave them.
    ///
    /// # Errors
    /// When the call fails.
    fn echo_bytes(&self, bytes: &mut Vec<u8>) -> Result<Vec<u8>, Failure>;

    /// How many calls may wait at the most, and why not more.
    fn most_queued() -> Option<(usize, &'static str)> {
        None
    }

    /// Ends the pool and waits for its end, as far as it lets itself be waited for.
    fn stop(self);
}

/// A call that was submitted.
pub trait Pending<R>: Send {
    /// Waits for its result.
    ///
    /// # Errors
    /// What kept the call from giving one, as the pool says it.
    fn wait(self) -> Result<R, Failure>;
}
