//! The settings of a pool.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    ops::RangeInclusive,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::{
    Pool,
    callbacks::{Done, PoolCallbacks},
    chunk::encode_item,
    handle::PoolParts,
    start_method::StartMethod,
};
use crate::{
    codec::{Encoder, IntoArgs},
    error::{BuildError, BuildErrorKind, EncodeError, TaskError},
    future::Callbacks,
    ids::{WorkId, WorkerId},
    output::Output,
    queue_manager::{Limits, QueueManager, Settings, TakeLine},
    supervise::LaunchConfig,
    task::{Registry, Task},
    wire::{Boot, BootCall, WorkerLimits},
};

/// The most workers that a pool may have.
const MOST_WORKERS: u32 = 1 << 16;

/// How many workers a pool has: a number, or the least and the most of an elastic pool.
///
/// ```
/// use ppool_core::Workers;
///
/// assert_eq!(Workers::from(4), Workers::from(4..=4));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Workers {
    min: usize,
    max: usize,
}

impl Workers {
    /// The two numbers, when they make sense.
    pub(super) fn limits(self) -> Result<(u32, u32), BuildError> {
        let Workers { min, max } = self;
        if min > max {
            return Err(BuildError::setting(format!(
                "from {min} to {max} workers is no range: the least number comes first"
            )));
        }
        if min == 0 {
            return Err(BuildError::setting("a pool needs at least 1 worker"));
        }
        match (u32::try_from(min), u32::try_from(max)) {
            (Ok(min), Ok(max)) if max <= MOST_WORKERS => Ok((min, max)),
            _ => Err(BuildError::setting(format!(
                "{max} workers are too many: a pool may have {MOST_WORKERS}"
            ))),
        }
    }
}

impl From<usize> for Workers {
    fn from(count: usize) -> Self {
        Workers {
            min: count,
            max: count,
        }
    }
}

impl From<RangeInclusive<usize>> for Workers {
    fn from(range: RangeInclusive<usize>) -> Self {
        Workers {
            min: *range.start(),
            max: *range.end(),
        }
    }
}

/// The settings of a pool, until [`build`](PoolBuilder::build) makes it: what [`Pool::builder`]
/// gives.
#[must_use = "a builder does nothing until `build` is called"]
pub struct PoolBuilder {
    workers: Workers,
    strict_limits: bool,
    keep_running: bool,
    idle_timeout: Duration,
    max_tasks_per_worker: Option<usize>,
    max_memory_growth: Option<u64>,
    histograms: bool,
    queue_capacity: usize,
    name: String,
    start_method: StartMethod,
    preload: Option<Result<BootPart, EncodeError>>,
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
    pub(super) in_process: bool,
    pub(super) output: Output,
    pub(super) take_line: Option<TakeLine>,
    pub(super) limits: WorkerLimits,
    pub(super) has_affinity: bool,
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
            workers: std::thread::available_parallelism()
                .map_or(1, usize::from)
                .into(),
            strict_limits: true,
            keep_running: false,
            idle_timeout: Duration::from_secs(60),
            max_tasks_per_worker: None,
            max_memory_growth: None,
            histograms: false,
            queue_capacity: 1 << 20,
            name: "ppool".into(),
            start_method: StartMethod::usual(),
            preload: None,
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
            output: Output::Inherit,
            take_line: None,
            limits: WorkerLimits::default(),
            has_affinity: false,
        }
    }

    /// How many worker processes there are: a number, at least 1, or a range `min..=max`.
    /// Default: one for each available CPU, as `std::thread::available_parallelism` counts them (it
    /// respects affinity and cgroups).
    ///
    /// A range makes the pool elastic. It has `min` workers from its first call on, starts another
    /// one whenever a call comes in and no worker is free for it, up to `max`, and lets those above
    /// `min` go that were idle for [`idle_timeout`](PoolBuilder::idle_timeout). A range that is
    /// empty or begins with 0 is an error of [`build`](PoolBuilder::build).
    pub fn workers(mut self, workers: impl Into<Workers>) -> Self {
        self.workers = workers.into();
        self
    }

    /// Whether there are never more than the most workers. Default: true.
    ///
    /// With `false`, the pool starts up to half as many again (rounded up) while its queue is full,
    /// as [`queue_capacity`](PoolBuilder::queue_capacity) says. They leave as soon as one of them
    /// is idle and no call waits.
    pub fn strict_limits(mut self, strict: bool) -> Self {
        self.strict_limits = strict;
        self
    }

    /// Whether the workers of an elastic pool stay once they were started, instead of leaving when
    /// they were idle for [`idle_timeout`](PoolBuilder::idle_timeout). Default: false.
    pub fn keep_running(mut self, keep: bool) -> Self {
        self.keep_running = keep;
        self
    }

    /// How long a worker of an elastic pool may be idle until it leaves, while there are more than
    /// the least number. It runs its finalizer. Default: 60 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// After how many calls a worker is replaced, at least 1. Default: never.
    ///
    /// This is what keeps leaks in check, as Apache and `mod_wsgi` do it: whatever a worker holds
    /// is freed when it leaves. Each call of a map counts, also when several travel together. The
    /// worker runs its finalizer, the one that replaces it the initializer, so a small number
    /// makes a pool slow.
    pub fn max_tasks_per_worker(mut self, calls: usize) -> Self {
        self.max_tasks_per_worker = Some(calls);
        self
    }

    /// By how many bytes the memory of a worker may grow; one that has grown by more is replaced
    /// after its call. At least 1. Default: no limit.
    ///
    /// What counts is private memory that is resident (heap and stacks, not the program's own
    /// pages, nothing that is shared), less what the worker had when it was ready for its first
    /// call: the memory of the program and of what the initializer loads is not part of it, and
    /// each worker does at least one call, however low the limit is. It is looked at when a
    /// result arrives, at most once in a millisecond for each worker; a map's inputs that travel
    /// together are finished first.
    pub fn max_memory_growth(mut self, bytes: u64) -> Self {
        self.max_memory_growth = Some(bytes);
        self
    }

    /// Whether it is counted how long calls wait and run; [`Pool::stats`] then has it in `waiting`
    /// and `running`. Default: false.
    ///
    /// It costs each call some ten nanoseconds and the pool some 80 KiB.
    #[cfg(feature = "stats")]
    pub fn histograms(mut self, wanted: bool) -> Self {
        self.histograms = wanted;
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

    /// How worker processes are started. Default: [`StartMethod::Exec`].
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.start_method = method;
        self
    }

    /// A task that runs once in the template, before it forks the first worker, so that the workers
    /// share what it has built: a loaded table, a parsed grammar, statics that are filled with the
    /// first use, what it keeps by `worker::set_state` for `worker::with_state`. When it fails or
    /// panics, the pool counts as broken, and every call fails with the cause; it has to end within
    /// `start_timeout`. Default: none.
    ///
    /// With [`StartMethod::Template`], which see for what it must not do. With
    /// [`StartMethod::Exec`] there is nothing to share, and each worker runs it by itself, right
    /// before its [initializer](PoolBuilder::initializer); so tasks find the same either way.
    pub fn preload<T: Task, A: IntoArgs<T::Args>>(mut self, _task: T, args: A) -> Self {
        self.preload = Some(boot_call::<T, A>(&args));
        self
    }

    /// A task that each worker runs when it starts, before any call, also each replacement. When
    /// it panics, the pool counts as broken, and every call fails with the cause. Default: none.
    pub fn initializer<T: Task, A: IntoArgs<T::Args>>(mut self, _task: T, args: A) -> Self {
        self.initializer = Some(boot_call::<T, A>(&args));
        self
    }

    /// A task that each worker runs when it leaves regularly, after its last call. When it fails or
    /// panics, no call is the worse for it: [`finalize`](Pool::finalize) lists it, and
    /// [`stats`](Pool::stats) counts it. Default: none.
    pub fn finalizer<T: Task, A: IntoArgs<T::Args>>(mut self, _task: T, args: A) -> Self {
        self.finalizer = Some(boot_call::<T, A>(&args));
        self
    }

    /// How long a call may run unless it says otherwise, from its real start. Default: no limit.
    pub fn task_timeout(mut self, limit: Duration) -> Self {
        self.task_timeout = Some(limit);
        self
    }

    /// How long a worker that was sent SIGTERM has until SIGKILL, and before that how long a call has
    /// that was asked to stop and whose task listens (`worker::stop_requested`) to
    /// that. Default: 5 s.
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
        self.workers.limits()?;
        if self.max_tasks_per_worker == Some(0) {
            return Err(BuildError::setting(
                "with a max_tasks_per_worker of 0 no call could run: it must be at least 1",
            ));
        }
        if self.max_memory_growth == Some(0) {
            return Err(BuildError::setting(
                "with a max_memory_growth of 0 every call would cost its worker: it must be at \
                 least 1",
            ));
        }
        self.check_limits()?;
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
        for call in [&self.preload, &self.initializer, &self.finalizer]
            .into_iter()
            .flatten()
        {
            if let Err(error) = call {
                return Err(BuildError::new(BuildErrorKind::Encode(error.clone())));
            }
        }
        Ok(self.build_with_defaults())
    }

    /// The pool, when the settings are known to make sense.
    pub(super) fn build_with_defaults(self) -> Pool {
        let (min_workers, max_workers) = match self.in_process {
            true => (0, 0),
            false => self
                .workers
                .limits()
                .expect("the numbers were checked, or are the usual ones"),
        };
        let [preload, initializer, finalizer] = [self.preload, self.initializer, self.finalizer]
            .map(|part| part.and_then(Result::ok).unwrap_or_default());
        let settings = Settings {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            limits: Limits {
                min_workers,
                max_workers,
                strict: self.strict_limits,
                idle_timeout: (!self.keep_running).then_some(self.idle_timeout),
                // More calls than can be counted are as good as no limit.
                max_tasks: self
                    .max_tasks_per_worker
                    .and_then(|calls| u32::try_from(calls).ok()),
                max_memory_growth: self.max_memory_growth,
                memory_limit: self.limits.memory,
                cpu_time_limit: self.limits.cpu_time,
                histograms: self.histograms,
                queue_capacity: self.queue_capacity,
                grace: self.grace,
                forked: self.start_method == StartMethod::Template,
                start_timeout: self.start_timeout,
                leave_timeout: Duration::from_secs(10),
            },
            launch: LaunchConfig {
                pool_name: self.name.clone(),
                env: self.env,
                memory_is_limited: self.limits.memory.is_some(),
            },
            boot: Boot {
                pool: self.name.clone(),
                worker: WorkerId::default(),
                preload: preload.call,
                initializer: initializer.call,
                finalizer: finalizer.call,
                current_dir: self.current_dir,
                parent_pid: std::process::id(),
                output: self.output,
                limits: self.limits,
            },
            descriptors: [
                preload.descriptors,
                initializer.descriptors,
                finalizer.descriptors,
            ],
            name: self.name,
            callbacks: self.callbacks,
            in_process: self.in_process,
        };
        Pool {
            parts: Arc::new(PoolParts {
                manager: QueueManager::new(settings, self.take_line),
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
