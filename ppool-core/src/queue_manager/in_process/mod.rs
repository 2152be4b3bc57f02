//! Calls that run in this process, on the threads that submit them: for debugging.
//!
//! ```text
//!  submit ── encode ──► work item ──► decode, run the task, catch its panic, encode ──► sink
//!                          all on the thread that submits, before `submit` returns
//! ```
//!
//! The reactor knows the calls that run here, so that the end of the pool waits for those of other
//! threads; nothing else of it is used, and no queue-manager thread is started.

mod invoke;
mod panic;
mod run;

pub(super) use run::InProcess;
