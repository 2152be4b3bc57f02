//! What becomes of what workers print.

use std::sync::Arc;

use super::PoolBuilder;
use crate::output::{Output, OutputLine};

impl PoolBuilder {
    /// What becomes of what workers write to their standard output and standard error. Default:
    /// [`Output::Inherit`].
    ///
    /// With [`Output::Capture`] lines arrive whole, a few milliseconds after they were written, those
    /// of one stream of a worker in order, and all of them before the end of the pool does. The last
    /// 4 KiB of a worker's standard error are in the [`WorkerExit`](crate::WorkerExit) of a call
    /// that it dies of. It takes two pipes for each worker and one thread for all, and costs each
    /// call about a microsecond. Lines that come faster than they are taken are thrown away and
    /// [counted](OutputLine::lost_before), so no worker ever waits for a slow reader.
    ///
    /// A call's last line need not have an end. All this holds from a worker's first message on;
    /// before that, in the initialisers of C++ objects, the streams are the parent's. Programs that a task starts inherit the streams; what
    /// outlives the worker finds the pipes closed.
    ///
    /// ```
    /// # fn main() -> Result<(), ppool_core::BuildError> {
    /// use ppool_core::{Output, Pool};
    ///
    /// // A C library that talks too much.
    /// let pool = Pool::builder().output(Output::Null).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// Captures what workers print, as [`output(Output::Capture)`](PoolBuilder::output) does, and has
    /// this run for each line. Default: lines are printed to the parent's own streams.
    ///
    /// It runs on a thread of its own, one line after the other. It may do anything; when it panics,
    /// the line is lost and the next one comes.
    ///
    /// ```
    /// # fn main() -> Result<(), ppool_core::BuildError> {
    /// let pool = ppool_core::Pool::builder()
    ///     .on_output(|line| eprintln!("{} says: {}", line.pid(), line.text()))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_output(mut self, take: impl Fn(&OutputLine) + Send + Sync + 'static) -> Self {
        self.output = Output::Capture;
        self.take_line = Some(Arc::new(take));
        self
    }
}
