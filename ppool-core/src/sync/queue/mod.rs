//! Queues between processes.
//!
//! ```text
//!  put: encode ─► put lock ─┬─► ring in shared memory ─┬─► get lock ─► copy out ─► decode: get
//!                           ├─► file behind it         ┘
//!                           └─► a socket, for descriptors
//! ```
//!
//! There is no thread between a producer and the queue: when `put` returns, the item is there for all,
//! and it stays when its producer ends.
//!
//! # Where items are
//!
//! The bytes of an item are in a ring. When that is full, or the item long, they go into the same
//! file of memory behind what is mapped, by system calls, and as long as some are there, those that
//! come later follow them; so the order is kept, and a queue without a bound has none but the
//! machine's. Space in the file is given back when it was read.
//!
//! # Failure
//!
//! Producers have one lock and consumers another, and each side says where it stands in words that
//! change in one step ([`twin`](super::algorithm::twin)). A producer that is killed has put its item or
//! has not; a consumer has taken one or has not. Either lock is taken from the dead as any other, and
//! nothing has to be repaired.
//!
//! Descriptors go through a socket beside the ring, each message with the number of its item.
//! Consumers look at a message without taking it until they have taken the item; so those of a dead
//! consumer are still there, and those of a producer that died before its item was in are thrown away
//! by the first who meets them.

mod descriptors;
mod handle;
mod items;
mod joinable;
mod store;

pub use handle::{Iter, Queue};
pub use joinable::{JoinableQueue, TooManyDone};
