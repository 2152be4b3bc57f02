//! The parent's side of ppool, and what parent and workers share. Use it through the crate
//! `ppool`; what is public here and not there may change at any time.

pub mod codec;
pub mod error;
mod future;
pub mod ids;
pub mod link;
mod pool;
mod queue;
mod queue_manager;
mod shm;
pub mod supervise;
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
pub use pool::{Done, Imap, Pool, PoolBuilder, Shutdown, TaskCall, Workers};
pub use task::{Callable, Task, TaskObject};

#[doc(hidden)]
pub use linkme;
