//! A gate at which calls wait: shows that so many workers are there, and keeps them busy without
//! using the CPU.

use std::{
    io::{self, Read},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// A socket that each call of [`hold`](fn@crate::jobs::hold) connects to; such a call returns when the gate is
/// opened or dropped.
#[derive(Debug)]
pub struct Gate {
    name: String,
    listener: UnixListener,
    held: Vec<UnixStream>,
}

impl Gate {
    /// A closed gate. (Its name is in the abstract namespace: nothing is left in the file system.)
    ///
    /// # Errors
    /// When there is no socket to be had.
    pub fn new() -> io::Result<Self> {
        static GATES: AtomicU32 = AtomicU32::new(0);
        let number = GATES.fetch_add(1, Relaxed);
        let name = format!("ppool-benchmarks-{}-{number}", process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        Ok(Gate {
            name,
            listener,
            held: Vec::new(),
        })
    }

    /// What the calls have to be given.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// Waits until `count` calls wait here; gives the ids of the processes that run them.
    ///
    /// # Errors
    /// When a connection breaks.
    pub fn wait_for(&mut self, count: usize) -> io::Result<Vec<u32>> {
        let mut pids = Vec::with_capacity(count);
        for _ in 0..count {
            let (mut stream, _) = self.listener.accept()?;
            let mut pid = [0; 4];
            stream.read_exact(&mut pid)?;
            pids.push(u32::from_le_bytes(pid));
            self.held.push(stream);
        }
        Ok(pids)
    }

    /// Lets all go.
    pub fn open(self) {}
}
