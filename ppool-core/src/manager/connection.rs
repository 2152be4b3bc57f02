//! A client's end of a connection to the server: one request goes, then one answer comes.

use std::{
    io::{self, IoSlice},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use super::{
    error::ManagerErrorKind,
    protocol::{self, Answer, Request},
};
use crate::{
    codec::attach::Attached,
    sys::{
        fd_passing::{self, Descriptors, Receiver},
        limits::too_many_open_files,
        socketpair::stream_pair,
    },
    wire::{Assembler, MAX_DESCRIPTORS, Packet},
};

/// How much one system call reads.
const BUFFER_LEN: usize = 16 << 10;

/// A connection. After an error it is of no use any more.
#[derive(Debug)]
pub(super) struct Connection {
    socket: UnixStream,
    assembler: Assembler<Packet>,
    receiver: Receiver,
    buffer: Box<[u8]>,
}

impl Connection {
    /// Makes a connection through a door: the server gets one end of a new pair.
    pub(super) fn open(door: BorrowedFd<'_>) -> Result<Self, ManagerErrorKind> {
        let (ours, theirs) = stream_pair().map_err(ManagerErrorKind::System)?;
        fd_passing::send(door, &[IoSlice::new(&[0])], &[theirs.as_fd()]).map_err(failure)?;
        Ok(Connection {
            socket: ours.into(),
            assembler: Assembler::new(),
            receiver: Receiver::new(),
            buffer: vec![0; BUFFER_LEN].into(),
        })
    }

    /// From now on no read waits longer than this.
    pub(super) fn limit(&self, limit: Option<Duration>) -> Result<(), ManagerErrorKind> {
        let limited = self.socket.set_read_timeout(limit);
        limited.map_err(ManagerErrorKind::System)
    }

    /// Asks, and waits for the answer.
    pub(super) fn call(&mut self, request: &Request) -> Result<Answer, ManagerErrorKind> {
        match self.send(request) {
            // A server that has no room for this connection says so and closes it, unasked.
            Ok(()) | Err(ManagerErrorKind::ServerGone) => self.receive(),
            Err(kind) => Err(kind),
        }
    }

    fn send(&self, request: &Request) -> Result<(), ManagerErrorKind> {
        let (tail, descriptors) = protocol::encode(request).map_err(protocol_error)?;
        let head = Packet::head(tail.len(), descriptors.len());
        let head = head.map_err(|_| ManagerErrorKind::TooManyHandles)?;
        let mut descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        let mut parts = &mut [IoSlice::new(head.bytes()), IoSlice::new(&tail)][..];
        while !parts.is_empty() {
            let sent = fd_passing::send(self.socket.as_fd(), parts, &descriptors);
            descriptors.clear();
            IoSlice::advance_slices(&mut parts, sent.map_err(failure)?);
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Answer, ManagerErrorKind> {
        let mut arrived = Arrived::default();
        loop {
            let socket = self.socket.as_fd();
            let received = self.receiver.receive(socket, &mut self.buffer);
            let received = received.map_err(failure)?;
            arrived.take(received.descriptors);
            if received.bytes == 0 {
                return Err(ManagerErrorKind::ServerGone);
            }
            let mut bytes = &self.buffer[..received.bytes];
            let frame = self.assembler.take(&mut bytes);
            let frame = frame.map_err(|error| ManagerErrorKind::Protocol(error.to_string()))?;
            if let Some(frame) = frame {
                if !bytes.is_empty() || !arrived.is_that_many(frame.descriptors) {
                    let message = "more or less than one answer".to_owned();
                    return Err(ManagerErrorKind::Protocol(message));
                }
                if arrived.is_cut_off() {
                    return Err(ManagerErrorKind::System(too_many_open_files()));
                }
                let attached = arrived.into_attached();
                return protocol::decode(&frame.message.0, attached).map_err(protocol_error);
            }
        }
    }

    /// Waits until the server has closed it.
    pub(super) fn wait_for_end(mut self) {
        // Whatever comes, be it an error: it is the end, sooner or later.
        while self
            .receiver
            .receive(self.socket.as_fd(), &mut self.buffer)
            .is_ok_and(|received| received.bytes > 0)
        {}
    }
}

/// The descriptors that have come with a message that is under way.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    descriptors: Vec<OwnedFd>,
    /// Whether some could not be taken in.
    is_cut_off: bool,
}

impl Arrived {
    pub(super) fn take(&mut self, descriptors: Option<Descriptors>) {
        if let Some(received) = descriptors {
            self.descriptors.extend(received.descriptors);
            self.is_cut_off |= received.is_cut_off;
        }
    }

    /// Whether these are the descriptors of a message that has so many.
    pub(super) fn is_that_many(&self, count: u8) -> bool {
        let count = usize::from(count);
        match self.is_cut_off {
            true => self.descriptors.len() < count,
            false => self.descriptors.len() == count,
        }
    }

    /// Whether there are more than any message has.
    pub(super) fn is_too_many(&self) -> bool {
        self.descriptors.len() > MAX_DESCRIPTORS
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// All of them, where none were cut off.
    pub(super) fn into_attached(self) -> Attached {
        self.descriptors.into()
    }
}

fn failure(error: io::Error) -> ManagerErrorKind {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ManagerErrorKind::ServerGone,
        _ => ManagerErrorKind::System(error),
    }
}

fn protocol_error(error: crate::codec::CodecError) -> ManagerErrorKind {
    ManagerErrorKind::Protocol(error.0)
}
