//! The parent's side of ppool, and what parent and workers share. Use it through the crate
//! `ppool`; what is public here and not there may change at any time.

pub mod codec;
pub mod error;
pub mod future;
pub mod ids;
pub mod link;
mod shm;
#[doc(hidden)]
pub mod supervise;
#[doc(hidden)]
pub mod sys;
pub mod task;
pub mod wire;

pub use error::{
    BrokenPool, BuildError, DecodeError, EncodeError, RemoteError, RemotePanic, SubmitError,
    TaskError, TaskErrorKind, WorkerExit,
};
pub use future::{
    AsCompleted, Callbacks, TaskFuture, TaskState, WaitFor, Waited, as_completed, wait,
};
pub use task::{Callable, Task, TaskObject};

#[doc(hidden)]
pub use linkme;
