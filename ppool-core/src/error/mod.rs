//! What can go wrong, one type per phase: [`BuildError`] before there is a pool, [`SubmitError`]
//! when a call is not accepted, [`TaskError`] when an accepted call gives no value.

mod build;
mod exit;
mod remote;
mod submit;
mod task;

pub use build::BuildError;
pub(crate) use build::BuildErrorKind;
pub use exit::{ExitHow, MEMORY_LIMIT_EXIT, SHORTAGE_EXIT, WorkerExit, signal_name};
pub use remote::RemoteError;
pub use submit::SubmitError;
pub use task::{BrokenPool, DecodeError, EncodeError, RemotePanic, TaskError, TaskErrorKind};
