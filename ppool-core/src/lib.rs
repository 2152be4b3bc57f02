//! The parent's side of ppool, and what parent and workers share. Use it through the crate
//! `ppool`; what is public here and not there may change at any time.

// Under `cfg(loom)` the model checker's atomics take the place of those in shared memory, and what
// builds on real shared memory is left out.

#[cfg(not(loom))]
pub mod channel;
pub mod codec;
pub mod error;
mod future;
pub mod ids;
#[cfg(not(loom))]
pub mod link;
#[cfg(not(loom))]
pub mod manager;
pub mod output;
#[cfg(not(loom))]
mod pool;
#[cfg(not(loom))]
pub mod process;
mod queue;
#[cfg(not(loom))]
mod queue_manager;
pub mod shared;
mod shm;
pub mod supervise;
pub mod sync;
pub mod sys;
pub mod task;
pub mod wire;

/// Fields that travel as bytes.
pub mod raw {
    pub use crate::codec::field::{Field, deserialize, serialize};
}

pub use error::{
    BrokenPool, BuildError, DecodeError, EncodeError, RemoteError, RemotePanic, SubmitError,
    TaskError, TaskErrorKind, WorkerExit,
};
pub use future::{
    AsCompleted, Callbacks, MapFuture, TaskFuture, TaskState, WaitFor, Waited, as_completed, wait,
};
pub use output::{Output, OutputLine, OutputStream};
#[cfg(all(feature = "stream", not(loom)))]
pub use pool::ImapStream;
#[cfg(not(loom))]
pub use pool::{
    Call, Done, Finalized, Imap, LostCall, Pool, PoolBuilder, PoolStats, Shutdown, StartMethod,
    TaskCall, TimeBucket, TimeStats, WorkerState, WorkerStats, Workers,
};
pub use task::{Callable, Task, TaskObject};

#[doc(hidden)]
pub use linkme;
