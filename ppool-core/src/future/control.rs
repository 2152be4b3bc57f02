//! What a future needs of its pool.

use std::time::Instant;

use super::{CallState, CallbackRunner};
use crate::ids::WorkId;

/// The pool, as a future sees it.
pub(crate) trait CallControl: Send + Sync {
    /// Cancels the call when it has not started, also when it already lies in a worker's queue.
    /// True when it will not run; the state is `Cancelled` then, or will be.
    fn cancel(&self, id: WorkId, state: &CallState) -> bool;

    /// Cancels the call, and stops its worker when it runs. True when it will give no value.
    fn kill(&self, id: WorkId, state: &CallState) -> bool;

    /// Cancels those of the work items that have not started, all at once: none of them starts
    /// meanwhile.
    fn cancel_all(&self, ids: &[WorkId]);

    /// Where its callbacks run.
    fn callbacks(&self) -> &CallbackRunner;

    /// Called by a thread that is about to block until `state` is done: it may drive the pool for
    /// a bounded while, at most until `deadline`. By default it does nothing and the thread parks.
    fn help_until_done(&self, state: &CallState, deadline: Option<Instant>) {
        let _ = (state, deadline);
    }
}
