//! The user's end of a whole map, and the state behind it.
//!
//! ```text
//!  calls of the map ──put, fails──► MapState ──┬─ results, by input
//!                                              └─ whole: CallState ◄── waits, .await
//! ```
//!
//! The map as a whole ends like one call, so it waits with the state of one: `whole` ends with a
//! value that is empty when every result is there, or with the first failure that comes. What
//! follows from a failure, that the rest is cancelled, is a consequence of that end and runs
//! outside every lock.
//!
//! Invariants: API-1 (the map ends once; what comes after a failure is dropped).

use std::{
    collections::BTreeMap,
    fmt, mem,
    pin::Pin,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{
    CallControl, CallState, Hooks, Outcome, ResultReader,
    outcome::Stored,
    park::{deadline_after, has_passed, lock},
};
use crate::{codec::Values, error::TaskError, ids::WorkId};

/// What the calls of a map share with its future.
pub(crate) struct MapState {
    /// The end of the map as a whole.
    whole: CallState,
    calls: Mutex<Calls>,
    /// Weak, because the pool holds the calls that hold this.
    control: Weak<dyn CallControl>,
}

#[derive(Default)]
struct Calls {
    /// By the index of the first input that they are of. Empty once they were taken.
    results: BTreeMap<u64, Values>,
    /// How many inputs there were so far.
    inputs: u64,
    /// How many results are missing.
    missing: u64,
    /// The work items that were submitted.
    items: Vec<WorkId>,
    /// Whether there are no more inputs.
    complete: bool,
    failed: bool,
    /// Whether nobody has the future any more.
    detached: bool,
}

impl MapState {
    pub(crate) fn new(control: Weak<dyn CallControl>) -> Arc<Self> {
        Arc::new(MapState {
            whole: CallState::new(),
            calls: Mutex::default(),
            control,
        })
    }

    /// So many more inputs are about to be submitted; the index of the first of them.
    pub(crate) fn expects(&self, count: u32) -> u64 {
        let mut calls = lock(&self.calls);
        let first = calls.inputs;
        calls.inputs += u64::from(count);
        calls.missing += u64::from(count);
        first
    }

    /// A work item of the map was submitted. False when it, and whatever would follow it, is of no
    /// more use, because the map has failed.
    #[must_use]
    pub(crate) fn submitted(&self, id: WorkId) -> bool {
        let mut calls = lock(&self.calls);
        calls.items.push(id);
        !calls.failed
    }

    /// Whether a call of the map has failed.
    pub(crate) fn has_failed(&self) -> bool {
        lock(&self.calls).failed
    }

    /// There are no more inputs.
    pub(crate) fn completes(&self) -> Hooks {
        let mut calls = lock(&self.calls);
        calls.complete = true;
        self.ends_if_complete(&calls)
    }

    /// The calls of the inputs from `index` on have given these values.
    pub(crate) fn put(&self, index: u64, values: Values) -> Hooks {
        let mut calls = lock(&self.calls);
        calls.missing -= u64::from(values.count());
        if !calls.failed && !calls.detached {
            calls.results.insert(index, values);
        }
        self.ends_if_complete(&calls)
    }

    /// A call of the map has failed: the map ends with this error, and its other calls are
    /// cancelled.
    pub(crate) fn fails(&self, error: TaskError) -> Hooks {
        let mut calls = lock(&self.calls);
        calls.missing -= 1;
        if mem::replace(&mut calls.failed, true) {
            return Hooks::default();
        }
        let results = mem::take(&mut calls.results);
        let items = mem::take(&mut calls.items);
        drop(calls);
        drop(results);
        let control = Weak::clone(&self.control);
        let mut hooks = self.whole.finish(Outcome::Error(error));
        hooks.consequence = Some(Box::new(move || {
            if let Some(control) = control.upgrade() {
                control.cancel_all(&items);
            }
        }));
        hooks
    }

    fn ends_if_complete(&self, calls: &Calls) -> Hooks {
        if calls.complete && calls.missing == 0 && !calls.failed {
            self.whole.finish(Outcome::Value(Vec::new().into()))
        } else {
            Hooks::default()
        }
    }
}

impl fmt::Debug for MapState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MapState({:?})", self.whole.state())
    }
}

/// The results of a task over many inputs, all of which were submitted: what `map_async` gives, to
/// wait for, to await, to cancel.
///
/// It ends when every call has given its value, or with the first failure that comes; the calls
/// that have not started then are cancelled. It is a `std::future::Future` for any executor.
///
/// Dropping it detaches the calls, as dropping a [`TaskFuture`](super::TaskFuture) does: they still
/// run, until one fails, and their results are thrown away. [`cancel`](MapFuture::cancel) it before
/// to keep them from running.
///
/// ```
/// use std::time::Duration;
///
/// use ppool_core::{MapFuture, TaskError};
///
/// fn within_a_second(squares: MapFuture<u64>) -> Option<Result<Vec<u64>, TaskError>> {
///     if squares.wait_timeout(Duration::from_secs(1)) {
///         return Some(squares.wait());
///     }
///     squares.cancel();
///     None
/// }
/// ```
#[must_use = "dropping a `MapFuture` detaches its calls, and their results or errors are lost"]
pub struct MapFuture<R> {
    state: Arc<MapState>,
    control: Arc<dyn CallControl>,
    reader: ResultReader<R>,
    /// Whether `try_result` or `poll` gave the results or the error.
    given: bool,
    /// Whether a waker of ours lies in the state.
    has_waker: bool,
}

impl<R> MapFuture<R> {
    pub(crate) fn new(
        state: Arc<MapState>,
        control: Arc<dyn CallControl>,
        reader: ResultReader<R>,
    ) -> Self {
        MapFuture {
            state,
            control,
            reader,
            given: false,
            has_waker: false,
        }
    }

    /// Blocks until all calls are done or one has failed, and gives the results in order of the
    /// inputs.
    ///
    /// # Errors
    /// The first failure that came; `Decode` also when [`try_result`](MapFuture::try_result) gave
    /// the results before.
    pub fn wait(self) -> Result<Vec<R>, TaskError> {
        self.wait_until(None);
        self.take()
    }

    /// Blocks until all calls are done or one has failed, at most for `timeout`; whether that came
    /// about.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_until(deadline_after(timeout))
    }

    /// The results, when all calls are done or one has failed; never blocks. They are given once:
    /// after that, `None`.
    ///
    /// # Errors
    /// The first failure that came.
    pub fn try_result(&mut self) -> Option<Result<Vec<R>, TaskError>> {
        if self.given || !self.is_done() {
            return None;
        }
        self.given = true;
        Some(self.take())
    }

    /// Cancels the calls that have not started. True when there were any, or the map was cancelled
    /// before: it is then done with the error [`Cancelled`](crate::TaskErrorKind::Cancelled). False
    /// when it is done, or all calls that are left run: it may still give its results.
    pub fn cancel(&self) -> bool {
        if !self.is_done() {
            self.control.cancel_all(&self.items());
        }
        self.is_cancelled()
    }

    /// Cancels the calls, and stops those that run together with their worker processes, which are
    /// replaced. True when the map will give no results; false when it has them.
    pub fn kill(&self) -> bool {
        let mut stopped = false;
        if !self.is_done() {
            let items = self.items();
            // First those that wait, or killing would only let the next of them start.
            self.control.cancel_all(&items);
            for id in items {
                stopped |= self.control.kill(id, &self.state.whole);
            }
        }
        stopped || self.is_cancelled()
    }

    /// Whether all calls are done, or one has failed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state.whole.is_done()
    }

    /// Whether it has ended because calls of it were cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state.whole.end() == Some(super::End::Cancelled)
    }

    /// The name of the task.
    #[must_use]
    pub fn task(&self) -> &str {
        self.reader.task()
    }

    fn items(&self) -> Vec<WorkId> {
        lock(&self.state.calls).items.clone()
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        if self.is_done() {
            return true;
        }
        if has_passed(deadline) {
            return false;
        }
        self.control.help_until_done(&self.state.whole, deadline);
        self.state.whole.wait_until_done(deadline)
    }

    /// Takes the results of a map that is done.
    fn take(&self) -> Result<Vec<R>, TaskError> {
        let end = self.state.whole.take_outcome();
        match end.expect("only a map that is done is asked for its results") {
            Stored::Error(error) => Err(error),
            Stored::Taken => Err(self.reader.already_taken()),
            Stored::Value(_) | Stored::Shared(_) => {
                let mut results = mem::take(&mut lock(&self.state.calls).results);
                let mut decoded = Vec::new();
                for values in results.values_mut() {
                    while let Some(value) = values.take() {
                        decoded.push(self.reader.decode(value)?);
                    }
                }
                Ok(decoded)
            }
        }
    }
}

impl<R> Future for MapFuture<R> {
    type Output = Result<Vec<R>, TaskError>;

    /// Only the last waker is woken.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.is_done() && self.state.whole.registers_waker(context.waker()) {
            self.has_waker = true;
            return Poll::Pending;
        }
        self.given = true;
        Poll::Ready(self.take())
    }
}

impl<R> Drop for MapFuture<R> {
    /// Detaches the calls: whoever awaited them is not woken any more.
    fn drop(&mut self) {
        if self.has_waker {
            self.state.whole.forgets_waker();
        }
        let mut calls = lock(&self.state.calls);
        calls.detached = true;
        let results = mem::take(&mut calls.results);
        drop(calls);
        drop(results);
    }
}

impl<R> fmt::Debug for MapFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = lock(&self.state.calls);
        f.debug_struct("MapFuture")
            .field("task", &self.task())
            .field("inputs", &calls.inputs)
            .field("missing", &calls.missing)
            .field("state", &self.state.whole.state())
            .finish()
    }
}
