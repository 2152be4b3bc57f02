//! The parent's end.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use super::{
    arrivals::Arrivals,
    inbox::{Arrival, Inbox},
    outbox::Outbox,
};
use crate::{
    codec::{Payload, SharedPayload, attach::Attached},
    ids::{ItemId, WorkId},
    link::{Link, LinkState},
    wire::{
        Boot, CallItem, CallOutcome, Encoded, FromWorker, Head, ResultItem, ToWorker, WireError,
    },
};

/// What one turn reads at most, about.
const READ_BOUND: usize = 1 << 20;

/// The parent's end of a socket pair.
#[derive(Debug)]
pub struct SocketLink {
    socket: UnixStream,
    outbox: Outbox,
    inbox: Inbox<FromWorker>,
    arrivals: Arrivals,
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
            arrivals: Arrivals::default(),
            state: LinkState::Open,
            reset: false,
        })
    }

    /// Sends the first message of a template, with the descriptors of its preload.
    ///
    /// # Errors
    /// As [`Link::send_call`].
    pub fn send_template(&mut self, boot: &Boot, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let Encoded { head, tail } = boot.encode_template();
        let payload = Payload::with_descriptors(tail.into_owned(), descriptors);
        self.send(head, payload.into())
    }

    /// Asks a template to fork a worker, which gets this end of a link.
    ///
    /// # Errors
    /// As [`Link::send_call`].
    pub fn send_fork(&mut self, workers_end: OwnedFd) -> io::Result<()> {
        let payload = Payload::with_descriptors(Vec::new(), vec![workers_end]);
        self.send(ToWorker::fork().head, payload.into())
    }

    fn send(&mut self, head: Head, payload: SharedPayload) -> io::Result<()> {
        self.outbox.push(head, payload)?;
        self.outbox.flush(self.socket.as_fd())
    }

    /// Receives what is there, up to a bound.
    fn receive(&mut self, up: &mut Vec<FromWorker>) -> io::Result<()> {
        let mut bound = READ_BOUND;
        loop {
            while let Some(frame) = self.inbox.next()? {
                self.arrivals.claim(frame.descriptors)?;
                if frame.message != FromWorker::Descriptors {
                    up.push(with_attached(frame.message, self.arrivals.take())?);
                }
            }
            if self.inbox.is_between_messages() {
                self.arrivals.drop_unclaimed();
            }
            if bound == 0 {
                return Ok(());
            }
            let read = |buffer: &mut [u8]| self.arrivals.receive(self.socket.as_fd(), buffer);
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

impl SocketLink {
    /// Has the worker close the descriptors of a call that it will find revoked.
    pub(crate) fn send_revoked(&mut self, work_id: WorkId, attempt: u32) -> io::Result<()> {
        self.send(
            ToWorker::revoked(work_id, attempt),
            SharedPayload::default(),
        )
    }
}

impl Link for SocketLink {
    fn send_call(&mut self, call: CallItem, payload: SharedPayload) -> io::Result<()> {
        let head = match payload.stored() {
            Some(stored) => call.head_in_segment(stored.len()),
            None => call.head(payload.len()),
        };
        self.send(head, payload)
    }

    fn send_boot(&mut self, boot: &Boot, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let Encoded { head, tail } = boot.encode();
        let payload = Payload::with_descriptors(tail.into_owned(), descriptors);
        self.send(head, payload.into())
    }

    fn send_stop(&mut self, item: ItemId) -> io::Result<()> {
        self.send(ToWorker::stop(item), SharedPayload::default())
    }

    fn send_sentinel(&mut self) -> io::Result<()> {
        self.send(ToWorker::sentinel().head, SharedPayload::default())
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

/// A message, with the descriptors that came with it. Only values bring any.
fn with_attached(message: FromWorker, attached: Attached) -> Result<FromWorker, WireError> {
    if attached.is_empty() && !attached.is_incomplete() {
        return Ok(message);
    }
    match message {
        FromWorker::Result(ResultItem {
            work_id,
            attempt,
            index,
            outcome: CallOutcome::Value(value),
        }) => Ok(FromWorker::Result(ResultItem {
            work_id,
            attempt,
            index,
            outcome: CallOutcome::Value(value.and_received(attached)),
        })),
        FromWorker::Result(ResultItem {
            work_id,
            attempt,
            index,
            outcome:
                CallOutcome::InSegment {
                    len,
                    ticket,
                    attached: none,
                },
        }) => Ok(FromWorker::Result(ResultItem {
            work_id,
            attempt,
            index,
            outcome: CallOutcome::InSegment {
                len,
                ticket,
                attached: none.and_received(attached),
            },
        })),
        _ => Err(WireError::Descriptors),
    }
}

impl AsFd for SocketLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
