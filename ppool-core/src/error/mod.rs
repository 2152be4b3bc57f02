//! What can go wrong, one type per phase: [`BuildError`] before there is a pool, [`SubmitError`]
//! when a call is not accepted, [`TaskError`] when an accepted call gives no value; [`SpawnError`]
//! when a process of its own can't be started, and [`ProcessExit`] is how it ended; [`ChannelError`]
//! when a message can't be sent or received.

mod build;
mod channel;
mod exit;
mod process_exit;
mod remote;
mod spawn;
mod submit;
mod task;

pub use build::BuildError;
pub(crate) use build::BuildErrorKind;
pub use channel::{ChannelError, RemoteFailure};
pub use exit::{ExitHow, MEMORY_LIMIT_EXIT, SHORTAGE_EXIT, WorkerExit, signal_name};
pub use process_exit::ProcessExit;
pub use remote::RemoteError;
pub use spawn::SpawnError;
pub(crate) use spawn::SpawnErrorKind;
pub use submit::SubmitError;
pub use task::{BrokenPool, DecodeError, EncodeError, RemotePanic, TaskError, TaskErrorKind};
