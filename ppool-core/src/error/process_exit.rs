//! How a process of its own ended.

use std::{fmt, sync::Arc};

use super::{ExitHow, exit::signal_name};

/// How a process ended that [`Process`](crate::process::Process) or a channel started.
#[derive(Clone, PartialEq, Eq)]
pub struct ProcessExit {
    pub(crate) name: Arc<str>,
    pub(crate) pid: u32,
    pub(crate) how: ExitHow,
    pub(crate) peak_memory: Option<u64>,
}

impl ProcessExit {
    /// The name of the process.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id that it had. It may belong to another process by now.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it ended by itself with the code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.how == ExitHow::Code(0)
    }

    /// The exit code, when it ended by itself: 0 when its task returned, 1 when the task returned an
    /// `Err`, 101 when it panicked, else what it passed to `exit`.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.how.exit_code()
    }

    /// The number of the signal that ended it, when one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.how.signal()
    }

    /// The name of the signal that ended it (`"SIGKILL"`), when one did.
    #[must_use]
    pub fn signal_name(&self) -> Option<&'static str> {
        self.signal().map(signal_name)
    }

    /// The most memory that it had resident at one time, in bytes, where the system tells.
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        self.peak_memory
    }
}

impl fmt::Display for ProcessExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process `{}` ({}) {}", self.name, self.pid, self.how)
    }
}

impl fmt::Debug for ProcessExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessExit({self})")
    }
}
