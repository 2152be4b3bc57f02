//! How a worker process ended.

use std::fmt;

use crate::ids::WorkerId;

/// How a worker process ended, and what it was doing.
#[derive(Clone, PartialEq, Eq)]
pub struct WorkerExit {
    pub(crate) worker: WorkerId,
    pub(crate) pid: u32,
    pub(crate) how: ExitHow,
    pub(crate) task: Option<&'static str>,
    pub(crate) peak_memory: Option<u64>,
    pub(crate) stderr_tail: Option<String>,
}

/// What the kernel said of an ended process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitHow {
    /// It ended by itself with this code.
    Code(i32),
    /// This signal ended it.
    Signal {
        /// The signal's number.
        number: i32,
        /// Whether a core was dumped.
        core_dumped: bool,
    },
    /// Somebody else in the parent process took the exit status (a `waitpid(-1)`, or SIGCHLD
    /// ignored), so all that is known is that it is gone.
    Unknown,
}

impl ExitHow {
    /// The exit code, when the process ended by itself.
    pub(crate) fn exit_code(self) -> Option<i32> {
        match self {
            ExitHow::Code(code) => Some(code),
            ExitHow::Signal { .. } | ExitHow::Unknown => None,
        }
    }

    /// The number of the signal that ended the process, when one did.
    pub(crate) fn signal(self) -> Option<i32> {
        match self {
            ExitHow::Signal { number, .. } => Some(number),
            ExitHow::Code(_) | ExitHow::Unknown => None,
        }
    }
}

impl fmt::Display for ExitHow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitHow::Code(code) => write!(f, "exited with code {code}"),
            ExitHow::Signal { number, .. } => write!(f, "was killed by {}", signal_name(*number)),
            ExitHow::Unknown => f.write_str("ended and its exit status was taken by others"),
        }
    }
}

/// The exit code of a worker that could not start for want of processes or memory.
pub const SHORTAGE_EXIT: i32 = 88;

/// The exit code of a worker that died because it was refused memory, in a pool with a limit of
/// memory.
pub const MEMORY_LIMIT_EXIT: i32 = 89;

impl WorkerExit {
    /// The process id that the worker had. It may belong to another process by now.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The slot of the pool that the worker filled.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.worker.slot.0
    }

    /// The exit code, when the worker ended by itself (`exit`, or a return).
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.how.exit_code()
    }

    /// The number of the signal that ended the worker, when one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.how.signal()
    }

    /// The name of the signal that ended the worker (`"SIGSEGV"`), when one did.
    #[must_use]
    pub fn signal_name(&self) -> Option<&'static str> {
        self.signal().map(signal_name)
    }

    /// The task that the worker was running, when it was running one.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.task
    }

    /// The most memory that the worker had resident at one time, in bytes, where the system tells.
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        self.peak_memory
    }

    /// The end of what the worker wrote to its standard error, at most 4 KiB of whole lines, when the
    /// pool [captures](crate::PoolBuilder::output) it and there was anything.
    #[must_use]
    pub fn stderr_tail(&self) -> Option<&str> {
        self.stderr_tail.as_deref()
    }
}

impl fmt::Display for WorkerExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker process {} {}", self.pid, self.how)?;
        if let Some(task) = self.task {
            write!(f, " while running `{task}`")?;
        }
        // Who sees only this text should see the reason, and not pages of it.
        let last = self.stderr_tail().and_then(|tail| tail.lines().last());
        match last {
            Some(line) => write!(f, "; the last that it printed: {line}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for WorkerExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("WorkerExit");
        out.field("pid", &self.pid)
            .field("slot", &self.worker.slot.0);
        match self.how {
            ExitHow::Code(code) => out.field("exit_code", &code),
            ExitHow::Signal { number, .. } => out.field(
                "signal",
                &format_args!("{} ({number})", signal_name(number)),
            ),
            ExitHow::Unknown => out.field("status", &"unknown"),
        };
        out.field("task", &self.task)
            .field("peak_memory", &self.peak_memory)
            .field("stderr_tail", &self.stderr_tail)
            .finish()
    }
}

/// The name of a signal by its number, as on Linux: `signal_name(9)` is `"SIGKILL"`.
#[must_use]
pub fn signal_name(number: i32) -> &'static str {
    const NAMES: [&str; 32] = [
        "signal 0",
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    usize::try_from(number)
        .ok()
        .and_then(|index| NAMES.get(index).copied())
        .unwrap_or("a real-time signal")
}
