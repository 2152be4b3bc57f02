//! Pools that many tests begin with.

use ppool::{Pool, TaskFuture};

use super::{
    Scratch, Tally,
    tasks::{Hold, count, hold, square},
};

pub(crate) fn pool_of(workers: usize) -> Pool {
    let pool = Pool::builder().workers(workers).build();
    pool.expect("a plain pool")
}

/// Submits calls until the queue is full, which it stays while the workers are busy. Call `n` gives
/// the square of `n`.
pub(crate) fn fill(pool: &Pool) -> Vec<TaskFuture<u64>> {
    (0..)
        .map_while(|n| pool.try_submit(square, n).ok())
        .collect()
}

/// A pool whose only worker runs a call until it is let go.
pub(crate) struct Busy {
    pub(crate) pool: Pool,
    pub(crate) held: Hold,
    pub(crate) running: TaskFuture<u32>,
    /// Calls of `count` that have run.
    pub(crate) ran: Tally,
    pub(crate) _scratch: Scratch,
}

pub(crate) fn busy_pool() -> Busy {
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "first");
    let running = pool.submit(hold, &held);
    held.started.wait();
    Busy {
        pool,
        held,
        running,
        ran: scratch.tally("ran"),
        _scratch: scratch,
    }
}

impl Busy {
    /// Calls that wait behind the one that runs; they count themselves when they run, and give
    /// 0, 1, 2, ..
    pub(crate) fn waiting(&self, calls: u64) -> Vec<TaskFuture<u64>> {
        (0..calls)
            .map(|n| self.pool.submit(count, (&self.ran, n)))
            .collect()
    }
}
