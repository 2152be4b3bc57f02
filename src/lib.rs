//! A process pool: run functions in worker processes as easily as on threads.
#![forbid(unsafe_code)]

pub use ppool_core::{
    AsCompleted, BrokenPool, BuildError, Callable, Callbacks, DecodeError, EncodeError,
    RemoteError, RemotePanic, SubmitError, Task, TaskError, TaskErrorKind, TaskFuture, TaskObject,
    TaskState, WaitFor, Waited, WorkerExit, as_completed, wait,
};
pub use ppool_macros::{closure, task};

/// For the code that the macros write; nothing here is meant for users.
#[doc(hidden)]
pub mod __private {
    pub use ppool_core::codec::{
        ByCbor, ByPlainSlice, ByPlainValue, ByRaw, Decoder, Encoder, Lane, Probe,
    };
    pub use ppool_core::linkme;
    pub use ppool_core::task::{
        Callable, Invocation, InvokeError, TASKS, Task, TaskEntry, TaskObject, Travels,
    };
    pub use ppool_worker::hook;
}
