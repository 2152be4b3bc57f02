//! A line that a worker has printed, and what a pool may do with it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What becomes of what workers print.
///
/// ```
/// assert_eq!(ppool_core::Output::default(), ppool_core::Output::Inherit);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Output {
    /// Workers write to the standard streams of their parent, each by itself, so that the lines of
    /// several may run into each other. The default.
    #[default]
    Inherit,
    /// It is thrown away.
    Null,
    /// It goes through the parent, by whole lines, each with the worker and the call that it
    /// belongs to: to [`on_output`](crate::PoolBuilder::on_output) where that is set, else to the
    /// parent's own stream of the same name.
    Capture,
}

/// Which of its streams a worker wrote to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OutputStream {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

/// One line that a worker has printed.
///
/// It displays as it is printed where no [`on_output`](crate::PoolBuilder::on_output) takes it:
/// `[worker 1, square #12] text`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputLine {
    pub(crate) slot: u32,
    pub(crate) pid: u32,
    pub(crate) stream: OutputStream,
    pub(crate) call: Option<(u64, &'static str)>,
    pub(crate) text: String,
    pub(crate) lost_before: u64,
}

impl OutputLine {
    /// The line itself, without its end. What is not UTF-8 in it is replaced. A line of more than 64
    /// KiB comes as several.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the worker wrote it.
    #[must_use]
    pub fn stream(&self) -> OutputStream {
        self.stream
    }

    /// The slot of the worker, from 0.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// The worker's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The call that the worker was running, by the number that
    /// [`TaskFuture::id`](crate::TaskFuture::id) gives for a call without an id of its own. Calls of a
    /// map that travel together have one number.
    ///
    /// `None` before the worker's first call. After a call it is that one until the next begins: a
    /// thread that it left behind, or the finalizer, may still print.
    #[must_use]
    pub fn call(&self) -> Option<u64> {
        self.call.map(|(call, _)| call)
    }

    /// The name of that call's task.
    #[must_use]
    pub fn task(&self) -> Option<&'static str> {
        self.call.map(|(_, task)| task)
    }

    /// How many lines of the same stream were thrown away before this one, because more than 4 MiB
    /// waited to be taken.
    #[must_use]
    pub fn lost_before(&self) -> u64 {
        self.lost_before
    }
}

impl fmt::Display for OutputLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[worker {}", self.slot)?;
        if let Some((call, task)) = self.call {
            write!(f, ", {task} #{call}")?;
        }
        f.write_str("] ")?;
        if self.lost_before > 0 {
            write!(f, "({} lines before this are lost) ", self.lost_before)?;
        }
        f.write_str(&self.text)
    }
}
