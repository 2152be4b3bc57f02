//! A process that was started.

use std::{
    fmt, io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    ProcessBuilder,
    record::{Record, children},
};
use crate::{
    codec::IntoArgs,
    error::{ProcessExit, SpawnError},
    sys::signal::{SIGKILL, SIGTERM},
    task::{Task, TaskObject},
};

/// A task that runs as a process of its own: what multiprocessing calls a `Process`.
///
/// It is this program once more, taken over before `main`; the task's value is thrown away. It exits
/// with the code 0 when the task returns, 1 when the task returns an `Err` (which it prints, as
/// Rust's `main` does), and 101 when the task panics.
///
/// Dropping the handle neither ends the process nor leaves a zombie. When this process exits it
/// waits for the ones that it started, except for [daemons](ProcessBuilder::daemon), which it kills.
/// When it is killed, they all end.
///
/// ```no_run
/// # use ppool_core as ppool;
/// # use ppool_core::Task;
/// use ppool::process::Process;
///
/// # fn example<T: Task<Args = (String,)>>(greet: T) -> std::io::Result<()> {
/// let process = Process::spawn(greet, "Dan")?;
/// process.join()?;
/// assert_eq!(process.exit_code(), Some(0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Process {
    record: Arc<Record>,
}

impl Process {
    pub(crate) fn new(record: Arc<Record>) -> Self {
        Process { record }
    }

    /// Starts a process that runs `task` with `args`: a tuple with a value for each parameter, or
    /// the bare value where there is one. For other settings than the defaults, use
    /// [`Process::builder`].
    ///
    /// # Errors
    /// When an argument can't be encoded, or the system has no process, thread, memory or descriptor
    /// left ([`SpawnError::is_shortage`]).
    pub fn spawn<T: Task, A: IntoArgs<T::Args>>(task: T, args: A) -> Result<Self, SpawnError> {
        Process::builder().spawn(task, args)
    }

    /// Starts a process that runs a callable object.
    ///
    /// # Errors
    /// As [`Process::spawn`].
    pub fn spawn_object<J: TaskObject>(job: J) -> Result<Self, SpawnError> {
        Process::builder().spawn_object(job)
    }

    /// Settings of a process that is to be started.
    pub fn builder() -> ProcessBuilder {
        ProcessBuilder::new()
    }

    /// Whether this process is the one that started it, and not one that was forked from that.
    pub(crate) fn is_own(&self) -> bool {
        self.record.is_own()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// Its process id. Once it has ended the id may belong to another process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.record.pid
    }

    /// Whether it is killed when this process exits, rather than waited for.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.record.daemon
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.exit().is_none()
    }

    /// Waits until it has ended, and says how. It may be called any number of times, from any thread.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] in a process that was forked from the one that started it.
    pub fn join(&self) -> io::Result<ProcessExit> {
        let exit = self.record.wait(None)?;
        exit.ok_or_else(|| io::Error::other("a wait without a limit has ended early"))
    }

    /// Waits until it has ended, at most for that long. Says whether it has.
    #[must_use]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        // A time that the clock can't express is as good as none.
        let deadline = Instant::now().checked_add(timeout);
        matches!(self.record.wait(deadline), Ok(Some(_)))
    }

    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn exit(&self) -> Option<ProcessExit> {
        self.record.exit()
    }

    /// Its exit code: 0 when its task returned, 1 when that returned an `Err`, 101 when it panicked,
    /// else what it passed to `exit`. `None` while it runs, and when a signal ended it, which
    /// [`signal`](Process::signal) then tells.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.exit()?.exit_code()
    }

    /// The number of the signal that ended it; `None` while it runs, and when it exited by itself.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.exit()?.signal()
    }

    /// Asks it to end (SIGTERM). It does nothing to a process that has ended.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] in a process that was forked from the one that started it;
    /// [`io::ErrorKind::PermissionDenied`] when it has become another user's.
    pub fn terminate(&self) -> io::Result<()> {
        self.record.signal(SIGTERM)
    }

    /// Ends it (SIGKILL). It does nothing to a process that has ended.
    ///
    /// # Errors
    /// As [`terminate`](Process::terminate).
    pub fn kill(&self) -> io::Result<()> {
        self.record.signal(SIGKILL)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.record.name)
            .field("pid", &self.record.pid)
            .field("daemon", &self.record.daemon)
            .field("exit", &self.exit())
            .finish()
    }
}

/// The processes that this one has started, itself or for a [channel](crate::channel), and that have
/// not ended yet, in the order of their start. Workers of pools are not among them.
#[must_use]
pub fn active_children() -> Vec<Process> {
    children().into_iter().map(Process::new).collect()
}
