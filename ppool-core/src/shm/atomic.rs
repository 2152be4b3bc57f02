//! The atomics of shared memory: the standard ones, or loom's under `cfg(loom)`, where a model
//! checker tries every order in which threads could see each other's writes.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
