//! A call as a value: made in one place, queued in another.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Pool,
    options::{Options, call_options},
};
use crate::{
    codec::IntoArgs,
    error::{SubmitError, TaskError},
    future::TaskFuture,
    task::{Task, TaskObject},
};

/// A call that was not submitted yet: a task, its arguments, and options of its own. What DIRAC's
/// ProcessPool calls a `ProcessTask`.
///
/// [`Pool::queue`] submits it. [`Pool::try_queue`] gives it back whole when the queue is full, so
/// that it can be kept for later, or for another pool.
///
/// ```no_run
/// # use ppool_core as ppool;
/// # use ppool_core::{SubmitError, Task};
/// use std::time::Duration;
///
/// use ppool::{Call, Pool, TaskError};
///
/// # fn example<T: Task<Args = (u64,), Output = u64>>(pool: &Pool, square: T) -> Result<(), TaskError> {
/// let call = Call::new(square, 7)
///     .timeout(Duration::from_secs(5))
///     .callback(|square| println!("{square}"));
/// match pool.try_queue(call) {
///     Ok(future) => println!("{}", future.wait()?),
///     Err(refused) => println!("later: {:?}", refused.into_args()),
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a call runs only when a pool queues it"]
pub struct Call<T: Task, A> {
    task: T,
    args: A,
    /// Boxed, so that a call that is given back in an error is small.
    options: Box<Options<T::Output>>,
}

impl<T: Task, A: IntoArgs<T::Args>> Call<T, A> {
    /// A call of `task` with `args`: a tuple with a value for each parameter, or the bare value
    /// where there is one.
    pub fn new(task: T, args: A) -> Self {
        Call {
            task,
            args,
            options: Box::default(),
        }
    }
}

impl<J: TaskObject> Call<J::Task, (J,)> {
    /// A call of a callable object.
    pub fn object(job: J) -> Self {
        Call {
            task: J::task(),
            args: (job,),
            options: Box::default(),
        }
    }
}

impl<T: Task, A> Call<T, A> {
    call_options!();

    /// The name of the task.
    #[must_use]
    pub fn task_name(&self) -> &'static str {
        T::entry().name
    }

    /// The arguments, as they were passed.
    #[must_use]
    pub fn args(&self) -> &A {
        &self.args
    }

    /// The arguments, as they were passed; the rest of the call is gone.
    #[must_use]
    pub fn into_args(self) -> A {
        self.args
    }

    /// How long it may run: what [`timeout`](Call::timeout) set, else the task's own `timeout`.
    /// `None` leaves it to the pool.
    #[must_use]
    pub fn get_timeout(&self) -> Option<Duration> {
        self.options.timeout.or(T::entry().timeout)
    }

    /// Whether it, or its task, has a time limit.
    #[must_use]
    pub fn has_timeout(&self) -> bool {
        self.get_timeout().is_some()
    }

    /// How often it may run again after its worker was lost: what [`retries`](Call::retries) set,
    /// else the task's own `retries`. `None` leaves it to the pool.
    #[must_use]
    pub fn get_retries(&self) -> Option<u32> {
        self.options.retries.or(T::entry().retries)
    }

    /// The priority that [`priority`](Call::priority) set, else 0.
    #[must_use]
    pub fn get_priority(&self) -> i32 {
        self.options.priority
    }

    /// The label that [`id`](Call::id) set.
    #[must_use]
    pub fn get_id(&self) -> Option<u64> {
        self.options.label
    }

    /// Whether it has a callback of its own.
    #[must_use]
    pub fn has_callback(&self) -> bool {
        self.options.callbacks.callback.is_some()
    }

    /// Whether it has an exception callback of its own.
    #[must_use]
    pub fn has_exception_callback(&self) -> bool {
        self.options.callbacks.exception_callback.is_some()
    }

    /// Whether the pool's callbacks run for it too.
    #[must_use]
    pub fn uses_pool_callbacks(&self) -> bool {
        self.options.callbacks.pool
    }
}

impl<T: Task, A: Clone> Clone for Call<T, A> {
    /// The same call once more; the callbacks are shared.
    fn clone(&self) -> Self {
        Call {
            task: self.task,
            args: self.args.clone(),
            options: self.options.clone(),
        }
    }
}

impl<T: Task, A> fmt::Debug for Call<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("task", &self.task_name())
            .field("timeout", &self.get_timeout())
            .field("retries", &self.get_retries())
            .field("has_callback", &self.has_callback())
            .field("has_exception_callback", &self.has_exception_callback())
            .field("uses_pool_callbacks", &self.uses_pool_callbacks())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Submits a call that was made before, as [`submit`](Pool::submit) does: it blocks while the
    /// queue is full, and a call that can't be accepted gives a future that already holds the
    /// error.
    pub fn queue<T: Task, A: IntoArgs<T::Args>>(&self, call: Call<T, A>) -> TaskFuture<T::Output> {
        self.submit_with(call.task, &call.options, &call.args)
    }

    /// As [`queue`](Pool::queue), but never blocks.
    ///
    /// # Errors
    /// [`SubmitError`] says why the call was not accepted, and gives it back as it was.
    pub fn try_queue<T: Task, A: IntoArgs<T::Args>>(
        &self,
        call: Call<T, A>,
    ) -> Result<TaskFuture<T::Output>, SubmitError<Call<T, A>>> {
        let Call {
            task,
            args,
            options,
        } = call;
        self.try_submit_with(task, &options, args)
            .map_err(|refused| {
                refused.map(|args| Call {
                    task,
                    args,
                    options,
                })
            })
    }
}
