//! Locks, events, conditions, semaphores and barriers that processes share, and queues and pipes
//! between them.
//!
//! ```text
//!  Lock, RLock, Event, Condition, Semaphore, BoundedSemaphore, Barrier, Queue, JoinableQueue
//!    │ a handle: an Arc, sent by its descriptors
//!    ▼
//!  object: memory without a name · a seat for each process · the watcher of deaths
//!    │
//!    ▼
//!  algorithm: words in that memory, pure
//! ```
//!
//! They are made in one process and given to others as arguments, results, fields of either, or items
//! of a queue; a clone is another handle to the same thing. What Python's `multiprocessing` has under
//! these names behaves alike here, but for what happens when a process dies.
//!
//! # When a process dies
//!
//! - A lock that it held is free, and the next owner is told ([`LockGuard::recovered`]): what the lock
//!   protects may be half changed.
//! - Permits that it held come back.
//! - A barrier where others wait is broken: the dead may be one they wait for.
//! - An item that it was putting is in the queue or is not; one that it had taken is gone with it, and
//!   no other.
//! - If it waited, nobody misses it. Nobody who waits for anything waits for ever because of it, and
//!   nobody looks again and again: deaths are told by the kernel.
//!
//! # Costs
//!
//! What nobody contends for takes no system call. Who has to wait sleeps in the kernel; the first time,
//! it also starts one thread in this process, which sleeps until another process ends. A handle is one
//! descriptor for each process (of a queue three), however many clones there are; of a pipe's end one
//! for each time that it arrived.
//!
//! # Limits
//!
//! At most 3840 processes have a handle to one thing at a time. All must see each other's process ids
//! (one pid namespace). Nothing here may be used in a signal handler.

pub(crate) mod algorithm;
#[cfg(not(loom))]
mod barrier;
#[cfg(not(loom))]
mod condition;
#[cfg(not(loom))]
mod event;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod item;
#[cfg(not(loom))]
mod lock;
#[cfg(not(loom))]
pub(crate) mod object;
#[cfg(not(loom))]
mod pipe;
#[cfg(not(loom))]
mod queue;
#[cfg(not(loom))]
mod rlock;
#[cfg(not(loom))]
mod semaphore;
#[cfg(not(loom))]
mod spin;

#[cfg(not(loom))]
pub use self::{
    barrier::{Barrier, BarrierTurn, BrokenBarrier},
    condition::Condition,
    event::Event,
    item::{GetError, PutError},
    lock::{Lock, LockGuard, Recovered},
    pipe::{Connection, PipeReader, PipeWriter, one_way_pipe, pipe, try_pipe},
    queue::{Iter, JoinableQueue, Queue, TooManyDone},
    rlock::{RLock, RLockGuard},
    semaphore::{BoundedSemaphore, Permit, Semaphore, TooManyReleases},
};

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
