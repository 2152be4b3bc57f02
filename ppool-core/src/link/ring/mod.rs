//! The fast transport: calls and results through shared memory, everything else by a socket.
//!
//! ```text
//!   parent                                                     worker
//!   RingLink ───── calls ──────► call ring ────► RingCalls   ┐ call thread
//!            ◄──── results ───── result ring ◄── RingResults ┘
//!            ◄─────────────── socket ──────────► RingControl   control thread
//!             boot with the region, hello, ready, sentinel, bye, doorbells;
//!             calls and results that are too large, or have descriptors; the end
//!   SegmentPool ── large arguments, by descriptor ──► View, in place
//!            ◄──── large results, by descriptor ─── ResultSegments
//! ```
//!
//! The region (`crate::shm`) is made by the parent and travels with the boot message.
//!
//! # Order
//!
//! The rings say in which order calls and results come. What is sent by the socket has its place in
//! the ring too: a slot that says that its arguments come by the socket, a record that says the same
//! of a result. So every call can be revoked, and results come in order. The worker's other messages
//! come before the results that were published after them; its goodbye comes last.
//!
//! # Large values
//!
//! Above 64 KiB arguments are encoded into a segment (`crate::shm::segments`), and its descriptor is
//! what goes by the socket. The worker reads them in place, so this end holds them until they are
//! answered or revoked, or the worker is gone. Results go the other way, and are copied out of their
//! segment where they are decoded; when that is done, the worker may use it again.
//!
//! # Sleeping
//!
//! - The worker's call thread looks for calls for a bounded time, then sleeps on a futex.
//! - The parent says by [`Link::prepare_sleep`](super::Link::prepare_sleep) that nobody looks; then
//!   the worker sends a doorbell by the socket, which makes the descriptor readable. One word from the
//!   worker for each sleep, however many results.
//!
//! No side makes a system call while the other is awake (`crate::shm::bell` has the protocol).
//!
//! # Failure
//!
//! - The worker dies: the end of the socket, or its pidfd, says so. What it had published, and what it
//!   had written of an open record, is taken first. Which calls it had started is read from the slots.
//! - The parent dies: the end of the socket ends the control thread's waiting, and the process with it.
//! - Memory is damaged: the link fails (LINK-2), and the worker is done for.

mod parent;
mod record;
mod worker;

pub use parent::RingLink;
pub use worker::{RingCall, RingCalls, RingControl, RingResults, attach};

#[cfg(test)]
mod tests;
