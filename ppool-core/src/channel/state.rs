//! What one side of a channel has taken in and still owes, and what it waits for.

use std::{collections::VecDeque, os::fd::BorrowedFd, sync::Arc, time::Instant};

use super::packet::{self, Arrived, Received, Sent};
use crate::{
    error::{ChannelError, RemoteFailure, SpawnError},
    sys::{epoll::Interest, fd_passing::Receiver, poll, socketpair::shut_down},
};

/// What one side knows and owes.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Why there is nobody at the other side.
    pub(super) not_started: Option<Arc<SpawnError>>,
    /// What was taken from the socket and not yet received; the number is of one that still wants to
    /// be acknowledged.
    pub(super) kept: VecDeque<(Option<u64>, Arrived)>,
    /// What was received with the wish to acknowledge it later.
    pub(super) received: Vec<u64>,
    /// Acknowledgements for which there was no room yet.
    pub(super) owed: VecDeque<u64>,
    /// The number of the next message.
    pub(super) next: u64,
    /// All messages before this number have been acknowledged.
    pub(super) acknowledged: u64,
    /// Nothing will come any more.
    pub(super) ended: bool,
    /// This side has closed its end, or given it away.
    pub(super) closed: bool,
    pub(super) failure: Option<RemoteFailure>,
    /// Whether a `receive` has told of the failure, or of what kept the channel from being made.
    pub(super) told: bool,
    pub(super) receiver: Receiver,
}

/// Whether somebody who receives would have to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Readiness {
    /// A message is there, or a failure that nobody has been told of yet.
    Ready,
    Nothing,
    /// Nothing will come any more.
    Ended,
}

impl State {
    /// Takes one packet from the socket, if one is there. Says whether anything was new.
    pub(super) fn take_in(
        &mut self,
        socket: BorrowedFd<'_>,
        sending: bool,
    ) -> Result<bool, ChannelError> {
        if self.ended {
            return Ok(false);
        }
        match packet::receive(socket, &mut self.receiver) {
            Ok(Received::Nothing) => return Ok(false),
            Ok(Received::Message(Some(number), letter)) if sending => {
                // Its sender may wait for this one as this one waits for it.
                self.owed.push_back(number);
                self.kept.push_back((None, letter));
                self.pay_what_fits(socket);
            }
            Ok(Received::Message(wish, letter)) => self.kept.push_back((wish, letter)),
            Ok(Received::Acknowledgement(number)) if number < self.next => {
                self.acknowledged = self.acknowledged.max(number + 1);
            }
            Ok(Received::Failure(failure)) => self.failure = Some(failure),
            Ok(Received::End) => self.ended = true,
            Ok(Received::Acknowledgement(_) | Received::Nonsense) => {
                return Err(self.broken(socket, ChannelError::Acknowledgement));
            }
            Err(error) => return Err(self.broken(socket, ChannelError::Io(error))),
        }
        Ok(true)
    }

    /// What comes after this can't be trusted, so nothing does.
    pub(super) fn broken(&mut self, socket: BorrowedFd<'_>, error: ChannelError) -> ChannelError {
        shut_down(socket);
        self.closed = true;
        error
    }

    /// Why nothing comes any more, or goes.
    pub(super) fn gone(&self) -> ChannelError {
        match &self.failure {
            Some(failure) => ChannelError::Remote(failure.clone()),
            None => ChannelError::HungUp,
        }
    }

    pub(super) fn told_or_ready(&self) -> Readiness {
        match self.told {
            true => Readiness::Ended,
            false => Readiness::Ready,
        }
    }

    /// Waits, as a sender does, until it may go on; keeps what comes meanwhile.
    pub(super) fn wait(
        &mut self,
        socket: BorrowedFd<'_>,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> Result<(), ChannelError> {
        while self.take_in(socket, true)? {
            // An acknowledgement or the end may be what the sender waits for.
            if interest == Interest::READ {
                return Ok(());
            }
        }
        self.pay_what_fits(socket);
        let interest = Interest {
            // The end of what comes is always ready to be read.
            read: !self.ended,
            write: interest.write || !self.owed.is_empty(),
        };
        wait_for(socket, interest, deadline)
    }

    pub(super) fn wait_to_receive(
        &mut self,
        socket: BorrowedFd<'_>,
        deadline: Option<Instant>,
    ) -> Result<(), ChannelError> {
        self.pay_what_fits(socket);
        let interest = Interest {
            read: true,
            write: !self.owed.is_empty(),
        };
        wait_for(socket, interest, deadline)
    }

    /// Sends the acknowledgements that are owed, and waits for room; what is still owed at the
    /// deadline is sent later.
    pub(super) fn pay(&mut self, socket: BorrowedFd<'_>, deadline: Option<Instant>) {
        loop {
            self.pay_what_fits(socket);
            if self.owed.is_empty() || wait_for(socket, Interest::WRITE, deadline).is_err() {
                return;
            }
        }
    }

    pub(super) fn pay_what_fits(&mut self, socket: BorrowedFd<'_>) {
        while let Some(&number) = self.owed.front() {
            match packet::send_acknowledgement(socket, number) {
                Ok(Sent::Done) => {
                    self.owed.pop_front();
                }
                Ok(Sent::Full) => return,
                // Nobody waits for them any more.
                Ok(Sent::Gone) | Err(_) => self.owed.clear(),
            }
        }
    }
}

fn wait_for(
    socket: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
) -> Result<(), ChannelError> {
    match poll::wait(socket, interest, deadline) {
        Ok(true) => Ok(()),
        Ok(false) => Err(ChannelError::TimedOut),
        Err(error) => Err(ChannelError::Io(error)),
    }
}
