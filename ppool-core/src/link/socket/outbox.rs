//! The sending half of the parent's end: messages that wait until the socket has room.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    ops::Range,
    os::fd::{AsFd, BorrowedFd},
};

use crate::{
    codec::SharedPayload,
    sys::fd_passing,
    wire::{Head, MAX_DESCRIPTORS, ToWorker, WireError},
};

/// What one turn writes at most, about.
const WRITE_BOUND: usize = 1 << 20;

/// How many parts one system call writes at most.
const MAX_PARTS: usize = 16;

/// Messages on their way out.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Outgoing>,
    /// How much of the first one has been written.
    written: usize,
    /// The worker is gone: nothing can be written any more, and something was to be.
    broken: bool,
}

#[derive(Debug)]
struct Outgoing {
    head: Head,
    payload: SharedPayload,
    /// Which descriptors of the payload go with the message's first byte.
    descriptors: Range<usize>,
    /// Whether the bytes of the payload are the message's tail, or go by its segment; else they are
    /// those of a message behind it.
    is_last: bool,
}

impl Outgoing {
    fn tail(&self) -> &[u8] {
        match self.is_last {
            true => self.payload.bytes(),
            false => &[],
        }
    }

    fn len(&self) -> usize {
        self.head.bytes().len() + self.tail().len()
    }

    fn segment(&self) -> Option<BorrowedFd<'_>> {
        let stored = self.payload.stored().filter(|_| self.is_last)?;
        Some(stored.as_fd())
    }

    fn has_descriptors(&self) -> bool {
        !self.descriptors.is_empty() || self.segment().is_some()
    }

    fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let own = &self.payload.descriptors()[self.descriptors.clone()];
        own.iter().map(AsFd::as_fd).chain(self.segment())
    }
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether something could not be written, since the worker was gone.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Appends a message with a payload, to be written by [`Outbox::flush`].
    pub(super) fn push(&mut self, head: Head, payload: SharedPayload) -> Result<(), WireError> {
        if self.broken {
            return Ok(());
        }
        let count = payload.descriptors().len();
        let segment = usize::from(payload.stored().is_some());
        let mut sent = 0;
        while count + segment - sent > MAX_DESCRIPTORS {
            let more = MAX_DESCRIPTORS.min(count - sent);
            self.waiting.push_back(Outgoing {
                head: ToWorker::descriptors().with_descriptors(more)?,
                payload: payload.clone(),
                descriptors: sent..sent + more,
                is_last: false,
            });
            sent += more;
        }
        self.waiting.push_back(Outgoing {
            head: head.with_descriptors(count - sent + segment)?,
            payload,
            descriptors: sent..count,
            is_last: true,
        });
        Ok(())
    }

    /// Writes what the socket takes, up to a bound.
    pub(super) fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let mut bound = WRITE_BOUND;
        while bound > 0 && !self.waiting.is_empty() {
            match self.write(socket) {
                Ok(sent) => bound = bound.saturating_sub(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if is_gone(&error) => {
                    self.broken = true;
                    self.waiting.clear();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes once, as many messages together as go.
    fn write(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut parts = [IoSlice::new(&[]); MAX_PARTS];
        let mut count = 0;
        let mut skip = self.written;
        for (at, message) in self.waiting.iter().enumerate() {
            // Descriptors go with the first byte of a system call, so the call must begin with
            // their message.
            if at > 0 && message.has_descriptors() || count + 2 > MAX_PARTS {
                break;
            }
            for bytes in [message.head.bytes(), message.tail()] {
                let rest = &bytes[skip.min(bytes.len())..];
                skip -= bytes.len() - rest.len();
                if !rest.is_empty() {
                    parts[count] = IoSlice::new(rest);
                    count += 1;
                }
            }
        }
        let first = self.waiting.front();
        let descriptors: Vec<BorrowedFd<'_>> = first
            .filter(|_| self.written == 0)
            .into_iter()
            .flat_map(Outgoing::descriptors)
            .collect();
        let sent = fd_passing::send(socket, &parts[..count], &descriptors)?;
        self.remove(sent);
        Ok(sent)
    }

    /// Forgets what was sent.
    fn remove(&mut self, sent: usize) {
        self.written += sent;
        while let Some(first) = self.waiting.front()
            && self.written >= first.len()
        {
            self.written -= first.len();
            self.waiting.pop_front();
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}
