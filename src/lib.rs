//! A process pool: run functions in worker processes as easily as on threads.
#![forbid(unsafe_code)]

pub use ppool_core::{
    AsCompleted, BrokenPool, BuildError, Callable, Callbacks, DecodeError, Done, EncodeError, Imap,
    Pool, PoolBuilder, RemoteError, RemotePanic, Shutdown, SubmitError, Task, TaskCall, TaskError,
    TaskErrorKind, TaskFuture, TaskObject, TaskState, WaitFor, Waited, WorkerExit, Workers,
    as_completed, wait,
};
pub use ppool_macros::{closure, task};
pub use ppool_worker::init;

/// Inside a worker process: which worker this is, and state that lives as long as it does.
pub mod worker {
    pub use ppool_worker::{WorkerInfo, current, set_state, try_with_state, with_state};
}

/// For the code that the macros write; nothing here is meant for users.
#[doc(hidden)]
pub mod __private {
    pub use ppool_core::codec::{
        ByCbor, ByNothing, ByPlainSlice, ByPlainValue, ByRaw, Decoder, Encoder, Lane, Probe,
    };
    pub use ppool_core::linkme;
    pub use ppool_core::task::{
        Callable, Invocation, InvokeError, ObjectTask, TASKS, Task, TaskEntry, TaskObject, Travels,
    };
    pub use ppool_worker::hook;
}
