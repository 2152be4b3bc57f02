//! What carries messages between the parent and one worker: the seam behind which the transport can
//! be another.
//!
//! ```text
//!       queue manager                                     control thread     call thread
//!            │ send_call, send_sentinel                        ▲ recv             │ send
//!            ▼                                                 │                  ▼
//!        dyn Link ═════════════ one worker's transport ════ dyn WorkerLink ════════
//!            ▲ drive: results, joining, leaving
//! ```
//!
//! - [`Link`] is the parent's end. It never blocks (QM-1).
//! - [`WorkerLink`] is the worker's end. One of its threads receives, any of them sends.
//! - [`socket`] is the portable transport, a Unix socket pair.
//! - `ring` is the fast one: calls and results through shared memory, the rest by a socket.
//! - [`parcel`] is for what travels whole, without a worker's transport: a message of a channel, or
//!   the arguments of a process.
//!
//! # Invariants
//!
//! - LINK-1: each direction has one writer process and one reader process.
//! - LINK-2: what comes from the other side is checked as if hostile.
//! - What was sent before the other side closed, or died, is delivered before the close is seen.
//!
//! # Failure
//!
//! A worker that dies is no error to its parent's end: what it still wrote is delivered, half a
//! message is dropped, then [`LinkState::Closed`] is said. A parent that dies is the end of the
//! stream to its worker.

pub mod ring;

mod ends;
pub mod parcel;
pub mod socket;
mod transport;

pub use crate::shm::segments::SegmentPool;
pub use ends::{Link, LinkState, Started, WorkerLink};
pub use transport::Transport;

#[cfg(test)]
mod conformance;
