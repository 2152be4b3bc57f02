//! The worker's end.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    net::Shutdown,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::inbox::{Arrival, Inbox};
use crate::{
    ids::WorkId,
    link::WorkerLink,
    sys::fd_passing,
    wire::{Encoded, Frame, FromWorker, MAX_DESCRIPTORS, Message, ResultItem, ToWorker, WireError},
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
    arrived: VecDeque<OwnedFd>,
    /// The descriptors of the message that was given out last.
    current: Vec<OwnedFd>,
}

impl WorkerSocket {
    /// Takes over one end of a pair of stream sockets, which must be a blocking one.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Self {
        WorkerSocket {
            socket: UnixStream::from(fd),
            receiving: Mutex::new(Receiving {
                inbox: Inbox::new(),
                arrived: VecDeque::new(),
                current: Vec::new(),
            }),
            sending: Mutex::new(()),
        }
    }

    fn write(&self, head: &[u8], tail: &[u8]) -> io::Result<()> {
        let _one_at_a_time = lock(&self.sending);
        let mut parts = &mut [IoSlice::new(head), IoSlice::new(tail)][..];
        while !parts.is_empty() {
            let sent = fd_passing::send(self.socket.as_fd(), parts, &[])?;
            IoSlice::advance_slices(&mut parts, sent);
        }
        Ok(())
    }
}

impl WorkerLink for WorkerSocket {
    fn recv(&self) -> io::Result<Option<ToWorker>> {
        let mut receiving = lock(&self.receiving);
        let Receiving {
            inbox,
            arrived,
            current,
        } = &mut *receiving;
        current.clear();
        loop {
            if let Some(Frame {
                message,
                descriptors,
            }) = inbox.next()?
            {
                let descriptors = usize::from(descriptors);
                if descriptors > arrived.len() {
                    return Err(WireError::Descriptors.into());
                }
                current.extend(arrived.drain(..descriptors));
                return Ok(Some(message));
            }
            let read =
                |buffer: &mut [u8]| fd_passing::receive(self.socket.as_fd(), buffer, arrived);
            let arrival = inbox.read(read, &self.socket)?;
            if matches!(arrival, Arrival::End | Arrival::Reset) {
                return Ok(None);
            }
            // Those of a message under way and of one that begins behind it; no sender has more.
            if arrived.len() > 2 * MAX_DESCRIPTORS {
                return Err(WireError::Descriptors.into());
            }
        }
    }

    fn take_descriptors(&self) -> Vec<OwnedFd> {
        std::mem::take(&mut lock(&self.receiving).current)
    }

    fn send(&self, message: &FromWorker) -> io::Result<()> {
        let Encoded { head, tail } = message.encode();
        self.write(head.bytes(), &tail)
    }

    fn send_value(
        &self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        value: &[u8],
    ) -> io::Result<()> {
        let head = ResultItem::value_head(work_id, attempt, index, value.len());
        self.write(head.bytes(), value)
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
