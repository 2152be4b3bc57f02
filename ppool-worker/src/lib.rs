//! The worker process's side of ppool.

/// Keeps this crate in every binary that has a task.
pub fn hook() {}
