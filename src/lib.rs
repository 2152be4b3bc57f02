//! A process pool: run functions in worker processes as easily as on threads, where a crash costs
//! one call.
//!
//! ```
//! use ppool::{Pool, task};
//!
//! #[task]
//! fn square(n: u64) -> u64 {
//!     n * n
//! }
//!
//! fn main() -> Result<(), ppool::TaskError> {
//!     let squares: Vec<u64> = Pool::new().map(square, 0..10)?;
//!     assert_eq!(squares[9], 81);
//!     Ok(())
//! }
//! ```
//!
//! # Tasks
//!
//! [`#[task]`](macro@task) makes a function one that a pool can call: it stands under its name as
//! before, so `square(7)` calls it here and `pool.submit(square, 7)` calls it in a worker.
//! Arguments and results travel by serde, as copies. [`closure!`] makes a task of a closure that
//! captures nothing, and [`Callable`] one of a value. For errors that serde can't carry there is
//! [`RemoteError`].
//!
//! # Pools
//!
//! A [`Pool`] starts its own binary again as worker processes. A worker is taken over before `main`,
//! so there is nothing to call at the start of a program; what `main` would set up, an initializer
//! can. Workers start with the first call. Each runs one call at a time, and one that dies is
//! replaced. Dropping a pool waits for its calls; at the end of the program every pool that still
//! lives is waited for too. Workers never outlive their program.
//!
//! # Errors
//!
//! [`BuildError`]: there is no pool, because a setting makes no sense. [`SubmitError`]: a call was
//! not accepted, and here are its arguments. [`TaskError`]: an accepted call gave no value, because
//! it panicked, its worker died, its time limit passed, it was cancelled, and so on. What a task
//! itself returns, an `Err` included, is a value.
//!
//! ```
//! use ppool::{Pool, TaskErrorKind, task};
//!
//! #[task]
//! fn leave(code: i32) {
//!     std::process::exit(code)
//! }
//!
//! # fn main() -> Result<(), ppool::BuildError> {
//! let pool = Pool::builder().workers(1).build()?;
//! let error = pool.apply(leave, 3).expect_err("the worker exits");
//! let TaskErrorKind::WorkerLost(exit) = error.kind() else {
//!     panic!("{error}");
//! };
//! assert_eq!(exit.exit_code(), Some(3));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `stream`: `Imap::into_stream`, for async code that reads an `imap`. (A [`TaskFuture`] and a
//!   [`MapFuture`] can be awaited without it.)
//! - `tokio`: `#[task] async fn`, driven in the worker by a runtime of tokio.
//!
//! # Limits
//!
//! Linux only. Statics are each process's own. A task must be in the program itself, not in a
//! library that is loaded at run time.
#![forbid(unsafe_code)]

/// The README's program is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "stream")]
pub use ppool_core::ImapStream;
pub use ppool_core::{
    AsCompleted, BrokenPool, BuildError, Call, Callable, Callbacks, DecodeError, Done, EncodeError,
    Finalized, FinalizerFailure, Imap, LostCall, MapFuture, Output, OutputLine, OutputStream, Pool,
    PoolBuilder, PoolStats, RemoteError, RemotePanic, Shutdown, StartMethod, SubmitError, Task,
    TaskCall, TaskError, TaskErrorKind, TaskFuture, TaskObject, TaskState, TimeBucket, TimeStats,
    WaitFor, Waited, WorkerExit, WorkerState, WorkerStats, Workers, as_completed, sync, wait,
};
pub use ppool_macros::{closure, task};
pub use ppool_worker::init;

/// `#[serde(with = "ppool::raw")]`: a field of plain data that travels as bytes.
///
/// A parameter or a result that is a `Vec<f64>` by itself travels as its bytes anyway. Within a
/// struct it goes through serde, one element after the other, each with a head of its own; with this
/// attribute its bytes are copied as a whole, which takes a fraction of the time. It can stand at fields of the
/// types that are [`Field`](raw::Field)s: `Vec<T>`, `Box<[T]>`, `Arc<[T]>`, `[T; N]`, and `Option`s of
/// them.
///
/// The bytes are those of this machine's memory. In other formats than ppool's own the field appears
/// as bytes too.
///
/// ```
/// use ppool::{Pool, TaskError, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Signal {
///     unit: String,
///     #[serde(with = "ppool::raw")]
///     samples: Vec<f64>,
/// }
///
/// #[task]
/// fn energy(signal: Signal) -> f64 {
///     signal.samples.iter().map(|sample| sample * sample).sum()
/// }
///
/// # fn main() -> Result<(), TaskError> {
/// let signal = Signal {
///     unit: "V".into(),
///     samples: vec![0.5; 1_000],
/// };
/// assert_eq!(Pool::new().apply(energy, signal)?, 250.0);
/// # Ok(())
/// # }
/// ```
///
/// Collections of such vectors need a type for the inner one:
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// #[derive(Serialize, Deserialize)]
/// struct Row(#[serde(with = "ppool::raw")] Vec<f32>);
///
/// #[derive(Serialize, Deserialize)]
/// struct Matrix {
///     rows: Vec<Row>,
/// }
/// ```
pub mod raw {
    pub use ppool_core::raw::{Field, deserialize, serialize};
}

/// Any task as a process of its own: what multiprocessing's `Process` is.
///
/// ```
/// use ppool::{process::Process, task};
///
/// #[task]
/// fn greet(name: &str) {
///     println!("hello, {name}");
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let process = Process::spawn(greet, "Dan")?;
/// process.join()?;
/// assert_eq!(process.exit_code(), Some(0));
/// # Ok(())
/// # }
/// ```
pub mod process {
    pub use ppool_core::process::{
        CurrentProcess, Process, ProcessBuilder, ProcessExit, SpawnError, active_children, current,
    };
}

/// Messages between processes: what pprocess is. [`start`](channel::start) gives a task a process
/// and a [`Channel`](channel::Channel), an [`Exchange`](channel::Exchange) collects from many.
///
/// ```
/// use ppool::{
///     RemoteError,
///     channel::{self, Channel},
///     task,
/// };
///
/// #[task]
/// fn square(numbers: Channel<u64, u64>) -> Result<(), RemoteError> {
///     let n = numbers.receive()?;
///     numbers.send(n * n)?;
///     Ok(())
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let numbers = channel::start(square, ());
/// numbers.send(7)?;
/// assert_eq!(numbers.receive()?, 49);
/// # Ok(())
/// # }
/// ```
pub mod channel {
    pub use ppool_core::channel::{
        Anything, Carries, Channel, ChannelError, ChannelFirst, Exchange, IntoMessage, OtherEnd,
        RemoteFailure, create, start, start_with, try_start, wait_all, wait_all_timeout,
    };
}

/// What several processes have in common: handles that travel with calls and results.
pub mod shared {
    pub use ppool_core::shared::{
        ArrayGuard, Atomic, Descriptor, Plain, SharedArray, SharedValue, ValueGuard,
    };
}

/// Dicts, lists, namespaces, locks and other objects that a process of its own keeps for all
/// processes that have handles to them: what multiprocessing's `Manager` is.
pub mod manager {
    pub use ppool_core::manager::{
        Array, AsItem, Barrier, Condition, Dict, Event, List, Lock, LockGuard, Manager,
        ManagerError, ManagerErrorKind, Namespace, Object, Permit, RLock, RLockGuard, Semaphore,
        Value, set_object, with_object,
    };
}

/// Inside a worker process: which worker this is, and state that lives as long as it does.
pub mod worker {
    pub use ppool_worker::{
        WorkerInfo, current, set_state, stop_requested, try_with_state, with_state,
    };
}

/// For the code that the macros write; nothing here is meant for users.
#[doc(hidden)]
pub mod __private {
    pub use ppool_core::codec::{
        ByCbor, ByNothing, ByPlainSlice, ByPlainValue, ByRaw, Decoder, Encoder, Lane, Probe,
    };
    pub use ppool_core::linkme;
    pub use ppool_core::task::{
        Callable, Form, Invocation, Invocations, InvokeError, ObjectTask, TASKS, Task, TaskEntry,
        TaskObject, Travels,
    };
    #[cfg(feature = "tokio")]
    pub use ppool_worker::block_on;
    pub use ppool_worker::hook;
}
