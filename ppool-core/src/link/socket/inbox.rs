//! The receiving half of either end.

use std::io::{self, Read};

use crate::wire::{Assembler, Frame, Message, WireError};

/// What one read takes at most, unless it goes straight into a large tail.
const BUFFER_LEN: usize = 16 << 10;

/// What one read into a large tail takes at most, so that a turn of the parent's end stays bounded.
const DIRECT_LEN: usize = 1 << 20;

/// Reads a stream and gives out its messages.
#[derive(Debug)]
pub(super) struct Inbox<M> {
    assembler: Assembler<M>,
    buffer: Box<[u8]>,
    /// What of `buffer` was read and not yet given to the assembler.
    unused: std::ops::Range<usize>,
}

/// What one read found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// This many bytes, and there may be more.
    More(usize),
    /// This many bytes, and for now that was all.
    All(usize),
    /// The end of the stream.
    End,
    /// The end of the stream: the other side is gone and had not read all that was sent to it.
    Reset,
}

impl<M: Message> Inbox<M> {
    pub(super) fn new() -> Self {
        Inbox {
            assembler: Assembler::new(),
            buffer: vec![0; BUFFER_LEN].into(),
            unused: 0..0,
        }
    }

    /// The next message, when all of it has been read.
    pub(super) fn next(&mut self) -> Result<Option<Frame<M>>, WireError> {
        let mut bytes = &self.buffer[self.unused.clone()];
        let frame = self.assembler.take(&mut bytes);
        self.unused.start = self.unused.end - bytes.len();
        frame
    }

    /// Whether no message is under way.
    pub(super) fn is_between_messages(&self) -> bool {
        self.assembler.is_between_messages()
    }

    /// Reads once. Call it only when [`Inbox::next`] has none.
    ///
    /// `read` reads into a buffer; it alone sees the start of a message, where descriptors can come
    /// along. `stream` is the same stream, for the rest of large tails.
    pub(super) fn read(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
        stream: impl Read,
    ) -> io::Result<Arrival> {
        if let Some(body) = self.assembler.body()
            && body.missing >= BUFFER_LEN
        {
            let before = body.bytes.len();
            let room = body.bytes.capacity() - before;
            let room = room.min(body.missing).min(DIRECT_LEN);
            // Reads into the spare room as it is, without filling it with zeros first.
            let result = stream.take(room as u64).read_to_end(body.bytes);
            let arrived = body.bytes.len() - before;
            return match result {
                Ok(_) if arrived < room => Ok(Arrival::End),
                Ok(_) => Ok(Arrival::More(arrived)),
                Err(error) => ended(arrived, error),
            };
        }
        match read(&mut self.buffer) {
            Ok(0) => Ok(Arrival::End),
            Ok(arrived) => {
                self.unused = 0..arrived;
                Ok(match arrived {
                    BUFFER_LEN => Arrival::More(arrived),
                    _ => Arrival::All(arrived),
                })
            }
            Err(error) => ended(0, error),
        }
    }
}

/// What a read that failed after some bytes comes down to.
fn ended(arrived: usize, error: io::Error) -> io::Result<Arrival> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(Arrival::All(arrived)),
        // What the other side wrote was read before.
        io::ErrorKind::ConnectionReset => Ok(Arrival::Reset),
        _ => Err(error),
    }
}
