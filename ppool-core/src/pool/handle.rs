//! The pool itself.

use std::{fmt, sync::Arc};

use super::{
    PoolBuilder, Workers,
    callbacks::{Done, PoolCallbacks},
    chunk::encode_item,
    map::Imap,
    options::{Options, TaskCall},
};
use crate::{
    codec::{Encoder, IntoArgs},
    error::{BuildError, SubmitError, TaskError, TaskErrorKind},
    future::{CallState, TaskFuture},
    ids::WorkId,
    queue_manager::{Cargo, QueueManager, Refusal, Terms, drain},
    task::{Callable, Task, TaskEntry, TaskObject},
};

/// A pool of worker processes that run tasks.
///
/// A worker that dies takes only the call with it that it was running; another one replaces it.
/// Dropping the pool drains it: all calls that were submitted are finished first, then the workers
/// leave. (An `imap` that is still being read keeps it open until it is dropped too.) At the end of the process every pool that still lives is drained too.
///
/// ```no_run
/// # use ppool_core as ppool;
/// # fn square() {}
/// let pool = ppool::Pool::builder().workers(4).name("squares").build()?;
/// println!("{} workers at the most", pool.max_workers());
/// # Ok::<(), ppool::BuildError>(())
/// ```
pub struct Pool {
    pub(super) parts: Arc<PoolParts>,
}

/// What a pool and its iterators share; the pool is drained when the last of them goes, so that
/// `Pool::new().imap(..)` works without a name for the pool.
#[derive(Debug)]
pub(super) struct PoolParts {
    pub(super) manager: Arc<QueueManager>,
    pub(super) callbacks: Arc<PoolCallbacks>,
    pub(super) retries: u32,
    pub(super) task_timeout: Option<std::time::Duration>,
}

impl PoolParts {
    /// What a call asks for: its own options, else the task's defaults, else the pool's.
    pub(super) fn terms<R>(&self, entry: &TaskEntry, options: &Options<R>, count: u32) -> Terms {
        Terms {
            count,
            retries: options.retries.or(entry.retries).unwrap_or(self.retries),
            timeout: options.timeout.or(entry.timeout).or(self.task_timeout),
            priority: options.priority,
        }
    }
}

/// What becomes of the calls that wait when a pool is shut down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Shutdown {
    /// They are finished first.
    Drain,
    /// They are cancelled; only what runs is finished.
    CancelPending,
}

/// Why a call was not accepted, before its arguments are given back.
enum NotAccepted {
    Full,
    Other(TaskErrorKind),
}

impl From<Refusal> for NotAccepted {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::Full => NotAccepted::Full,
            why => NotAccepted::Other(why.into()),
        }
    }
}

impl Pool {
    /// A pool with one worker for each available CPU and defaults for the rest. It can't fail:
    /// workers start with the first call, and if they can't, that call's error says why.
    #[must_use]
    pub fn new() -> Self {
        PoolBuilder::new().build_with_defaults()
    }

    /// A pool with settings of its own.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }

    // ------------------------------------------------------------------ one call

    /// Calls `task` with `args` in a worker; returns at once with the future of its result.
    ///
    /// `args` is a tuple with a value for each parameter, or the bare value where there is one.
    /// When as many calls wait as `queue_capacity` allows, it blocks until there is room. A call
    /// that can't be accepted gives a future that already holds the error.
    pub fn submit<T: Task, A: IntoArgs<T::Args>>(&self, task: T, args: A) -> TaskFuture<T::Output> {
        self.submit_with(task, &Options::default(), &args)
    }

    /// As [`submit`](Pool::submit), but never blocks.
    ///
    /// # Errors
    /// [`SubmitError`] says why the call was not accepted, and gives `args` back.
    pub fn try_submit<T: Task, A: IntoArgs<T::Args>>(
        &self,
        task: T,
        args: A,
    ) -> Result<TaskFuture<T::Output>, SubmitError<A>> {
        self.try_submit_with(task, &Options::default(), args)
    }

    /// Calls `task` with `args` in a worker and waits for its result.
    ///
    /// # Errors
    /// What kept the call from giving a value.
    pub fn apply<T: Task, A: IntoArgs<T::Args>>(
        &self,
        task: T,
        args: A,
    ) -> Result<T::Output, TaskError> {
        self.submit(task, args).wait()
    }

    /// Runs a callable object in a worker.
    pub fn submit_object<J: TaskObject>(&self, job: J) -> TaskFuture<<J as Callable>::Output> {
        self.submit(J::task(), (job,))
    }

    /// A call of `task` with options of its own: a time limit, callbacks, ..
    pub fn task<T: Task>(&self, task: T) -> TaskCall<'_, T> {
        TaskCall::new(self, task)
    }

    // ------------------------------------------------------------------ many calls

    /// Calls `task` with each of `inputs` and gives the results in order.
    ///
    /// # Errors
    /// The first failure that comes; the calls that have not started then are cancelled.
    pub fn map<T, I>(&self, task: T, inputs: I) -> Result<Vec<T::Output>, TaskError>
    where
        T: Task,
        I: IntoIterator<Item: IntoArgs<T::Args>>,
    {
        self.task(task).map(inputs)
    }

    /// Runs callable objects and gives their results in order.
    ///
    /// # Errors
    /// As [`map`](Pool::map).
    pub fn map_objects<J, I>(&self, jobs: I) -> Result<Vec<<J as Callable>::Output>, TaskError>
    where
        J: TaskObject,
        I: IntoIterator<Item = J>,
    {
        self.map(J::task(), jobs.into_iter().map(|job| (job,)))
    }

    /// Calls `task` with each of `inputs`; gives each result in its turn, in order of the inputs.
    ///
    /// Inputs are pulled a bounded window ahead, so they may be endless.
    pub fn imap<T, I>(&self, task: T, inputs: I) -> Imap<T, I::IntoIter>
    where
        T: Task,
        I: IntoIterator<Item: IntoArgs<T::Args>>,
    {
        self.task(task).imap(inputs)
    }

    /// As [`imap`](Pool::imap), but gives each result as soon as it is there.
    pub fn imap_unordered<T, I>(&self, task: T, inputs: I) -> Imap<T, I::IntoIter>
    where
        T: Task,
        I: IntoIterator<Item: IntoArgs<T::Args>>,
    {
        self.task(task).imap_unordered(inputs)
    }

    // ------------------------------------------------------------------ callbacks

    /// Runs `callback` for each call that gives a value, after the call's own callback. Replaces
    /// the one before; calls submitted earlier without any callback are not affected.
    pub fn set_callback(&self, callback: impl Fn(&Done<'_>) + Send + Sync + 'static) {
        self.parts.callbacks.set_callback(Arc::new(callback));
    }

    /// Runs `callback` for each call that gives none.
    pub fn set_exception_callback(&self, callback: impl Fn(&TaskError) + Send + Sync + 'static) {
        self.parts
            .callbacks
            .set_exception_callback(Arc::new(callback));
    }

    /// Runs the callbacks that wait, on this thread, when the pool was built with
    /// [`Callbacks::Polled`](crate::Callbacks::Polled); says how many. 0 in `Background` mode.
    pub fn process_results(&self) -> usize {
        self.parts.manager.callbacks().process(None)
    }

    /// Waits until every call is resolved and every callback has run, those that wait to be asked
    /// for on this thread; at most `timeout`. Says whether that came about.
    pub fn process_all_results(&self, timeout: std::time::Duration) -> bool {
        let now = std::time::Instant::now();
        // A time that can't be reckoned is as good as a very long one.
        let deadline = now
            .checked_add(timeout)
            .unwrap_or_else(|| now + std::time::Duration::from_secs(86_400 * 365));
        self.parts.manager.process_all(deadline)
    }

    /// Has callbacks run on a thread of their own from now on, as `Callbacks::Background` does. A
    /// second call changes nothing.
    pub fn daemonize(&self) {
        self.parts.manager.callbacks().daemonize();
    }

    // ------------------------------------------------------------------ life

    /// Accepts no more calls; what was submitted is finished, then the workers leave. Returns at
    /// once.
    pub fn close(&self) {
        self.parts.manager.close();
    }

    /// Waits until the pool has ended: every call resolved, every callback run, every worker gone.
    /// Closes the pool first when it is still open, since it would wait for ever otherwise.
    ///
    /// Inside one of the pool's own callbacks it doesn't wait for the callbacks.
    pub fn join(&self) {
        drain(&self.parts.manager);
    }

    /// Ends the pool now: calls that wait are cancelled, calls that run are stopped (SIGTERM, after
    /// the grace SIGKILL). Waits until the workers are gone, as [`join`](Pool::join) does.
    pub fn terminate(&self) {
        self.parts.manager.terminate();
        self.join();
    }

    /// Accepts no more calls, and waits until those that were submitted are finished or cancelled.
    pub fn shutdown(&self, how: Shutdown) {
        self.close();
        if how == Shutdown::CancelPending {
            self.parts.manager.cancel_pending();
        }
        self.join();
    }

    /// Changes how many workers the pool has: a number, or a range `min..=max`, as
    /// [`PoolBuilder::workers`] takes. Returns at once.
    ///
    /// More workers start as soon as they are wanted: up to `min` at once (once the pool has had a
    /// call), the others when calls wait. Workers that are too many leave: idle ones at once, the
    /// others after the calls that they have; no call is interrupted. A pool that runs its calls
    /// [in this process](PoolBuilder::in_process) has no workers, and stays as it is.
    ///
    /// # Errors
    /// When the pool could not be built with this number of workers. Nothing changes then.
    pub fn resize(&self, workers: impl Into<Workers>) -> Result<(), BuildError> {
        let (min, max) = workers.into().limits()?;
        self.parts.manager.resize(min, max);
        Ok(())
    }

    // ------------------------------------------------------------------ looking

    /// The least number of workers.
    #[must_use]
    pub fn min_workers(&self) -> usize {
        self.parts.manager.min_and_max().0
    }

    /// The most workers.
    #[must_use]
    pub fn max_workers(&self) -> usize {
        self.parts.manager.min_and_max().1
    }

    /// How many workers are running a call.
    #[must_use]
    pub fn busy_workers(&self) -> usize {
        self.parts.manager.busy_and_idle().0
    }

    /// How many workers wait for a call.
    #[must_use]
    pub fn idle_workers(&self) -> usize {
        self.parts.manager.busy_and_idle().1
    }

    /// How many more calls could run at once: `max_workers` less `busy_workers`, counting those
    /// workers that would have to be started first.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.max_workers().saturating_sub(self.busy_workers())
    }

    /// Whether calls wait for a worker.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.parts.manager.pending_and_unresolved().0 > 0
    }

    /// Whether as many calls wait as may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.parts.manager.admits(), Err(Refusal::Full))
    }

    /// Whether any call waits or runs.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.parts.manager.pending_and_unresolved().1 > 0
    }

    /// The process ids of the workers.
    #[must_use]
    pub fn worker_pids(&self) -> Vec<u32> {
        self.parts.manager.worker_pids()
    }

    // ------------------------------------------------------------------ inside

    pub(super) fn submit_with<T: Task, A: IntoArgs<T::Args>>(
        &self,
        task: T,
        options: &Options<T::Output>,
        args: &A,
    ) -> TaskFuture<T::Output> {
        match self.accept(task, options, args, true) {
            Ok(future) => future,
            Err(reason) => {
                let kind = match reason {
                    NotAccepted::Other(kind) => kind,
                    NotAccepted::Full => unreachable!("a submission that waits is never too many"),
                };
                let error = TaskError::new(T::entry().name, WorkId::default(), false, kind);
                let future = TaskFuture::failed(
                    error,
                    Some(Arc::clone(&self.parts.manager) as _),
                    WorkId::default(),
                    T::entry(),
                    T::output_lane(),
                )
                .labelled(options.label);
                self.attach_callbacks(&future, options);
                future
            }
        }
    }

    pub(super) fn try_submit_with<T: Task, A: IntoArgs<T::Args>>(
        &self,
        task: T,
        options: &Options<T::Output>,
        args: A,
    ) -> Result<TaskFuture<T::Output>, SubmitError<A>> {
        self.accept(task, options, &args, false)
            .map_err(|reason| match reason {
                NotAccepted::Full => SubmitError::Full(args),
                NotAccepted::Other(TaskErrorKind::PoolBroken(cause)) => {
                    SubmitError::Broken(args, cause)
                }
                NotAccepted::Other(TaskErrorKind::Encode(error)) => {
                    SubmitError::Encode(args, error)
                }
                NotAccepted::Other(_) => SubmitError::Closed(args),
            })
    }

    fn accept<T: Task, A: IntoArgs<T::Args>>(
        &self,
        _task: T,
        options: &Options<T::Output>,
        args: &A,
        wait: bool,
    ) -> Result<TaskFuture<T::Output>, NotAccepted> {
        let mut encoder = Encoder::for_call(self.parts.manager.segments());
        encode_item::<T, A>(args, &T::lanes(), &mut encoder)
            .map_err(|error| NotAccepted::Other(TaskErrorKind::Encode(error)))?;
        let state = Arc::new(CallState::new());
        let cargo = Cargo {
            entry: T::entry(),
            payload: encoder.into_shared(),
            sink: Arc::clone(&state) as _,
        };
        let terms = self.parts.terms(T::entry(), options, 1);
        let id = self.parts.manager.submit(cargo, terms, wait)?;
        let manager = Arc::clone(&self.parts.manager) as _;
        let future = TaskFuture::new(state, manager, id, T::entry(), T::output_lane())
            .labelled(options.label);
        self.attach_callbacks(&future, options);
        Ok(future)
    }

    pub(super) fn attach_callbacks<R: 'static>(
        &self,
        future: &TaskFuture<R>,
        options: &Options<R>,
    ) {
        let callbacks = &options.callbacks;
        if !callbacks.is_none(&self.parts.callbacks) {
            future.adds_hook(callbacks.hook(&self.parts.callbacks, future.reader()));
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Pool::new()
    }
}

impl Drop for PoolParts {
    /// Drains the pool: waits until all calls that were submitted are finished and the workers are
    /// gone and the callbacks have run (for those not inside one of the pool's own callbacks).
    fn drop(&mut self) {
        drain(&self.manager);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.parts.manager).finish()
    }
}
