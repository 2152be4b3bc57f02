//! An accepted call gave no value.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::WorkerExit;
use crate::ids::WorkId;

/// Why a call gave no value: which task and what happened to it.
///
/// A task's own `Result` is a value like any other and never ends up here. Cloning is cheap.
#[derive(Clone)]
pub struct TaskError {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: TaskErrorKind,
    task: &'static str,
    id: WorkId,
    label: Option<u64>,
    was_started: bool,
    /// Whether the time limit that was passed is that of processor time.
    cpu_time: bool,
}

/// What happened to a call that gave no value.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum TaskErrorKind {
    /// It was cancelled, or its pool was shut down with `CancelPending` or terminated.
    Cancelled,
    /// The task panicked.
    Panicked(RemotePanic),
    /// Its worker process ended while it ran.
    WorkerLost(WorkerExit),
    /// It ran longer than its time limit, this one, and was stopped; or it took more processor time
    /// than the pool's `cpu_time_limit`, which is this one
    /// ([`TaskError::is_cpu_timeout`] tells the two apart).
    TimedOut(Duration),
    /// It needed more memory than the pool's `memory_limit` lets its worker have.
    MemoryLimit,
    /// The pool was closed before the call was submitted.
    PoolClosed,
    /// The pool could not start workers.
    PoolBroken(BrokenPool),
    /// The arguments or the result could not be encoded.
    Encode(EncodeError),
    /// The arguments or the result could not be decoded.
    Decode(DecodeError),
}

impl TaskError {
    pub(crate) fn new(task: &'static str, id: WorkId, started: bool, kind: TaskErrorKind) -> Self {
        TaskError {
            inner: Arc::new(Inner {
                kind,
                task,
                id,
                label: None,
                was_started: started,
                cpu_time: false,
            }),
        }
    }

    /// The same error, where the time limit is that of processor time.
    pub(crate) fn of_cpu_time(self) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.inner);
        inner.cpu_time = true;
        TaskError {
            inner: Arc::new(inner),
        }
    }

    /// The same error of a call that its caller gave a label.
    pub(crate) fn labelled(self, label: u64) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.inner);
        inner.label = Some(label);
        TaskError {
            inner: Arc::new(inner),
        }
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> &TaskErrorKind {
        &self.inner.kind
    }

    /// The name of the task.
    #[must_use]
    pub fn task(&self) -> &str {
        self.inner.task
    }

    /// The id of the call, as `TaskFuture::id` gave it: the label that was set for it, else its
    /// number in the pool.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.inner.label.unwrap_or(self.inner.id.sequence())
    }

    /// Whether the call had begun to run in a worker: when not, running it again can't repeat any
    /// effect of it.
    #[must_use]
    pub fn was_started(&self) -> bool {
        self.inner.was_started
    }

    /// Whether the call was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.inner.kind, TaskErrorKind::Cancelled)
    }

    /// Whether the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.inner.kind, TaskErrorKind::Panicked(_))
    }

    /// Whether the worker process ended while it ran the call.
    #[must_use]
    pub fn is_worker_lost(&self) -> bool {
        matches!(self.inner.kind, TaskErrorKind::WorkerLost(_))
    }

    /// Whether the call passed its time limit, be it that of its running time or that of processor
    /// time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.inner.kind, TaskErrorKind::TimedOut(_))
    }

    /// Whether the call took more processor time than the pool's `cpu_time_limit`.
    #[must_use]
    pub fn is_cpu_timeout(&self) -> bool {
        self.inner.cpu_time
    }

    /// Whether the call needed more memory than the pool's `memory_limit`.
    #[must_use]
    pub fn is_memory_limit(&self) -> bool {
        matches!(self.inner.kind, TaskErrorKind::MemoryLimit)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.inner.task;
        match &self.inner.kind {
            TaskErrorKind::Cancelled => write!(f, "the call of `{task}` was cancelled"),
            TaskErrorKind::Panicked(panic) => write!(f, "task `{task}` panicked{panic}"),
            TaskErrorKind::WorkerLost(exit) => write!(f, "{exit}"),
            TaskErrorKind::TimedOut(limit) if self.inner.cpu_time => {
                write!(
                    f,
                    "task `{task}` took more than its limit of {limit:?} of processor time"
                )
            }
            TaskErrorKind::TimedOut(limit) => {
                write!(
                    f,
                    "task `{task}` ran longer than its time limit of {limit:?}"
                )
            }
            TaskErrorKind::MemoryLimit => {
                write!(
                    f,
                    "task `{task}` needed more memory than its worker may use"
                )
            }
            TaskErrorKind::PoolClosed => write!(
                f,
                "the call of `{task}` was not accepted: the pool is closed (cannot schedule new \
                 calls after shutdown)"
            ),
            TaskErrorKind::PoolBroken(cause) => {
                write!(f, "the call of `{task}` can't run: {cause}")
            }
            TaskErrorKind::Encode(error) => write!(f, "{error}"),
            TaskErrorKind::Decode(error) => write!(f, "{error}"),
        }
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("task", &self.inner.task)
            .field("id", &self.id())
            .field("kind", &self.inner.kind)
            .field("was_started", &self.inner.was_started)
            .finish()
    }
}

impl std::error::Error for TaskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.inner.kind {
            TaskErrorKind::PoolBroken(cause) => Some(cause),
            TaskErrorKind::Encode(error) => Some(error),
            TaskErrorKind::Decode(error) => Some(error),
            _ => None,
        }
    }
}

/// A panic of a task, as it was in the worker process.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePanic {
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) backtrace: Option<String>,
    /// Whether the worker process ends with it, because it can't unwind.
    pub(crate) fatal: bool,
}

impl RemotePanic {
    /// A panic with these parts; the worker's side makes them.
    #[doc(hidden)]
    #[must_use]
    pub fn new(message: String, location: Option<String>, backtrace: Option<String>) -> Self {
        RemotePanic {
            message,
            location,
            backtrace,
            fatal: false,
        }
    }

    /// The same as one that ends its worker process.
    #[doc(hidden)]
    #[must_use]
    pub fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }

    /// What was passed to `panic!`, when it was text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where the panic was: `file:line:column`.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// The worker's stack at the panic. `RUST_BACKTRACE=0` leaves it out.
    #[must_use]
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }
}

impl fmt::Display for RemotePanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, " at {location}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl fmt::Debug for RemotePanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemotePanic")
            .field("message", &self.message)
            .field("location", &self.location)
            .field("backtrace", &self.backtrace.as_ref().map(|_| "..."))
            .finish()
    }
}

/// Why a pool can't start workers.
#[derive(Clone)]
pub struct BrokenPool {
    message: Arc<str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl BrokenPool {
    pub(crate) fn new(message: impl Into<Arc<str>>) -> Self {
        BrokenPool {
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn with_source(
        message: impl Into<Arc<str>>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        BrokenPool {
            message: message.into(),
            source: Some(Arc::new(source)),
        }
    }
}

impl fmt::Display for BrokenPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for BrokenPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokenPool({self})")
    }
}

impl std::error::Error for BrokenPool {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

macro_rules! codec_error {
    ($(#[$doc:meta])* $name:ident, $verb:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name {
            pub(crate) task: Arc<str>,
            pub(crate) parameter: Option<Arc<str>>,
            pub(crate) message: Arc<str>,
        }

        impl $name {
            pub(crate) fn new(task: &str, parameter: Option<&str>, message: &str) -> Self {
                $name {
                    task: task.into(),
                    parameter: parameter.map(Into::into),
                    message: message.into(),
                }
            }

            /// The name of the task.
            #[must_use]
            pub fn task(&self) -> &str {
                &self.task
            }

            /// The name of the parameter; `None` when it was the result.
            #[must_use]
            pub fn parameter(&self) -> Option<&str> {
                self.parameter.as_deref()
            }

            /// What serde or the codec said.
            #[must_use]
            pub fn message(&self) -> &str {
                &self.message
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("could not ", $verb, " "))?;
                match &self.parameter {
                    Some(parameter) => write!(f, "the parameter `{parameter}`")?,
                    None => f.write_str("the result")?,
                }
                write!(f, " of task `{}`: {}", self.task, self.message)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::error::Error for $name {}
    };
}

codec_error! {
    /// A value could not be made into bytes: which task, which parameter (or the result), why.
    EncodeError, "encode"
}
codec_error! {
    /// Bytes could not be made into a value again: which task, which parameter (or the result), why.
    DecodeError, "decode"
}
