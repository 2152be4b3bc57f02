//! Calls, from the parent to one worker: a ring of slots whose arguments lie in the slot, in the
//! arena, or elsewhere.
//!
//! ```text
//!  slot: ┌───────┬─────────┬──────┬─────────────────┬───────┬────────────┬───────────┬───────────────┐
//!        │ state │ work id │ task │ attempt │ count │ place │ started at │ arguments │ spent │ items │
//!        └───────┴─────────┴──────┴─────────────────┴───────┴────────────┴───────────┴───────────────┘
//!          64 bits                                                         to 192 B
//! ```
//!
//! A call with one small argument takes one cache line. The states are drawn in [`super`].
//!
//! A call of several items is not claimed as a whole: the worker claims some of its items at a time,
//! by the slot's word `items`, and the parent may take back those that are not claimed
//! ([`CallQueue::take_back`]), by the same word.
//!
//! The parent never reads a state to learn that a slot is free: the worker releases the slot first
//! and publishes the call's last result afterwards, so the result says it. It looks at the state only
//! of slots whose call was revoked or cut short, and after a death.

mod queue;
mod slot;
mod taker;

pub(crate) use queue::{CallQueue, Full, Source, Started};
pub(crate) use slot::{Entry, Place};
pub(super) use slot::{high, low};
pub(crate) use taker::{CallTaker, Claimed, Taken};

#[cfg(all(test, not(loom)))]
mod tests;
