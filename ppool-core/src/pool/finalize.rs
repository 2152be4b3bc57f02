//! The end of a pool within a time, with a report; and its start after an end.

use std::time::Duration;

use super::Pool;
use crate::queue_manager::Finalized;

impl Pool {
    /// Ends the pool within a time, and says what that took: a friendly [`join`](Pool::join) first,
    /// a [`terminate`](Pool::terminate) when it is not enough. In order:
    ///
    /// 1. No more calls are accepted; those that were are finished, and their callbacks run.
    /// 2. Each worker is told to leave, runs its finalizer, and is waited for.
    /// 3. When `timeout` has passed: calls that wait are cancelled, and workers that are still
    ///    there are sent SIGTERM.
    /// 4. Those that are still there after the pool's [`grace`](crate::PoolBuilder::grace) are
    ///    killed.
    ///
    /// So it takes the time-out and twice the grace at the most, however badly tasks behave.
    ///
    /// **A time-out that is too short ends all workers**, with the calls that they run: choose it
    /// longer than what is queued can take. [`Finalized::lost`] names the calls that were given up.
    ///
    /// Where callbacks are polled, those that wait run on this thread before it returns. Inside one
    /// of the pool's own callbacks it doesn't wait for the callbacks.
    ///
    /// ```no_run
    /// # use ppool_core as ppool;
    /// use std::time::Duration;
    ///
    /// let pool = ppool::Pool::new();
    /// // ..
    /// let end = pool.finalize(Duration::from_secs(60));
    /// for call in &end.lost {
    ///     println!("call {} of {} was given up", call.id, call.task);
    /// }
    /// ```
    pub fn finalize(&self, timeout: Duration) -> Finalized {
        let finalized = self.parts.manager.finalize(timeout);
        self.parts.manager.callbacks().process(None);
        finalized
    }

    /// The same as [`finalize`](Pool::finalize), as the counterpart of
    /// [`start_processing`](Pool::start_processing).
    pub fn stop_processing(&self, timeout: Duration) -> Finalized {
        self.finalize(timeout)
    }

    /// Has a pool that was closed, finalized or terminated accept calls again, with the same
    /// settings and callbacks; workers start with the next call. A pool that is still ending is
    /// waited for first; one that is open stays as it is.
    ///
    /// Says whether the pool accepts calls now. It does, unless this is one of the pool's own
    /// callbacks, which can't wait for the pool to end.
    pub fn start_processing(&self) -> bool {
        self.parts.manager.reopen()
    }
}
