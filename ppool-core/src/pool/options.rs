//! The options of one call, or of one map.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    callbacks::{CallCallbacks, PoolCallbacks},
    handle::Pool,
    map::Imap,
};
use crate::{
    codec::IntoArgs,
    error::{SubmitError, TaskError},
    future::{Hook, ResultReader, TaskFuture},
    task::Task,
};

/// The options that a [`Call`](super::Call) and a [`TaskCall`] share, as methods. Both have `options`.
macro_rules! call_options {
    () => {
        /// How long the call may run, from its real start in the worker; when it has passed, the worker
        /// gets SIGTERM, after the pool's grace SIGKILL, and the call fails with `TimedOut`. Default:
        /// the task's `timeout`, else the pool's `task_timeout`, else no limit.
        pub fn timeout(mut self, limit: Duration) -> Self {
            self.options.timeout = Some(limit);
            self
        }

        /// How often the call may run again after its worker was lost. Default: the task's `retries`,
        /// else the pool's, else 0.
        pub fn retries(mut self, retries: u32) -> Self {
            self.options.retries = Some(retries);
            self
        }

        /// Calls of a higher priority start before those of a lower one, also before some that were
        /// submitted earlier; within a priority, the first in is the first out. What runs is not
        /// interrupted. Default: 0.
        pub fn priority(mut self, priority: i32) -> Self {
            self.options.priority = priority;
            self
        }

        /// A label of yours for the call, or for each call of a map: what [`TaskFuture::id`],
        /// [`TaskError::id`] and [`Done::id`](super::Done::id) then give. It need not be unique.
        /// Default: the call's number in its pool.
        pub fn id(mut self, label: u64) -> Self {
            self.options.label = Some(label);
            self
        }

        /// Runs `callback` with the value, when the call gives one, before the pool's own callback.
        /// For a map it runs for each input.
        pub fn callback(mut self, callback: impl Fn(&T::Output) + Send + Sync + 'static) -> Self {
            self.options.callbacks.callback = Some(Arc::new(callback));
            self
        }

        /// Runs `callback` with the error, when the call gives no value, before the pool's own
        /// exception callback.
        pub fn exception_callback(
            mut self,
            callback: impl Fn(&TaskError) + Send + Sync + 'static,
        ) -> Self {
            self.options.callbacks.exception_callback = Some(Arc::new(callback));
            self
        }

        /// Whether the pool's callbacks run for this call too. Default: true.
        pub fn pool_callbacks(mut self, enabled: bool) -> Self {
            self.options.callbacks.pool = enabled;
            self
        }
    };
}
pub(super) use call_options;

/// What may be set for one call; everything else is the task's or the pool's default.
pub(super) struct Options<R> {
    pub(super) timeout: Option<Duration>,
    pub(super) retries: Option<u32>,
    pub(super) priority: i32,
    pub(super) label: Option<u64>,
    pub(super) chunk_size: Option<usize>,
    pub(super) window: Option<usize>,
    pub(super) callbacks: CallCallbacks<R>,
}

impl<R> Clone for Options<R> {
    fn clone(&self) -> Self {
        Options {
            callbacks: self.callbacks.clone(),
            ..*self
        }
    }
}

impl<R> Default for Options<R> {
    fn default() -> Self {
        Options {
            timeout: None,
            retries: None,
            priority: 0,
            label: None,
            chunk_size: None,
            window: None,
            callbacks: CallCallbacks::default(),
        }
    }
}

impl<R> Options<R> {
    /// What makes the callbacks of each call of a map, if there are any.
    pub(super) fn hooks(
        &self,
        pool: &Arc<PoolCallbacks>,
        reader: ResultReader<R>,
    ) -> Option<MakeHook>
    where
        R: 'static,
    {
        (!self.callbacks.is_none(pool)).then(|| {
            let callbacks = self.callbacks.clone();
            let pool = Arc::clone(pool);
            MakeHook(Box::new(move || callbacks.hook(&pool, reader)))
        })
    }
}

/// Makes the callbacks of one call.
pub(super) struct MakeHook(Box<dyn Fn() -> Hook + Send + Sync>);

impl MakeHook {
    pub(super) fn make(&self) -> Hook {
        (self.0)()
    }
}

impl fmt::Debug for MakeHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeHook")
    }
}

/// One call, or one map, with options: what [`Pool::task`] gives.
#[must_use = "nothing is called until `submit`, `map` or another of the last words is said"]
pub struct TaskCall<'a, T: Task> {
    pub(super) pool: &'a Pool,
    pub(super) task: T,
    pub(super) options: Options<T::Output>,
}

impl<T: Task> fmt::Debug for TaskCall<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskCall")
            .field("task", &T::entry().name)
            .field("timeout", &self.options.timeout)
            .field("retries", &self.options.retries)
            .finish_non_exhaustive()
    }
}

impl<'a, T: Task> TaskCall<'a, T> {
    pub(super) fn new(pool: &'a Pool, task: T) -> Self {
        TaskCall {
            pool,
            task,
            options: Options::default(),
        }
    }

    call_options!();

    /// How many inputs of a map travel together (at least 1). Default: as many as keep a worker busy
    /// for about two milliseconds, measured while the map runs, and fewer towards its end.
    pub fn chunk_size(mut self, inputs: usize) -> Self {
        self.options.chunk_size = Some(inputs.max(1));
        self
    }

    /// How many inputs a map pulls ahead of the results that were taken from it (at least 1).
    /// Default: as many chunks as keep a worker busy for some milliseconds, but at least three and at
    /// most sixteen for each; with a fixed `chunk_size` at least 32 inputs, for `map` at least 4096.
    pub fn window(mut self, inputs: usize) -> Self {
        self.options.window = Some(inputs.max(1));
        self
    }

    /// As [`Pool::submit`].
    pub fn submit<A: IntoArgs<T::Args>>(self, args: A) -> TaskFuture<T::Output> {
        self.pool.submit_with(self.task, &self.options, &args)
    }

    /// As [`Pool::try_submit`].
    ///
    /// # Errors
    /// As [`Pool::try_submit`].
    pub fn try_submit<A: IntoArgs<T::Args>>(
        self,
        args: A,
    ) -> Result<TaskFuture<T::Output>, SubmitError<A>> {
        self.pool.try_submit_with(self.task, &self.options, args)
    }

    /// As [`Pool::apply`].
    ///
    /// # Errors
    /// As [`Pool::apply`].
    pub fn apply<A: IntoArgs<T::Args>>(self, args: A) -> Result<T::Output, TaskError> {
        self.submit(args).wait()
    }

    /// As [`Pool::map`].
    ///
    /// # Errors
    /// As [`Pool::map`].
    pub fn map<I>(self, inputs: I) -> Result<Vec<T::Output>, TaskError>
    where
        I: IntoIterator<Item: IntoArgs<T::Args>>,
    {
        Imap::ordered(self.pool, self.task, self.options, inputs.into_iter()).collect_all()
    }

    /// As [`Pool::imap`].
    pub fn imap<I>(self, inputs: I) -> Imap<T, I::IntoIter>
    where
        I: IntoIterator<Item: IntoArgs<T::Args>>,
    {
        Imap::ordered(self.pool, self.task, self.options, inputs.into_iter())
    }

    /// As [`Pool::imap_unordered`].
    pub fn imap_unordered<I>(self, inputs: I) -> Imap<T, I::IntoIter>
    where
        I: IntoIterator<Item: IntoArgs<T::Args>>,
    {
        Imap::unordered(self.pool, self.task, self.options, inputs.into_iter())
    }
}
