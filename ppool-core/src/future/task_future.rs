//! The user's end of one call.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{
    AddsHook, CallControl, CallState, EndObserver, Hook, Observes, Outcome, ResultReader,
    TaskState,
    callback::contained,
    park::{deadline_after, has_passed},
};
use crate::{codec::Lane, error::TaskError, ids::WorkId, task::TaskEntry};

/// The result of a call that was submitted to a pool: to wait for, to await, to cancel.
///
/// It is a `std::future::Future` for any executor, and just as well a handle to block on: the call
/// runs whether or not anybody waits. Dropping the future detaches the call, which still runs; its
/// result is then thrown away.
///
/// The result is decoded by the thread that takes it. It can be taken once, by
/// [`wait`](TaskFuture::wait), [`try_result`](TaskFuture::try_result) or `.await`; callbacks get a
/// value of their own. Who asks for it again gets a [`Decode`](crate::TaskErrorKind::Decode) error
/// that says so; an error can be had any number of times.
///
/// ```
/// use ppool_core::{TaskError, TaskFuture};
///
/// fn total(parts: Vec<TaskFuture<u64>>) -> Result<u64, TaskError> {
///     parts.into_iter().map(TaskFuture::wait).sum()
/// }
/// assert_eq!(total(Vec::new()).unwrap(), 0);
/// ```
#[must_use = "dropping a `TaskFuture` detaches its call, and its result or error is lost"]
pub struct TaskFuture<R> {
    state: Arc<CallState>,
    /// The pool; none for a call that was never accepted.
    control: Option<Arc<dyn CallControl>>,
    reader: ResultReader<R>,
    /// Whether `try_result` or `poll` gave the result or the error.
    given: bool,
    /// Whether a waker of ours lies in the state.
    has_waker: bool,
}

impl<R> TaskFuture<R> {
    /// The future of a call that `control` will complete.
    pub(crate) fn new(
        state: Arc<CallState>,
        control: Arc<dyn CallControl>,
        id: WorkId,
        entry: &'static TaskEntry,
        lane: Lane<R>,
    ) -> Self {
        TaskFuture {
            state,
            control: Some(control),
            reader: ResultReader::new(id, entry, lane),
            given: false,
            has_waker: false,
        }
    }

    /// The future of a call that was not accepted. Without a `control`, its callbacks run on the
    /// thread that adds them.
    pub(crate) fn failed(
        error: TaskError,
        control: Option<Arc<dyn CallControl>>,
        id: WorkId,
        entry: &'static TaskEntry,
        lane: Lane<R>,
    ) -> Self {
        TaskFuture {
            state: Arc::new(CallState::born_ended(Outcome::Error(error))),
            control,
            reader: ResultReader::new(id, entry, lane),
            given: false,
            has_waker: false,
        }
    }

    /// Blocks until the call is done, and gives its result.
    ///
    /// # Errors
    /// What happened to the call when it gave no value; `Decode` when
    /// [`try_result`](TaskFuture::try_result) gave the result before.
    pub fn wait(self) -> Result<R, TaskError> {
        self.wait_until(None);
        self.take()
    }

    /// Blocks until the call is done, at most for `timeout`; whether it is done.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ppool_core::{TaskError, TaskFuture};
    ///
    /// fn within_a_second(future: TaskFuture<u64>) -> Option<Result<u64, TaskError>> {
    ///     if future.wait_timeout(Duration::from_secs(1)) {
    ///         return Some(future.wait());
    ///     }
    ///     future.kill();
    ///     None
    /// }
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.is_done() || self.wait_until(deadline_after(timeout))
    }

    /// The result, when the call is done; never blocks. It is given once: after that, `None`.
    ///
    /// # Errors
    /// What happened to the call when it gave no value.
    pub fn try_result(&mut self) -> Option<Result<R, TaskError>> {
        if self.given || !self.is_done() {
            return None;
        }
        self.given = true;
        Some(self.take())
    }

    /// Cancels the call if it has not started, also when it already lies in a worker's queue. True
    /// when it will not run, or was cancelled before; false when it runs or is done.
    ///
    /// The call is then done with the error [`Cancelled`](crate::TaskErrorKind::Cancelled).
    pub fn cancel(&self) -> bool {
        self.stop(|control| control.cancel(self.reader.id(), &self.state))
    }

    /// Cancels the call, and if it runs stops it, together with its worker process, which is
    /// replaced. True when it will give no value; false when it is done.
    ///
    /// The call is done with the error [`Cancelled`](crate::TaskErrorKind::Cancelled) as soon as
    /// the worker is gone.
    pub fn kill(&self) -> bool {
        self.stop(|control| control.kill(self.reader.id(), &self.state))
    }

    fn stop(&self, how: impl FnOnce(&dyn CallControl) -> bool) -> bool {
        let stopped = !self.is_done() && self.control.as_deref().is_some_and(how);
        // Somebody else may have cancelled it, before or in between.
        stopped || self.is_cancelled()
    }

    /// How far the call has come.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.state.state()
    }

    /// Whether the call is done: with a value, an error, or cancelled.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state.is_done()
    }

    /// Whether a worker runs the call now.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state() == TaskState::Running
    }

    /// Whether the call was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state() == TaskState::Cancelled
    }

    /// The number of the call, unique in its pool.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.reader.id().sequence()
    }

    /// The name of the task.
    #[must_use]
    pub fn task(&self) -> &str {
        self.reader.task()
    }

    /// Has `callback` run when the call is done, on the pool's callback thread (in polled mode: in
    /// `process_results`); also when it is done already. A pool that is gone has no such thread
    /// any more: then, and when the thread can't be started, it runs in place.
    ///
    /// Each callback runs exactly once, also when the future is dropped; those that were added
    /// before the call was done run in the order in which they were added. Each gets a value of
    /// its own, decoded for it; the result can still be waited for. (One that is added after the
    /// result was taken gets a `Decode` error.) A callback that panics harms nobody.
    ///
    /// ```
    /// use ppool_core::TaskFuture;
    ///
    /// fn report(future: &TaskFuture<u64>) {
    ///     future.on_done(|result| match result {
    ///         Ok(value) => println!("{value}"),
    ///         Err(error) => println!("failed to run the task: {error}"),
    ///     });
    /// }
    /// ```
    pub fn on_done(&self, callback: impl FnOnce(Result<&R, &TaskError>) + Send + 'static)
    where
        R: 'static,
    {
        let reader = self.reader;
        let hook: Hook = Box::new(move |outcome| callback(reader.read_shared(outcome).as_ref()));
        self.adds_hook(hook);
    }

    /// What makes values of its results.
    pub(crate) fn reader(&self) -> ResultReader<R> {
        self.reader
    }

    /// Has `hook` run when the call ends, or now when it has ended.
    pub(crate) fn adds_hook(&self, hook: Hook) {
        let AddsHook::Ended(hook, outcome) = self.state.adds_hook(hook) else {
            return;
        };
        match &self.control {
            Some(control) => control.callbacks().run(Box::new(move || hook(outcome))),
            None => contained(move || hook(outcome)),
        }
    }

    /// Blocks until the call is done or `deadline` has passed; whether it is done.
    pub(super) fn wait_until(&self, deadline: Option<Instant>) -> bool {
        if self.is_done() {
            return true;
        }
        if has_passed(deadline) {
            return false;
        }
        self.help(deadline);
        self.state.wait_until_done(deadline)
    }

    /// Lets this thread drive the pool for a bounded while, since it is about to block.
    pub(super) fn help(&self, deadline: Option<Instant>) {
        if let Some(control) = &self.control {
            control.help_until_done(&self.state, deadline);
        }
    }

    /// See [`CallState::observes`].
    pub(super) fn observes(&self, observer: &Arc<dyn EndObserver>, tag: usize) -> Observes {
        self.state.observes(observer, tag)
    }

    /// See [`CallState::stops_observing`].
    pub(super) fn stops_observing(&self, observer: &Arc<dyn EndObserver>) {
        self.state.stops_observing(observer);
    }

    /// The state that the completer shares.
    pub(super) fn shared(&self) -> &Arc<CallState> {
        &self.state
    }

    /// Takes the result of a call that is done.
    fn take(&self) -> Result<R, TaskError> {
        let outcome = self.state.take_outcome();
        self.reader
            .read(outcome.expect("only a call that is done is asked for its outcome"))
    }
}

impl<R> Future for TaskFuture<R> {
    type Output = Result<R, TaskError>;

    /// Only the last waker is woken. After it was ready once, it is so again, as
    /// [`wait`](TaskFuture::wait) would be.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.is_done() && self.state.registers_waker(context.waker()) {
            self.has_waker = true;
            return Poll::Pending;
        }
        self.given = true;
        Poll::Ready(self.take())
    }
}

impl<R> Drop for TaskFuture<R> {
    /// Detaches the call: whoever awaited it is not woken any more.
    fn drop(&mut self) {
        if self.has_waker {
            self.state.forgets_waker();
        }
    }
}

impl<R> fmt::Debug for TaskFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFuture")
            .field("id", &self.id())
            .field("task", &self.task())
            .field("state", &self.state())
            .finish()
    }
}
