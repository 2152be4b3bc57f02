//! The server's end of a client's connection: one request comes, then one answer goes.

use std::{
    io::{self, IoSlice},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use crate::{
    manager::{
        connection::Arrived,
        protocol::{self, Answer, Request},
    },
    sys::{
        epoll::Interest,
        fd_passing::{self, Received, Receiver},
        limits,
        socketpair::peer_pid,
    },
    wire::{Assembler, Frame, Packet},
};

/// What one turn reads or writes at most, about.
const BOUND: usize = 1 << 20;

/// How much one system call reads.
const BUFFER_LEN: usize = 64 << 10;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    socket: UnixStream,
    /// The process that made it.
    pid: u32,
    assembler: Assembler<Packet>,
    /// What has come with the request that is coming.
    arrived: Arrived,
    outgoing: Option<Outgoing>,
    /// What is waited for at the socket now.
    interest: Interest,
}

/// An answer on its way out.
#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
    /// Go with the first byte.
    descriptors: Vec<OwnedFd>,
}

/// Where what arrives is put at first; one for all connections.
#[derive(Debug)]
pub(super) struct Inbox {
    receiver: Receiver,
    buffer: Box<[u8]>,
}

/// What has come.
#[derive(Debug)]
pub(super) enum Arrival {
    Request(Request),
    /// A request without all of its descriptors: this process has as many open as it may have.
    CutOff,
}

/// Nothing more can be done with a connection: the other side is gone, or talks nonsense.
#[derive(Debug)]
pub(super) struct Broken;

impl Inbox {
    pub(super) fn new() -> Self {
        Inbox {
            receiver: Receiver::new(),
            buffer: vec![0; BUFFER_LEN].into(),
        }
    }

    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<Received> {
        self.receiver.receive(socket, &mut self.buffer)
    }
}

impl Connection {
    /// Takes over one end of a pair of stream sockets.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        let pid = peer_pid(socket.as_fd())?;
        let socket = UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Connection {
            socket,
            pid,
            assembler: Assembler::new(),
            arrived: Arrived::default(),
            outgoing: None,
            interest: Interest::READ,
        })
    }

    /// The client's process.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Reads what is there, up to a bound; the request, when all of it has come.
    pub(super) fn read(&mut self, inbox: &mut Inbox) -> Result<Option<Arrival>, Broken> {
        let mut bound = BOUND;
        while bound > 0 {
            let received = match inbox.receive(self.socket.as_fd()) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(_) => return Err(Broken),
            };
            self.arrived.take(received.descriptors);
            if received.bytes == 0 || self.arrived.is_too_many() {
                return Err(Broken);
            }
            bound = bound.saturating_sub(received.bytes);
            let mut bytes = &inbox.buffer[..received.bytes];
            if let Some(frame) = self.assembler.take(&mut bytes).map_err(|_| Broken)? {
                // No client sends a second request before it has the answer to the first.
                return match bytes {
                    [] => self.request(&frame).map(Some),
                    _ => Err(Broken),
                };
            }
        }
        Ok(None)
    }

    fn request(&mut self, frame: &Frame<Packet>) -> Result<Arrival, Broken> {
        let arrived = std::mem::take(&mut self.arrived);
        if !arrived.is_that_many(frame.descriptors) {
            return Err(Broken);
        }
        if arrived.is_cut_off() {
            return Ok(Arrival::CutOff);
        }
        let request = protocol::decode(&frame.message.0, arrived.into_attached());
        request.map(Arrival::Request).map_err(|_| Broken)
    }

    /// Begins to send an answer. Call [`Connection::write`] next.
    pub(super) fn answer(&mut self, answer: &Answer) {
        let Ok((tail, descriptors)) = protocol::encode(answer) else {
            // For want of a descriptor: each that goes is duplicated first.
            return self.answer(&too_many_open_files());
        };
        let Ok(head) = Packet::head(tail.len(), descriptors.len()) else {
            return self.answer(&Answer::TooManyHandles);
        };
        let mut bytes = Vec::with_capacity(head.bytes().len() + tail.len());
        bytes.extend_from_slice(head.bytes());
        bytes.extend_from_slice(&tail);
        self.outgoing = Some(Outgoing {
            bytes,
            written: 0,
            descriptors,
        });
    }

    /// Writes what the socket takes, up to a bound.
    pub(super) fn write(&mut self) -> Result<(), Broken> {
        let mut bound = BOUND;
        while let Some(outgoing) = &mut self.outgoing
            && bound > 0
        {
            let rest = &outgoing.bytes[outgoing.written..];
            let part = IoSlice::new(&rest[..rest.len().min(BOUND)]);
            let descriptors: Vec<BorrowedFd<'_>> =
                outgoing.descriptors.iter().map(AsFd::as_fd).collect();
            match fd_passing::send(self.socket.as_fd(), &[part], &descriptors) {
                Ok(sent) => {
                    outgoing.descriptors.clear();
                    outgoing.written += sent;
                    bound = bound.saturating_sub(sent);
                    if outgoing.written == outgoing.bytes.len() {
                        self.outgoing = None;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(Broken),
            }
        }
        Ok(())
    }

    /// What to wait for next, when that has changed. A client that waits for an answer sends
    /// nothing; that it is gone is always reported.
    pub(super) fn next_interest(&mut self, waits: bool) -> Option<Interest> {
        let next = match &self.outgoing {
            Some(_) => Interest::WRITE,
            None if waits => Interest::NONE,
            None => Interest::READ,
        };
        let changed = next != self.interest;
        self.interest = next;
        changed.then_some(next)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The system has refused something.
pub(super) fn shortage(error: &io::Error) -> Answer {
    Answer::Shortage(error.raw_os_error().unwrap_or_default())
}

pub(super) fn too_many_open_files() -> Answer {
    shortage(&limits::too_many_open_files())
}
