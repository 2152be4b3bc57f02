//! The calls that a pool holds: plain data, no clock, no I/O.
//!
//! ```text
//!  submit ──► WorkItems (table, by id) ──► Pending (ids, first in first out) ──► a worker
//! ```
//!
//! States of an item: waiting in [`Pending`], or in flight at a worker; gone once it is resolved.
//! Invariant: Q-1 (`Pending` is bounded by the pool's queue capacity, what is in flight by the call
//! queues of the workers).

mod pending;
mod work_item;

pub(crate) use pending::Pending;
pub(crate) use work_item::{Place, StopReason, WorkItem, WorkItems};
