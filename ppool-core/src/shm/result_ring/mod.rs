//! Results, from one worker to the parent: a ring of bytes with a record for each result, or for
//! several results in a row.
//!
//! ```text
//!                 head                     tail              staged
//!                  │ published records      │ not yet         │
//!  ┌───────────────┬────────┬───────┬───────┬─────────────────┬─────┐
//!  │               │ record │ rec.. │ pad   │ record          │     │
//!  └───────────────┴────────┴───────┴───────┴─────────────────┴─────┘
//!  record: ┌─────────────────────┬─────────┬─────────────────┬───────────────┐
//!          │ len │ kind │ count  │ work id │ attempt │ index │ bytes, padded │
//!          └─────────────────────┴─────────┴─────────────────┴───────────────┘
//!            32     8      24      64        32        32        to 8
//! ```
//!
//! The worker stages records, then publishes them all by one store of `tail`; the parent copies them
//! out and gives the room back by one store of `head`. Positions grow for ever. A record is never
//! broken by the ring's end: a pad comes before it instead. When the parent has taken everything, the
//! worker begins at the front again, so that few pages are used, and warm ones.
//!
//! A record of several results is open while they are added. The worker notes each in the word
//! `open`, together with the low bits of `tail`, so that the parent can take what is in an open record
//! too, after a death: a result counts from the moment when it was written
//! ([`ResultReader::take_open`]).
//!
//! # Invariants
//!
//! - A full ring makes the worker wait, never the parent (QM-1).
//! - LINK-2: [`ResultReader`] checks every position, length and kind, and copies bytes out.

mod reader;
mod record;
mod writer;

pub(crate) use reader::ResultReader;
pub(crate) use record::{Record, RecordHead};
pub(crate) use writer::{NoRoom, ResultWriter};

#[cfg(all(test, not(loom)))]
mod tests;
