//! The worker's end.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    arrivals::Arrivals,
    inbox::{Arrival, Inbox},
};
use crate::{
    codec::{attach::Attached, segment::Stored},
    ids::WorkId,
    link::WorkerLink,
    sys::fd_passing,
    wire::{Encoded, Frame, FromWorker, Head, MAX_DESCRIPTORS, Message, ResultItem, ToWorker},
};

/// The worker's end of a socket pair.
#[derive(Debug)]
pub struct WorkerSocket {
    socket: UnixStream,
    receiving: Mutex<Receiving>,
    /// Held while a message is written, so that those of two threads don't mix.
    sending: Mutex<()>,
}

#[derive(Debug)]
struct Receiving {
    inbox: Inbox<ToWorker>,
    /// Descriptors that have come, of messages that are not yet given out.
    arrivals: Arrivals,
    /// The descriptors of the message that was given out last.
    current: Attached,
}

impl WorkerSocket {
    /// Takes over one end of a pair of stream sockets, which must be a blocking one.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Self {
        WorkerSocket {
            socket: UnixStream::from(fd),
            receiving: Mutex::new(Receiving {
                inbox: Inbox::new(),
                arrivals: Arrivals::default(),
                current: Attached::default(),
            }),
            sending: Mutex::new(()),
        }
    }

    /// Writes a message; those of its descriptors that don't go with it before it.
    fn write(&self, head: Head, tail: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let _one_at_a_time = lock(&self.sending);
        let mut descriptors = descriptors;
        while descriptors.len() > MAX_DESCRIPTORS {
            let (first, rest) = descriptors.split_at(MAX_DESCRIPTORS);
            self.write_part(FromWorker::descriptors(), &[], first)?;
            descriptors = rest;
        }
        self.write_part(head, tail, descriptors)
    }

    fn write_part(
        &self,
        head: Head,
        tail: &[u8],
        mut descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let head = head.with_descriptors(descriptors.len())?;
        let mut parts = &mut [IoSlice::new(head.bytes()), IoSlice::new(tail)][..];
        while !parts.is_empty() {
            let sent = fd_passing::send(self.socket.as_fd(), parts, descriptors)?;
            IoSlice::advance_slices(&mut parts, sent);
            // They went with the first byte.
            descriptors = &[];
        }
        Ok(())
    }
}

impl WorkerLink for WorkerSocket {
    fn recv(&self) -> io::Result<Option<ToWorker>> {
        let mut receiving = lock(&self.receiving);
        let Receiving {
            inbox,
            arrivals,
            current,
        } = &mut *receiving;
        *current = Attached::default();
        loop {
            if let Some(Frame {
                message,
                descriptors,
            }) = inbox.next()?
            {
                arrivals.claim(descriptors)?;
                if message == ToWorker::Descriptors {
                    continue;
                }
                *current = arrivals.take();
                return Ok(Some(message));
            }
            if inbox.is_between_messages() {
                arrivals.drop_unclaimed();
            }
            let read = |buffer: &mut [u8]| arrivals.receive(self.socket.as_fd(), buffer);
            let arrival = inbox.read(read, &self.socket)?;
            if matches!(arrival, Arrival::End | Arrival::Reset) {
                return Ok(None);
            }
        }
    }

    fn take_descriptors(&self) -> Attached {
        std::mem::take(&mut lock(&self.receiving).current)
    }

    fn send(&self, message: &FromWorker) -> io::Result<()> {
        let Encoded { head, tail } = message.encode();
        self.write(head, &tail, &[])
    }

    fn send_value(
        &self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        value: &[u8],
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<()> {
        let head = ResultItem::value_head(work_id, attempt, index, value.len());
        let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        self.write(head, value, &descriptors)
    }

    fn send_stored(
        &self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        value: &Stored,
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<()> {
        let ticket = value.ticket().unwrap_or_default();
        let head = ResultItem::value_in_segment(work_id, attempt, index, value.len(), ticket);
        let descriptors = descriptors.iter().map(AsFd::as_fd);
        let descriptors: Vec<_> = descriptors.chain([value.as_fd()]).collect();
        self.write(head, &[], &descriptors)
    }

    fn stop_receiving(&self) -> io::Result<()> {
        match self.socket.shutdown(Shutdown::Read) {
            // The other side is gone, and `recv` returns `None` anyhow.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other,
        }
    }
}

/// Locks it. Nothing that holds these locks can leave things half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
