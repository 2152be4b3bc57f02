//! The bytes of the messages between parent and worker, and nothing but the bytes: no descriptor is
//! opened and no system call made here.
//!
//! ```text
//!  frame:  ┌────────────┬──────┬─────────────┬──────────────┬────────────────────┐
//!          │ length u64 │ kind │ descriptors │ fixed part   │ tail               │
//!          └────────────┴──────┴─────────────┴──────────────┴────────────────────┘
//!            of what      u8     u8: how many  numbers, by    arguments, a result,
//!            follows             come with it  the kind       text or CBOR
//!            the 10 bytes
//! ```
//!
//! All numbers are little-endian. A sender makes a [`Head`] and leaves the tail where it lies; a
//! receiver feeds whatever pieces it gets to an [`Assembler`], which has the tail read straight into
//! a buffer of its own.
//!
//! Descriptors beyond what goes with one message come before it, with messages that are nothing else.
//!
//! Order: the worker says `Hello`, the parent `Boot`, the worker `Ready` (or `StartFailed`, which
//! may also come in the place of `Hello`); then calls go down and results come up, one for each item
//! of a call, in order; `Sentinel` is the parent's last message and `Bye` the worker's. A process that
//! runs one task and no calls gets `Process` in the place of `Boot`, and says nothing after `Hello`. A
//! template gets `Template` in the place of `Boot`, and then answers each `Fork` with `Forked` or `NotForked`;
//! what it forks begins with `Hello` on a link of its own.
//!
//! Invariant: LINK-2. What is read is checked as if hostile: any bytes give messages or a
//! [`WireError`], and memory is taken only for bytes that have arrived.

mod assembler;
mod boot;
mod error;
mod failure;
mod from_worker;
mod head;
mod limits;
mod message;
mod packet;
mod process;
mod to_worker;

pub use assembler::{Assembler, Body, Frame};
pub use boot::{Boot, BootCall};
pub use error::WireError;
pub use failure::{initializer_failure, task_failure};
pub use from_worker::{CallOutcome, FromWorker, Hello, ResultItem};
pub use head::Head;
pub use limits::WorkerLimits;
#[doc(hidden)]
pub use message::Shape;
pub use message::{Encoded, Message};
pub use packet::Packet;
pub use process::ProcessBoot;
pub use to_worker::{CallItem, ToWorker};

/// The version of what this module describes. A parent and a worker of different versions part at
/// the handshake.
pub const PROTOCOL: u32 = 1;

/// The most descriptors that can come with one message: what Linux takes in one system call.
pub const MAX_DESCRIPTORS: usize = 253;

/// The `parameter` of a [`CallOutcome::Decode`] that is about no parameter: the worker has no such
/// task.
pub const NO_PARAMETER: u32 = u32::MAX;

/// The exit code of a worker that could not start (SUP-2: no other is started in its place).
pub const START_FAILED_EXIT: i32 = 87;

/// The exit code of a worker whose parent went away, or closed the link without a sentinel.
pub const PARENT_LOST_EXIT: i32 = 86;

#[cfg(test)]
mod tests;
