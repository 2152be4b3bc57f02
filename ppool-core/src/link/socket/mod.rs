//! The portable transport: a Unix socket pair, one for each worker.
//!
//! Everything goes through the one stream, so its end comes after everything that was sent. Large
//! payloads are written from where they lie and read into where they stay: the kernel's copy is the
//! only one.

mod arrivals;
mod inbox;
mod outbox;
mod parent;
mod worker;

pub use parent::SocketLink;
pub use worker::WorkerSocket;

#[cfg(test)]
mod tests;
