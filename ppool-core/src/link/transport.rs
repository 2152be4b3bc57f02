//! Which transport a pool uses.

use std::{io, os::fd::OwnedFd};

#[cfg(not(loom))]
use super::ring::RingLink;
use super::{Link, SegmentPool, socket::SocketLink};

/// The variable that chooses a transport for all pools of a process: `ring` or `socket`. It is there
/// to test one against the other.
const VARIABLE: &str = "PPOOL_LINK";

/// How calls and results travel between a pool and its workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// Through shared memory; the default.
    Ring,
    /// Through a socket alone.
    Socket,
}

impl Transport {
    /// The one that the environment names, else the default.
    #[must_use]
    pub fn from_environment() -> Self {
        match std::env::var_os(VARIABLE) {
            Some(name) if name == "socket" => Transport::Socket,
            _ => Transport::Ring,
        }
    }

    /// How many calls a worker may have at a time. More than one needs a transport on which a queued
    /// call can be taken back.
    #[must_use]
    pub fn call_queue(self) -> usize {
        match self {
            Transport::Ring => 256,
            Transport::Socket => 1,
        }
    }

    /// Where the arguments of calls go that are too large to be copied into a ring.
    #[must_use]
    pub fn segments(self) -> Option<SegmentPool> {
        match self {
            Transport::Ring => Some(SegmentPool::new()),
            // It sends the bytes themselves.
            Transport::Socket => None,
        }
    }

    /// The parent's end of a link to a worker that has the other end of `socket`.
    ///
    /// # Errors
    /// When memory or descriptors have run out.
    pub fn link(self, socket: OwnedFd) -> io::Result<Box<dyn Link>> {
        Ok(match self {
            #[cfg(not(loom))]
            Transport::Ring => Box::new(RingLink::new(socket)?),
            // Loom checks the rings by themselves, without a link above them.
            #[cfg(loom)]
            Transport::Ring => Box::new(SocketLink::new(socket)?),
            Transport::Socket => Box::new(SocketLink::new(socket)?),
        })
    }
}
