//! Callbacks: of one call, and of the whole pool.
//!
//! For each call exactly one kind runs, `callback` or `exception_callback`; first the call's own,
//! then the pool's, as DIRAC's ProcessPool orders them. They run one after the other on a thread of
//! their own, never on a thread that a worker could wait for.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    error::TaskError,
    future::{Hook, ResultReader, contained},
};

/// A call that gave a value, as the pool's callback sees it.
pub struct Done<'a> {
    id: u64,
    task: &'a str,
    value: &'a dyn Any,
}

impl Done<'_> {
    /// The id of the call, as `TaskFuture::id` gives it.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The name of the task.
    #[must_use]
    pub fn task(&self) -> &str {
        self.task
    }

    /// The value, when the task returns an `R`.
    #[must_use]
    pub fn value<R: 'static>(&self) -> Option<&R> {
        self.value.downcast_ref()
    }
}

impl fmt::Debug for Done<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done")
            .field("id", &self.id)
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

type OnDone = Arc<dyn Fn(&Done<'_>) + Send + Sync>;
type OnValue<R> = Arc<dyn Fn(&R) + Send + Sync>;
type OnError = Arc<dyn Fn(&TaskError) + Send + Sync>;

/// The callbacks of a pool; they can be replaced at any time.
#[derive(Default)]
pub(super) struct PoolCallbacks {
    /// Whether there is any: the usual call asks nothing else.
    any: AtomicBool,
    both: RwLock<(Option<OnDone>, Option<OnError>)>,
}

impl PoolCallbacks {
    pub(super) fn set_callback(&self, callback: OnDone) {
        self.set(|both| both.0 = Some(callback));
    }

    pub(super) fn set_exception_callback(&self, callback: OnError) {
        self.set(|both| both.1 = Some(callback));
    }

    fn set(&self, change: impl FnOnce(&mut (Option<OnDone>, Option<OnError>))) {
        change(&mut self.both.write().unwrap_or_else(PoisonError::into_inner));
        self.any.store(true, Ordering::Release);
    }

    fn get(&self) -> (Option<OnDone>, Option<OnError>) {
        self.both
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl fmt::Debug for PoolCallbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PoolCallbacks({})", self.any.load(Ordering::Relaxed))
    }
}

/// The callbacks of one call, or of each call of a map.
pub(super) struct CallCallbacks<R> {
    pub(super) callback: Option<OnValue<R>>,
    pub(super) exception_callback: Option<OnError>,
    /// Whether the pool's callbacks run too.
    pub(super) pool: bool,
}

impl<R> Default for CallCallbacks<R> {
    fn default() -> Self {
        CallCallbacks {
            callback: None,
            exception_callback: None,
            pool: true,
        }
    }
}

impl<R> Clone for CallCallbacks<R> {
    fn clone(&self) -> Self {
        CallCallbacks {
            callback: self.callback.clone(),
            exception_callback: self.exception_callback.clone(),
            pool: self.pool,
        }
    }
}

impl<R: 'static> CallCallbacks<R> {
    /// Whether anything is to be run at all.
    pub(super) fn is_none(&self, pool: &PoolCallbacks) -> bool {
        self.callback.is_none()
            && self.exception_callback.is_none()
            && !(self.pool && pool.any.load(Ordering::Acquire))
    }

    /// One hook that runs all that is to be run, in order.
    pub(super) fn hook(&self, pool: &Arc<PoolCallbacks>, reader: ResultReader<R>) -> Hook {
        let call = self.clone();
        let pool = call.pool.then(|| Arc::clone(pool));
        Box::new(move |outcome| {
            let (on_done, on_error) = pool.map(|pool| pool.get()).unwrap_or_default();
            match reader.read_shared(outcome) {
                Ok(value) => {
                    if let Some(callback) = &call.callback {
                        contained(|| callback(&value));
                    }
                    if let Some(callback) = &on_done {
                        let done = Done {
                            id: reader.id().sequence(),
                            task: reader.task(),
                            value: &value,
                        };
                        contained(|| callback(&done));
                    }
                }
                Err(error) => {
                    for callback in [&call.exception_callback, &on_error].into_iter().flatten() {
                        contained(|| callback(&error));
                    }
                }
            }
        })
    }
}
