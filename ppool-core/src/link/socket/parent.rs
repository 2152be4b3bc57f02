//! The parent's end.

use std::{
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
};

use super::{
    inbox::{Arrival, Inbox},
    outbox::Outbox,
};
use crate::{
    link::{Link, LinkState, Payload},
    wire::{Boot, CallItem, Encoded, FromWorker, Head, ToWorker, WireError},
};

/// What one turn reads at most, about.
const READ_BOUND: usize = 1 << 20;

/// The parent's end of a socket pair.
#[derive(Debug)]
pub struct SocketLink {
    socket: UnixStream,
    outbox: Outbox,
    inbox: Inbox<FromWorker>,
    state: LinkState,
    /// Whether the worker was gone before it had read all that was written.
    reset: bool,
}

impl SocketLink {
    /// Takes over one end of a pair of stream sockets.
    ///
    /// # Errors
    /// When it can't be made non-blocking.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        let socket = UnixStream::from(fd);
        socket.set_nonblocking(true)?;
        Ok(SocketLink {
            socket,
            outbox: Outbox::default(),
            inbox: Inbox::new(),
            state: LinkState::Open,
            reset: false,
        })
    }

    /// Sends the worker's first message, and descriptors that it gets copies of.
    pub(in crate::link) fn send_boot_with_fds(
        &mut self,
        boot: &Boot,
        fds: Vec<OwnedFd>,
    ) -> io::Result<()> {
        let Encoded { head, tail } = boot.encode();
        self.send(head, Arc::new(tail.into_owned()), fds)
    }

    fn send(&mut self, head: Head, tail: Payload, fds: Vec<OwnedFd>) -> io::Result<()> {
        let head = head.with_descriptors(fds.len())?;
        self.outbox.push(head, tail, fds);
        self.outbox.flush(self.socket.as_fd())
    }

    /// Receives what is there, up to a bound.
    fn receive(&mut self, up: &mut Vec<FromWorker>) -> io::Result<()> {
        let mut bound = READ_BOUND;
        loop {
            while let Some(frame) = self.inbox.next()? {
                if frame.descriptors > 0 {
                    // No message of a worker brings any. `read` below takes none in, so the kernel
                    // has closed them.
                    return Err(WireError::Descriptors.into());
                }
                up.push(frame.message);
            }
            if bound == 0 {
                return Ok(());
            }
            let read = |buffer: &mut [u8]| (&self.socket).read(buffer);
            match self.inbox.read(read, &self.socket)? {
                Arrival::More(arrived) => bound = bound.saturating_sub(arrived),
                // One more turn of the loop to give out what has come.
                Arrival::All(_) => bound = 0,
                end @ (Arrival::End | Arrival::Reset) => {
                    self.reset = end == Arrival::Reset;
                    self.state = LinkState::Closed;
                    return Ok(());
                }
            }
        }
    }
}

impl Link for SocketLink {
    fn send_call_with_fds(
        &mut self,
        call: CallItem,
        payload: Payload,
        fds: Vec<OwnedFd>,
    ) -> io::Result<()> {
        self.send(call.head(payload.len()), payload, fds)
    }

    fn send_boot(&mut self, boot: &Boot) -> io::Result<()> {
        self.send_boot_with_fds(boot, Vec::new())
    }

    fn send_sentinel(&mut self) -> io::Result<()> {
        self.send(ToWorker::sentinel().head, Payload::default(), Vec::new())
    }

    fn wants_write(&self) -> bool {
        !self.outbox.is_empty()
    }

    fn is_unread(&self) -> bool {
        self.reset || self.outbox.is_broken() || !self.outbox.is_empty()
    }

    fn drive(&mut self, up: &mut Vec<FromWorker>) -> io::Result<LinkState> {
        self.outbox.flush(self.socket.as_fd())?;
        if self.state == LinkState::Open {
            self.receive(up)?;
        }
        Ok(self.state)
    }
}

impl AsFd for SocketLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
