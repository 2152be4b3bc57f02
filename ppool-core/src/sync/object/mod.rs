//! An object that processes share: memory without a name, a descriptor by which it travels, and a seat
//! for each process that has a handle.
//!
//! ```text
//!  new ──► Object ◄── attach ══ descriptors ══ a handle that is sent
//!            │  one for each process, however many handles there are
//!            ├─ memory: words of the kind, parkings, seats
//!            └─ watcher: the deaths of the others
//! ```
//!
//! # Failure
//!
//! A process that dies leaves its seat taken and whatever it held held. Each process that has to wait
//! watches all others that have seats; when one ends, it *buries* it: releases what was held, lets all
//! who wait look again, and only then gives the seat back. Each of these steps can be done twice, and
//! an undertaker that dies itself has left the seat for the next one.
//!
//! When descriptors or threads have run out, deaths can't be watched. Then who waits looks again a few
//! times a second, until they can.

mod bed;
pub(crate) mod data;
pub(crate) mod identity;
pub(crate) mod kind;
pub(crate) mod layout;
mod registry;
mod shared;
mod travel;
mod watcher;

pub(crate) use bed::{FutexBed, Waker};
pub(crate) use kind::Kind;
pub(crate) use shared::{Object, Plan};
