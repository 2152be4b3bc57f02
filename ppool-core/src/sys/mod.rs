//! The kernel: one interface per file, each with a safe face.

pub mod fd_passing;
