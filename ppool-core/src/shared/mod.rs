//! Things that several processes have in common, as values that travel: arguments and results of
//! tasks, and whatever is in them.
//!
//! Each is a handle, and what travels of it is a descriptor beside the bytes
//! ([`attach`](crate::codec::attach)). The kernel frees what is behind it when the last process that
//! holds it is gone, so nothing is left behind by a crash.
//!
//! # Failure
//!
//! A handle can travel only with the calls, results and items of ppool; other uses of serde get an
//! error that says so.

#[cfg(not(loom))]
mod array;
mod descriptor;
#[cfg(not(loom))]
mod value;

pub use descriptor::Descriptor;
#[cfg(not(loom))]
pub use {
    array::{ArrayGuard, SharedArray},
    value::{SharedValue, ValueGuard},
};

#[cfg(not(loom))]
pub use crate::{codec::Plain, sync::object::data::Atomic};
