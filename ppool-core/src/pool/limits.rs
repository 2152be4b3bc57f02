//! The settings of a pool that the kernel enforces on each worker: memory, processor time, and where
//! and how eagerly it runs.

use std::time::Duration;

use super::PoolBuilder;
use crate::{error::BuildError, supervise::try_scheduling, wire::WorkerLimits};

impl PoolBuilder {
    /// How many bytes of memory each worker may have. Default: no limit.
    ///
    /// A call that would need more fails with
    /// [`TaskErrorKind::MemoryLimit`](crate::TaskErrorKind::MemoryLimit); it costs its worker, which
    /// is replaced, and nothing else. It is not run again, whatever `retries` says, since it would
    /// need as much the next time.
    ///
    /// What counts is private memory that can be written, touched or not: heap, stacks of threads
    /// (8 MiB for the one that runs calls), anonymous mappings, and the program's own variables
    /// (`RLIMIT_DATA`, `VmData` in `/proc/PID/status`). Memory that is shared, mapped files and what
    /// is only reserved don't count. Programs that a task starts inherit the limit, each for itself.
    ///
    /// A limit that leaves a worker less than 1 MiB beyond what it has before its first call breaks
    /// the pool: the first call fails with
    /// [`TaskErrorKind::PoolBroken`](crate::TaskErrorKind::PoolBroken), which says how much is
    /// needed, and no worker is started in its place. So does one that the initializer passes. 0 is
    /// an error of [`build`](PoolBuilder::build).
    ///
    /// The kernel only refuses memory; what comes of that is the task's business, as it is in any
    /// program: Rust aborts, C++ throws, C gets a null pointer. A worker that aborts or crashes on a
    /// thread that was last refused memory counts as one that passed its limit. Where a task
    /// installs handlers of its own for SIGABRT or SIGSEGV, or where something else fails between
    /// the refusal and the end, it can't be told, and the error is
    /// [`WorkerLost`](crate::TaskErrorKind::WorkerLost); a task that copes with the refusal
    /// (`Vec::try_reserve`) goes on. A task that ends its process with exit code 89 is taken for one
    /// that passed the limit. In workers, `RUST_LIB_BACKTRACE` takes the place of `RUST_BACKTRACE`,
    /// because printing a backtrace on the way to the abort would hide its cause.
    ///
    /// ```
    /// # fn main() -> Result<(), ppool_core::BuildError> {
    /// let pool = ppool_core::Pool::builder().memory_limit(512 << 20).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.limits.memory = Some(bytes);
        self
    }

    /// How much processor time a call may take, on all threads of its worker together. Default: no
    /// limit. 0 is an error of [`build`](PoolBuilder::build).
    ///
    /// Unlike [`task_timeout`](PoolBuilder::task_timeout), time that the call spends waiting, or for
    /// which others had the processor, doesn't count. Each call of a map has the limit for itself.
    /// The kernel counts in steps of some milliseconds. Programs that the task starts don't count.
    ///
    /// A call that passes the limit fails with
    /// [`TaskErrorKind::TimedOut`](crate::TaskErrorKind::TimedOut) of this limit (the same kind as
    /// for other time limits, because callers treat a runaway call alike whichever clock caught it;
    /// [`TaskError::is_cpu_timeout`](crate::TaskError::is_cpu_timeout) says that it was this one).
    /// Its worker is ended by SIGXCPU, at once and without a grace, and replaced. A task that
    /// handles or ignores SIGXCPU is not stopped.
    ///
    /// It costs each call two system calls, about half a microsecond.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), ppool_core::BuildError> {
    /// let limit = Duration::from_secs(10);
    /// let pool = ppool_core::Pool::builder().cpu_time_limit(limit).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cpu_time_limit(mut self, limit: Duration) -> Self {
        self.limits.cpu_time = Some(limit);
        self
    }

    /// The niceness of the workers: from -20, the least nice, to 19, which gives way to all others.
    /// Default: that of the parent when a worker starts.
    ///
    /// It is the niceness itself, not what is added to the parent's. A lower one than the parent's
    /// needs privileges; without them, and for a number out of range,
    /// [`build`](PoolBuilder::build) fails.
    ///
    /// ```
    /// # fn main() -> Result<(), ppool_core::BuildError> {
    /// // Work in the background.
    /// let pool = ppool_core::Pool::builder().nice(19).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn nice(mut self, nice: i32) -> Self {
        self.limits.nice = Some(nice);
        self
    }

    /// The numbers of the processors that workers may run on, as `/proc/cpuinfo` counts them from 0.
    /// Default: those of the parent when a worker starts.
    ///
    /// Every worker may run on each of them; with [`pin_workers`](PoolBuilder::pin_workers), each
    /// gets one. An empty list, and a processor that isn't there or that this process may not use,
    /// are errors of [`build`](PoolBuilder::build). It does not change how many workers there are.
    ///
    /// ```
    /// # fn main() -> Result<(), ppool_core::BuildError> {
    /// let pool = ppool_core::Pool::builder().workers(2).cpu_affinity([0]).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cpu_affinity(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.limits.cpus = cpus.into_iter().collect();
        self.has_affinity = true;
        self
    }

    /// Whether each worker keeps to one of the processors of
    /// [`cpu_affinity`](PoolBuilder::cpu_affinity): the worker in slot 0 to the first that was
    /// named, the next one to the next, and so on, and then from the first again. Default: false.
    ///
    /// Without `cpu_affinity` it is an error of [`build`](PoolBuilder::build).
    pub fn pin_workers(mut self, pin: bool) -> Self {
        self.limits.one_cpu = pin;
        self
    }

    /// Whether all processes that a worker's tasks start, and those that these start, are killed when
    /// the worker ends, however it does. Default: false, they live on.
    ///
    /// Each worker then leads a process group, so that nothing else is hit. What leaves the group
    /// (a daemon, a shell with job control) is not found. Killing comes without a warning, also after
    /// a worker that ended as it should, and when the pool's own process is killed; a task should
    /// wait for what it starts. Processes of such a group don't get a terminal's Ctrl-C, and are
    /// stopped when they read from it. Workers use SIGHUP for themselves; a task that handles it in
    /// its own way loses what is said here for the case that the pool's process is killed.
    ///
    /// ```
    /// # fn main() -> Result<(), ppool_core::BuildError> {
    /// let pool = ppool_core::Pool::builder().kill_descendants(true).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill_descendants(mut self, kill: bool) -> Self {
        self.limits.own_group = kill;
        self
    }

    /// Whether the limits make sense, and the system would grant them.
    pub(super) fn check_limits(&self) -> Result<(), BuildError> {
        let WorkerLimits {
            memory,
            cpu_time,
            nice,
            cpus,
            one_cpu,
            ..
        } = &self.limits;
        if *memory == Some(0) {
            return Err(BuildError::setting(
                "with a memory_limit of 0 no worker could start",
            ));
        }
        if *cpu_time == Some(Duration::ZERO) {
            return Err(BuildError::setting(
                "with a cpu_time_limit of 0 no call could run",
            ));
        }
        if nice.is_some_and(|nice| !(-20..=19).contains(&nice)) {
            return Err(BuildError::setting(format!(
                "{} is no niceness: it goes from -20 to 19",
                nice.unwrap_or_default()
            )));
        }
        if self.has_affinity && cpus.is_empty() {
            return Err(BuildError::setting(
                "with an empty cpu_affinity workers could run nowhere",
            ));
        }
        if *one_cpu && !self.has_affinity {
            return Err(BuildError::setting(
                "pin_workers needs cpu_affinity to say to which processors",
            ));
        }
        if self.in_process {
            return Ok(());
        }
        try_scheduling(*nice, cpus)
            .map_err(|error| BuildError::setting(format!("workers could not be so: {error}")))
    }
}
