//! What several processes have in common, kept by a process of its own.
//!
//! ```text
//!  Manager::start ──► keeper: one thread ──posix_spawn──► this program once more: its hook, the server
//!       │                   └── pidfd: the server has ended, and is reaped
//!       ▼
//!  Dict, List, Namespace, Lock, ..: handles ══ a door for each object, connections ══► server
//! ```
//!
//! It mirrors multiprocessing's `Manager()`, and the names are Python's where Rust has none of its own.
//! Values go in and come out as copies: **a change to one that came out is not seen by others until
//! it is put back.** What reads and puts back in one step is `update`.
//!
//! A handle is an argument, a result, or a field of either, and can be handed on by a worker to
//! another, or be a value that a manager keeps. The server keeps an object as long as there is a
//! handle to it, in any process or on its way, and ends when there are none left, of the
//! [`Manager`] neither; or when the process that started it does.
//!
//! # Invariants
//!
//! - An object lives while the outer end of its door is open anywhere: the kernel counts, so a handle
//!   of a process that dies is none any more.
//! - SYNC-1: a permit belongs to a connection, and the kernel closes that when its process dies. The
//!   next owner is told.
//! - SUP-3, SUP-4: the server is waited for by its pidfd, and the kernel kills it when the process
//!   that started it ends.
//! - Nothing has a name: no file, no socket that one could find.
//!
//! # Failure
//!
//! When the server is gone, by whatever cause, every operation says so in an error, also one that
//! waits. What it kept is lost with it. A client that dies, or stops in the middle of a request,
//! holds up nobody else.
//!
//! # Limits
//!
//! Each operation is a question and an answer between two processes. For numbers that many processes
//! work on, [`shared`](crate::shared) is faster by far, and [`sync`](crate::sync) for locks. At most 253 handles travel in one operation. A handle
//! inside what it leads to (a list that holds itself) is never freed before the manager ends.

mod bytes;
mod connection;
mod error;
mod handle;
mod item;
mod keeper;
mod protocol;
mod proxy;
pub mod server;
mod start;

pub use error::{ManagerError, ManagerErrorKind};
pub use item::AsItem;
pub use proxy::{
    Array, Barrier, Condition, Dict, Event, List, Lock, LockGuard, Namespace, Object, Permit,
    RLock, RLockGuard, Semaphore, Value, set_object, with_object,
};
pub use start::Manager;
