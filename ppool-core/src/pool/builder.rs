//! The settings of a pool.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::{
    Pool,
    callbacks::{Done, PoolCallbacks},
    handle::PoolParts,
    map::encode_item,
};
use crate::{
    codec::{Encoder, IntoArgs},
    error::{BuildError, BuildErrorKind, EncodeError, TaskError},
    future::Callbacks,
    ids::{WorkId, WorkerId},
    queue_manager::{Limits, QueueManager, Settings},
    supervise::LaunchConfig,
    task::{Registry, Task},
    wire::{Boot, BootCall},
};

/// The most workers that a pool may have.
const MOST_WORKERS: usize = 1 << 16;

/// How many workers a pool has: a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Workers(usize);

impl From<usize> for Workers {
    fn from(count: usize) -> Self {
        Workers(count)
    }
}

/// The settings of a pool, until [`build`](PoolBuilder::build) makes it: what [`Pool::builder`]
/// gives.
#[must_use = "a builder does nothing until `build` is called"]
pub struct PoolBuilder {
    workers: usize,
    queue_capacity: usize,
    name: String,
    initializer: Option<Result<BootPart, EncodeError>>,
    finalizer: Option<Result<BootPart, EncodeError>>,
    task_timeout: Option<Duration>,
    grace: Duration,
    start_timeout: Duration,
    retries: u32,
    env: Vec<(OsString, Option<OsString>)>,
    current_dir: Option<PathBuf>,
    callbacks: Callbacks,
    pool_callbacks: PoolCallbacks,
    in_process: bool,
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("workers", &self.workers)
            .field("queue_capacity", &self.queue_capacity)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl PoolBuilder {
    pub(super) fn new() -> Self {
        PoolBuilder {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            queue_capacity: 1 << 20,
            name: "ppool".into(),
            initializer: None,
            finalizer: None,
            task_timeout: None,
            grace: Duration::from_secs(5),
            start_timeout: Duration::from_secs(30),
            retries: 0,
            env: Vec::new(),
            current_dir: None,
            callbacks: Callbacks::Background,
            pool_callbacks: PoolCallbacks::default(),
            in_process: false,
        }
    }

    /// How many worker processes there are, at least 1. Default: one for each available CPU, as
    /// `std::thread::available_parallelism` counts them (it respects affinity and cgroups).
    pub fn workers(mut self, workers: impl Into<Workers>) -> Self {
        self.workers = workers.into().0;
        self
    }

    /// How many calls may wait for their turn, at least 1, besides those that run; `submit` blocks
    /// when so many do. Default: 1,048,576.
    pub fn queue_capacity(mut self, calls: usize) -> Self {
        self.queue_capacity = calls;
        self
    }

    /// What the workers are called in `ps`. Default: `ppool`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A task that each worker runs when it starts, before any call, also each replacement. When
    /// it panics, the pool counts as broken, and every call fails with the cause. Default: none.
    pub fn initializer<T: Task, A: IntoArgs<T::Args>>(mut self, _task: T, args: A) -> Self {
        self.initializer = Some(boot_call::<T, A>(&args));
        self
    }

    /// A task that each worker runs when it leaves regularly, after its last call. Default: none.
    pub fn finalizer<T: Task, A: IntoArgs<T::Args>>(mut self, _task: T, args: A) -> Self {
        self.finalizer = Some(boot_call::<T, A>(&args));
        self
    }

    /// How long a call may run unless it says otherwise, from its real start. Default: no limit.
    pub fn task_timeout(mut self, limit: Duration) -> Self {
        self.task_timeout = Some(limit);
        self
    }

    /// How long a worker that was sent SIGTERM has until SIGKILL. Default: 5 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long a worker process may take from its start until it is ready for calls, its
    /// initializer included; after that the pool counts as broken. Default: 30 s.
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.start_timeout = limit;
        self
    }

    /// How often a call may run again after its worker was lost, unless it says otherwise.
    /// Default: 0.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets an environment variable for the workers; they inherit all others from the parent, as
    /// they are when a worker starts.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref().to_owned();
        self.env.push((key.as_ref().to_owned(), Some(value)));
        self
    }

    /// Removes an environment variable for the workers.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), None));
        self
    }

    /// The directory that the workers work in. Default: the parent's when a worker starts.
    pub fn current_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(dir.into());
        self
    }

    /// Runs for each call that gives a value, after the call's own callback. Default: none.
    pub fn callback(self, callback: impl Fn(&Done<'_>) + Send + Sync + 'static) -> Self {
        self.pool_callbacks.set_callback(Arc::new(callback));
        self
    }

    /// Runs for each call that gives no value, after the call's own. Default: none.
    pub fn exception_callback(self, callback: impl Fn(&TaskError) + Send + Sync + 'static) -> Self {
        self.pool_callbacks
            .set_exception_callback(Arc::new(callback));
        self
    }

    /// Where callbacks run: on one thread of their own, or only inside
    /// [`Pool::process_results`]. Default: [`Callbacks::Background`].
    pub fn callbacks(mut self, mode: Callbacks) -> Self {
        self.callbacks = mode;
        self
    }

    /// Runs every call in this process, on the thread that submits it, before `submit` returns: for
    /// debugging, where a breakpoint in a task, a profiler or a plain `dbg!` should work. Programs
    /// need no change otherwise: arguments and results are encoded and decoded, and the initializer
    /// and finalizer run, as if there were a worker.
    ///
    /// What only a process of its own can give is missing:
    ///
    /// - A task that ends its process, or crashes, ends this one. Panics are caught, unless the
    ///   program was built with `panic = "abort"`; the usual panic hook reports them too.
    /// - Time limits are not enforced, and a call that runs can't be stopped. None ever waits, so
    ///   none can be cancelled either.
    /// - Nothing runs in parallel, but for calls that are submitted by several threads at once.
    /// - The number of workers, their environment, directory and limits mean nothing;
    ///   `worker::current()` is `None`; statics and what `worker::set_state` keeps are those of
    ///   this process.
    pub fn in_process(mut self) -> Self {
        self.in_process = true;
        self
    }

    /// Makes the pool. Workers start with its first call.
    ///
    /// # Errors
    /// When a setting makes no sense, the arguments of the initializer or finalizer can't be
    /// encoded, or two tasks of the binary share a name.
    pub fn build(self) -> Result<Pool, BuildError> {
        if self.workers == 0 {
            return Err(BuildError::setting("a pool needs at least 1 worker"));
        }
        if self.workers > MOST_WORKERS {
            return Err(BuildError::setting(format!(
                "{} workers are too many: a pool may have {MOST_WORKERS}",
                self.workers
            )));
        }
        if self.queue_capacity == 0 {
            return Err(BuildError::setting(
                "a queue_capacity of 0 leaves no room for a call: it must be at least 1",
            ));
        }
        if self.queue_capacity > WorkId::MAX_ITEMS / 2 {
            return Err(BuildError::setting(format!(
                "a queue capacity of {} is too large: {} calls may wait",
                self.queue_capacity,
                WorkId::MAX_ITEMS / 2
            )));
        }
        if self.name.contains('\0') {
            return Err(BuildError::setting("the name of a pool can't have a NUL"));
        }
        for (key, value) in &self.env {
            check_variable(key, value.as_deref())?;
        }
        Registry::get()
            .map_err(|text| BuildError::new(BuildErrorKind::Registry(text.to_owned())))?;
        for call in [&self.initializer, &self.finalizer].into_iter().flatten() {
            if let Err(error) = call {
                return Err(BuildError::new(BuildErrorKind::Encode(error.clone())));
            }
        }
        Ok(self.build_with_defaults())
    }

    /// The pool, when the settings are known to make sense.
    pub(super) fn build_with_defaults(self) -> Pool {
        let [initializer, finalizer] = [self.initializer, self.finalizer]
            .map(|part| part.and_then(Result::ok).unwrap_or_default());
        let settings = Settings {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            limits: Limits {
                workers: match self.in_process {
                    true => 1,
                    false => {
                        u32::try_from(self.workers).expect("the number was checked, or is small")
                    }
                },
                queue_capacity: self.queue_capacity,
                grace: self.grace,
                start_timeout: self.start_timeout,
                leave_timeout: Duration::from_secs(10),
            },
            launch: LaunchConfig {
                pool_name: self.name.clone(),
                env: self.env,
            },
            boot: Boot {
                pool: self.name.clone(),
                worker: WorkerId::default(),
                initializer: initializer.call,
                finalizer: finalizer.call,
                current_dir: self.current_dir,
                parent_pid: std::process::id(),
            },
            descriptors: [initializer.descriptors, finalizer.descriptors],
            name: self.name,
            callbacks: self.callbacks,
            in_process: self.in_process,
        };
        Pool {
            parts: Arc::new(PoolParts {
                manager: QueueManager::new(settings),
                callbacks: Arc::new(self.pool_callbacks),
                retries: self.retries,
                task_timeout: self.task_timeout,
            }),
        }
    }
}

/// An initializer or a finalizer, if there is one.
#[derive(Default)]
struct BootPart {
    call: Option<BootCall>,
    /// Those that its arguments attached.
    descriptors: Vec<OwnedFd>,
}

fn boot_call<T: Task, A: IntoArgs<T::Args>>(args: &A) -> Result<BootPart, EncodeError> {
    let mut encoder = Encoder::new();
    encode_item::<T, A>(args, &T::lanes(), &mut encoder)?;
    let descriptors = encoder.take_descriptors();
    let count = u32::try_from(descriptors.len()).expect("a value has a bounded number of them");
    Ok(BootPart {
        call: Some(BootCall {
            task: T::entry().key,
            payload: encoder.into_bytes(),
            descriptors: count,
        }),
        descriptors,
    })
}

fn check_variable(key: &OsStr, value: Option<&OsStr>) -> Result<(), BuildError> {
    let key = key.as_encoded_bytes();
    let bad_key = key.is_empty() || key.contains(&b'=') || key.contains(&0);
    if bad_key || value.is_some_and(|value| value.as_encoded_bytes().contains(&0)) {
        return Err(BuildError::setting(format!(
            "`{}` can't be an environment variable: a name is not empty and has no `=`, and \
             neither name nor value has a NUL",
            String::from_utf8_lossy(key)
        )));
    }
    Ok(())
}
