//! What two processes share: a region of memory per worker with a ring each way, and segments for
//! what is too large for a ring.
//!
//! ```text
//!  region:  ┌────────┬───────────┬────────────┬─────────────┐
//!           │ header │ call ring │ call arena │ result ring │
//!           └────────┴───────────┴────────────┴─────────────┘
//!             bells    32 slots    arguments     records
//!             ends     of 256 B    to 64 KiB     to 64 KiB
//!
//!   CallQueue ──push──► call ring ───claim──► CallTaker
//!   (parent)  ─revoke─►                       (worker)
//!   ResultReader ◄─next── result ring ◄─stage, publish── ResultWriter
//!   SegmentPool, Received ◄── segments, by descriptor ──► View, ResultSegments
//! ```
//!
//! # States
//!
//! A slot of the call ring goes round like this; the position (how many calls came before it) is part
//! of the state, so that a slot of an earlier lap is never taken for one of this lap:
//!
//! ```text
//!            parent: push            worker: claim           worker: release
//!  Free(p) ───────────────► Queued(p) ───────────► Running(p) ──────────────► Free(p + slots)
//!                               │                                                ▲
//!                               └─ parent: revoke ─► Revoked(p) ─ worker: skip ──┘
//! ```
//!
//! Claim and revoke are compare-exchanges of the same word, so exactly one of them wins. After a
//! death the states say which call was running.
//!
//! # Sleeping
//!
//! Each side has a [`bell`] word in the header. Who goes to sleep says so there and looks once more;
//! who has published something looks there: so a system call is made only when the other side sleeps,
//! and no wake-up is lost.
//!
//! # Invariants
//!
//! - LINK-1: the call ring and its arena are written by the parent and read by the worker, but for the
//!   claim and the release of a slot; the result ring the other way round.
//! - LINK-2: whatever the parent reads here is checked, each field read once. Garbage gives
//!   [`Broken`], or wrong results of that one worker; never more.
//! - QM-1: the parent waits for nothing here. A ring that is full says so.
//! - Nothing here has a name in any file system, and the kernel frees it with its last user.
//!
//! # Failure
//!
//! The other process may die between any two steps. Whatever it had published is whole; what it was
//! about to publish isn't seen, but for the items of an open result record, each of which counts from
//! the moment when it was written (see [`result_ring`]).
//!
//! # Safety
//!
//! `memory` alone touches the shared bytes. The rings are ordinary code above it, run under Miri over
//! ordinary memory, and model-checked with loom (`cfg(loom)`).

mod arena;
pub(crate) mod atomic;
pub(crate) mod bell;
pub(crate) mod call_ring;
mod layout;
#[cfg(not(loom))]
mod memory;
#[cfg(loom)]
#[path = "model_memory.rs"]
mod memory;
mod region;
pub(crate) mod result_ring;
#[cfg(not(loom))]
pub(crate) mod segments;

#[cfg(all(test, loom))]
mod models;

pub(crate) use memory::Memory;
pub(crate) use region::Region;

use std::{fmt, io};

/// Shared memory holds what can't be there: the other process is broken (LINK-2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Broken(pub(crate) &'static str);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared memory is damaged: {}", self.0)
    }
}

impl std::error::Error for Broken {}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, broken)
    }
}
