//! The life of worker processes: how they are started, watched and ended.
//!
//! ```text
//!  LaunchConfig ──► launch ──posix_spawn──► worker: handover::parse, sys::inherit
//!                     │
//!                     ▼
//!                  Launched: pid, exit watch, socket
//! ```
//!
//! Invariants: SUP-3 (a worker is waited for by its pidfd only), SUP-4 (it is started so that it can
//! tell when its parent dies).

pub mod environment;
pub mod handover;
pub mod launcher;
mod trial;

pub use handover::Role;
pub use launcher::{LaunchConfig, LaunchError, Launched, StartError, adopt, launch, start};
pub use trial::{not_so_nice, try_scheduling};
