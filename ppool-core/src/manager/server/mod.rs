//! The server of a manager: one thread that keeps all objects and waits in one place.
//!
//! ```text
//!  doors ─► new connections ─► Connection ── Request ─► State (pure)
//!    └─ end: no handle is left        ▲                    │
//!       of an object                  └────── Answer ◄─────┘
//! ```
//!
//! # Invariants
//!
//! - QM-2: there is one wait point. No socket blocks it; a client that doesn't read its answer, or
//!   sends half of a request, holds up nobody else.
//! - No code of users runs on its thread, and no value is decoded: values are bytes, keys are
//!   compared as bytes. Objects of users' own types have threads of their own.
//! - LINK-2: a connection that brings anything but a request is closed.
//!
//! # Failure
//!
//! A client that is gone loses its permits and its place where it waited. When the server itself
//! ends, all connections do.

mod actors;
mod barrier;
mod connection;
mod event_loop;
mod gate;
mod monitor;
mod sequence;
mod state;
mod table;
mod waits;

pub use actors::Runner;
pub use event_loop::serve;
