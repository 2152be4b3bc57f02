//! The algorithms: pure, over atomics that the model checker can take the place of.
//!
//! | | what it is | one word says |
//! | --- | --- | --- |
//! | [`parking`] | where threads sleep until something changes | how often it has changed |
//! | [`seats`] | which processes take part | who sits where |
//! | [`lock_word`] | a lock | who holds it, or who died with it |
//! | [`permits`] | a semaphore | how many are free, and the last change |
//! | [`rendezvous`] | a barrier | which round it is, and who is there |
//! | [`switch`] | an event | whether it is set |
//! | [`twin`] | several words that change in one step | which copy of them holds |
//!
//! Each can be left by a process that is killed at any step: what it had changed in one step is
//! whole, and what it holds is told from the words.

pub(crate) mod lock_word;
pub(crate) mod parking;
pub(crate) mod permits;
pub(crate) mod rendezvous;
pub(crate) mod seats;
pub(crate) mod switch;
pub(crate) mod twin;

#[cfg(all(test, loom))]
mod models;
