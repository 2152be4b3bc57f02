//! What workers print: from the bytes of a pipe to whole lines that say whose they are.
//!
//! ```text
//!  worker                                          parent
//!  a call begins ── mark ──┐
//!  the task prints ────────┴─► pipe ─► Splitter ─► OutputLine {worker, stream, call, text}
//!                                   └─► Tail (of the standard error, for a WorkerExit)
//! ```
//!
//! A [`CallMark`] in the pipe says which call what follows belongs to. It is written in one piece, so
//! the kernel never puts anything in its middle, and it ends a line that has no end.
//!
//! Pure: bytes in, lines out.
//!
//! # Failure
//!
//! Whatever a task prints is text: bytes that are no UTF-8 are replaced, a line beyond 64 KiB comes
//! in pieces. A task that prints marks of its own mislabels its own lines.

mod line;
mod mark;
mod splitter;
mod tail;

pub use line::{Output, OutputLine, OutputStream};
pub use mark::CallMark;
pub(crate) use splitter::Splitter;
pub(crate) use tail::Tail;
