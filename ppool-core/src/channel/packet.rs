//! What travels through the socket of a channel: one packet for each message, whole or not at all.
//!
//! ```text
//!  ┌──────┬────────┬─────────┬────────┬──────────────────────────────┐
//!  │ kind │ stowed │ 6 zeros │ number │ body: the value as CBOR      │  + descriptors
//!  └──────┴────────┴─────────┴────────┴──────────────────────────────┘
//!    u8     bool               u64      at most INLINE_LEN; what is longer is stowed (see `parcel`)
//! ```

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use crate::{
    codec::{Decoder, Encoder, attach::Attached, cbor},
    error::RemoteFailure,
    link::parcel::{self, INLINE_LEN},
    sys::fd_passing::{self, Receiver},
};

/// The bytes before the body.
const HEADER_LEN: usize = 16;

const MESSAGE: u8 = 1;
const UNACKNOWLEDGED: u8 = 2;
const ACKNOWLEDGEMENT: u8 = 3;
const FAILURE: u8 = 4;

/// An encoded value to be sent, and the descriptors that are in it.
#[derive(Debug)]
pub(super) struct Letter {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    stowed: bool,
}

impl Letter {
    /// Makes it short enough for a packet.
    pub(super) fn new(mut bytes: Vec<u8>, mut descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let stowed = parcel::stow(&mut bytes, &mut descriptors)?;
        Ok(Letter {
            bytes,
            descriptors,
            stowed,
        })
    }

    /// How many descriptors go with it.
    pub(super) fn descriptors(&self) -> usize {
        self.descriptors.len()
    }
}

/// An encoded value that has come, and the descriptors that came with it.
#[derive(Debug)]
pub(super) struct Arrived {
    bytes: Vec<u8>,
    attached: Attached,
    stowed: bool,
}

impl Arrived {
    /// The encoded value and its descriptors.
    pub(super) fn open(mut self) -> io::Result<(Vec<u8>, Attached)> {
        if self.stowed {
            parcel::unstow(&mut self.bytes, &mut self.attached)?;
        }
        Ok((self.bytes, self.attached))
    }
}

/// What came out of the socket.
#[derive(Debug)]
pub(super) enum Received {
    /// A value; with the number by which it wants to be acknowledged.
    Message(Option<u64>, Arrived),
    /// The message with this number has been received.
    Acknowledgement(u64),
    /// The task at the other end has failed.
    Failure(RemoteFailure),
    /// Nothing is there now.
    Nothing,
    /// The end: nothing will come any more.
    End,
    /// What no channel sends.
    Nonsense,
}

/// Whether a packet went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sent {
    Done,
    /// There is no room for it now.
    Full,
    /// Nobody will receive it.
    Gone,
}

/// Sends a value; `number` is by which it wants to be acknowledged.
pub(super) fn send_message(
    socket: BorrowedFd<'_>,
    number: Option<u64>,
    letter: &Letter,
) -> io::Result<Sent> {
    let kind = number.map_or(UNACKNOWLEDGED, |_| MESSAGE);
    send(socket, kind, number.unwrap_or(0), letter)
}

pub(super) fn send_acknowledgement(socket: BorrowedFd<'_>, number: u64) -> io::Result<Sent> {
    let empty = Letter::new(Vec::new(), Vec::new())?;
    send(socket, ACKNOWLEDGEMENT, number, &empty)
}

pub(super) fn failure(failure: &RemoteFailure) -> io::Result<Letter> {
    let mut out = Encoder::new();
    cbor::encode(failure, &mut out).map_err(io::Error::other)?;
    Letter::new(out.into_bytes(), Vec::new())
}

pub(super) fn send_failure(socket: BorrowedFd<'_>, failure: &Letter) -> io::Result<Sent> {
    send(socket, FAILURE, 0, failure)
}

fn send(socket: BorrowedFd<'_>, kind: u8, number: u64, letter: &Letter) -> io::Result<Sent> {
    let mut header = [0; HEADER_LEN];
    header[0] = kind;
    header[1] = letter.stowed.into();
    header[8..].copy_from_slice(&number.to_le_bytes());
    let parts = [IoSlice::new(&header), IoSlice::new(&letter.bytes)];
    let descriptors: Vec<_> = letter.descriptors.iter().map(AsFd::as_fd).collect();
    loop {
        return match fd_passing::send(socket, &parts, &descriptors) {
            Ok(_) => Ok(Sent::Done),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(Sent::Full),
                io::ErrorKind::BrokenPipe => Ok(Sent::Gone),
                // The other side has closed with something unread; the next attempt says the rest.
                io::ErrorKind::ConnectionReset => continue,
                _ => Err(error),
            },
        };
    }
}

/// Takes the next packet, if there is one. Never blocks.
pub(super) fn receive(socket: BorrowedFd<'_>, receiver: &mut Receiver) -> io::Result<Received> {
    // One more, so that a packet that is too long is seen.
    let mut buffer = vec![0; HEADER_LEN + INLINE_LEN + 1];
    let received = loop {
        match receiver.receive(socket, &mut buffer) {
            Ok(received) if received.bytes == 0 => return Ok(Received::End),
            Ok(received) => break received,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
                // Said once, when the other side has closed with something unread; what it had sent
                // before is still there.
                io::ErrorKind::ConnectionReset => {}
                _ => return Err(error),
            },
        }
    };
    buffer.truncate(received.bytes);
    let attached = match received.descriptors {
        None => Attached::default(),
        Some(set) if set.is_cut_off => Attached::incomplete(set.descriptors),
        Some(set) => Attached::from(set.descriptors),
    };
    Ok(parse(buffer, attached))
}

fn parse(mut bytes: Vec<u8>, attached: Attached) -> Received {
    let Some(&[kind, stowed, _, _, _, _, _, _, ref number @ ..]) =
        bytes.first_chunk::<HEADER_LEN>()
    else {
        return Received::Nonsense;
    };
    let number = u64::from_le_bytes(*number);
    if stowed > 1 || bytes.len() > HEADER_LEN + INLINE_LEN {
        return Received::Nonsense;
    }
    bytes.drain(..HEADER_LEN);
    // What a program holds in a queue should not be larger than what came.
    bytes.shrink_to_fit();
    let letter = Arrived {
        bytes,
        attached,
        stowed: stowed == 1,
    };
    match kind {
        MESSAGE => Received::Message(Some(number), letter),
        UNACKNOWLEDGED => Received::Message(None, letter),
        ACKNOWLEDGEMENT => Received::Acknowledgement(number),
        FAILURE => letter
            .open()
            .ok()
            .and_then(|(bytes, _)| cbor::decode(&mut Decoder::new(&bytes)).ok())
            .map_or(Received::Nonsense, Received::Failure),
        _ => Received::Nonsense,
    }
}
