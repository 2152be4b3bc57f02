//! One end of a channel, between bytes and packets: whom it waits for, and what it owes.
//!
//! ```text
//!  send:     packet ──► other side     .. waits for its acknowledgement; what comes meanwhile is
//!                                         kept, and acknowledged at once
//!  receive:  what was kept, then the socket ──► letter, and an acknowledgement for its sender
//! ```
//!
//! A side that sends also takes what the other side sends meanwhile. So two sides that send at the
//! same time get on, and so do two whose sockets are full. Otherwise nothing is taken from the socket
//! before somebody receives it: a sender that doesn't wait for acknowledgements is slowed down.

use std::{
    cell::RefCell,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::Instant,
};

use serde::{Deserialize, Serialize};

use super::{
    packet::{self, Arrived, Letter, Sent},
    state::{Readiness, State},
};
use crate::{
    error::{ChannelError, RemoteFailure, SpawnError},
    process::Process,
    sys::{
        epoll::Interest,
        fd_passing::MAX_DESCRIPTORS,
        fork::exit_now,
        poll,
        socketpair::{packet_pair, shut_down},
    },
};

/// One end.
#[derive(Debug)]
pub(super) struct End {
    /// None when the channel could not be made.
    socket: Option<OwnedFd>,
    state: RefCell<State>,
    role: Role,
}

/// Who this side is to the other.
#[derive(Debug)]
pub(super) enum Role {
    /// It made the process at the other side.
    Parent(Process),
    /// The process with this id has made both ends, and given this one to nobody yet.
    Maker(u32),
    /// It was given to this side; the other is the process with this id, if it is not zero.
    Peer(u32),
    /// It is a copy of its parent, by a fork, and ends with this end. The lifeline ends it when the
    /// parent ends.
    Forked(#[expect(dead_code, reason = "only has to stay open")] OwnedFd),
}

/// What goes along when an end is given away.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Passage {
    pid: u32,
    next: u64,
    acknowledged: u64,
}

/// What a sender waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wait {
    /// For the other side to have received it.
    Acknowledged,
    /// For room only.
    Sent,
}

impl End {
    pub(super) fn new(socket: OwnedFd, role: Role) -> Self {
        End {
            socket: Some(socket),
            state: RefCell::default(),
            role,
        }
    }

    /// Both ends of a new channel.
    pub(super) fn pair() -> io::Result<[Self; 2]> {
        let (one, other) = packet_pair()?;
        let maker = std::process::id();
        Ok([one, other].map(|socket| End::new(socket, Role::Maker(maker))))
    }

    /// The end of a channel that came to nothing.
    pub(super) fn not_started(error: SpawnError) -> Self {
        // A socket whose other side is gone, so that who waits for it is woken.
        let socket = packet_pair().ok().map(|(one, _)| one);
        let state = State {
            not_started: Some(Arc::new(error)),
            ..State::default()
        };
        End {
            socket,
            state: RefCell::new(state),
            role: Role::Peer(0),
        }
    }

    /// An end that another process has given away.
    pub(super) fn arrived(socket: OwnedFd, passage: Passage) -> Self {
        let state = State {
            next: passage.next,
            acknowledged: passage.acknowledged,
            ..State::default()
        };
        End {
            socket: Some(socket),
            state: RefCell::new(state),
            role: Role::Peer(passage.pid),
        }
    }

    pub(super) fn set_role(&mut self, role: Role) {
        self.role = role;
    }

    pub(super) fn process(&self) -> Option<&Process> {
        match &self.role {
            Role::Parent(process) => Some(process),
            Role::Maker(_) | Role::Peer(_) | Role::Forked(_) => None,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        match &self.role {
            Role::Parent(process) => process.pid(),
            Role::Peer(pid) => *pid,
            Role::Maker(_) | Role::Forked(_) => 0,
        }
    }

    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// The socket, while this side may use it.
    fn open(&self, state: &mut State) -> Result<BorrowedFd<'_>, ChannelError> {
        if let Some(error) = &state.not_started {
            state.told = true;
            return Err(ChannelError::Start(error.clone()));
        }
        match self.socket() {
            Some(socket) if !state.closed => Ok(socket),
            _ => Err(ChannelError::Closed),
        }
    }

    /// Sends a value and waits for what `wait` says.
    pub(super) fn send(
        &self,
        bytes: Vec<u8>,
        descriptors: Vec<OwnedFd>,
        wait: Wait,
        deadline: Option<Instant>,
    ) -> Result<(), ChannelError> {
        let state = &mut *self.state.borrow_mut();
        let socket = self.open(state)?;
        let letter = Letter::new(bytes, descriptors).map_err(ChannelError::Io)?;
        if letter.descriptors() > MAX_DESCRIPTORS {
            let most = MAX_DESCRIPTORS - 1;
            return Err(ChannelError::Encode(format!(
                "it holds more than {most} handles"
            )));
        }
        let number = state.next;
        let wish = (wait == Wait::Acknowledged).then_some(number);
        loop {
            match packet::send_message(socket, wish, &letter).map_err(ChannelError::Io)? {
                Sent::Done => break,
                Sent::Gone => {
                    // Why may be among what it had sent before.
                    while state.take_in(socket, true)? {}
                    return Err(state.gone());
                }
                Sent::Full => state.wait(socket, Interest::WRITE, deadline)?,
            }
        }
        state.next += 1;
        drop(letter);
        while wait == Wait::Acknowledged && state.acknowledged <= number {
            if state.ended || state.failure.is_some() {
                return Err(state.gone());
            }
            if !state.take_in(socket, true)? {
                state.wait(socket, Interest::READ, deadline)?;
            }
        }
        Ok(())
    }

    /// Takes the next message, and acknowledges it if it `acknowledges`, else later.
    pub(super) fn receive(
        &self,
        acknowledges: bool,
        deadline: Option<Instant>,
    ) -> Result<Arrived, ChannelError> {
        let state = &mut *self.state.borrow_mut();
        let socket = self.open(state)?;
        let (wish, letter) = loop {
            if let Some(kept) = state.kept.pop_front() {
                break kept;
            }
            if state.ended || state.failure.is_some() {
                state.told = true;
                return Err(state.gone());
            }
            if !state.take_in(socket, false)? {
                state.wait_to_receive(socket, deadline)?;
            }
        };
        match wish {
            Some(number) if acknowledges => state.owed.push_back(number),
            Some(number) => state.received.push(number),
            None => {}
        }
        state.pay(socket, deadline);
        Ok(letter)
    }

    /// Acknowledges what was received with the wish to do so later.
    pub(super) fn acknowledge(&self) -> Result<(), ChannelError> {
        let state = &mut *self.state.borrow_mut();
        let socket = self.open(state)?;
        state.owed.extend(state.received.drain(..));
        state.pay(socket, None);
        Ok(())
    }

    /// Whether somebody who receives would have to wait. Keeps the message that it finds.
    pub(super) fn readiness(&self) -> Readiness {
        let state = &mut *self.state.borrow_mut();
        if state.not_started.is_some() {
            return state.told_or_ready();
        }
        let Ok(socket) = self.open(state) else {
            return Readiness::Ended;
        };
        loop {
            if !state.kept.is_empty() {
                return Readiness::Ready;
            }
            if state.failure.is_some() {
                return state.told_or_ready();
            }
            if state.ended {
                return Readiness::Ended;
            }
            match state.take_in(socket, false) {
                Ok(true) => {}
                Ok(false) => return Readiness::Nothing,
                // It is closed then.
                Err(_) => return Readiness::Ended,
            }
        }
    }

    /// Whether it is ready without a look at the socket.
    pub(super) fn keeps_something(&self) -> bool {
        let state = self.state.borrow();
        !state.kept.is_empty() || state.not_started.is_some()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.borrow().closed
    }

    pub(super) fn close(&self) {
        let state = &mut *self.state.borrow_mut();
        if let Some(socket) = self.socket()
            && !state.closed
        {
            state.pay_what_fits(socket);
            shut_down(socket);
        }
        state.closed = true;
    }

    /// Closes this side without ending the channel, which goes on elsewhere.
    pub(super) fn give_away(&self) -> Result<Passage, ChannelError> {
        let state = &mut *self.state.borrow_mut();
        let socket = self.open(state)?;
        state.pay(socket, None);
        if !state.kept.is_empty() || !state.received.is_empty() {
            return Err(ChannelError::Encode(
                "the channel holds messages that were not received or acknowledged yet".into(),
            ));
        }
        state.closed = true;
        Ok(Passage {
            pid: self.pid(),
            next: state.next,
            acknowledged: state.acknowledged,
        })
    }

    /// Ends a process that was forked to be this end.
    pub(super) fn exit_if_forked(&self, code: i32) {
        if !matches!(self.role, Role::Forked(_)) {
            return;
        }
        if let (true, Some(socket)) = (std::thread::panicking(), self.socket()) {
            let message = "the forked process panicked".to_string();
            let panic = crate::error::RemotePanic::new(message, None, None);
            let _ = report(socket, &RemoteFailure::Panicked(panic));
        }
        self.close();
        exit_now(code);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.exit_if_forked(if std::thread::panicking() { 101 } else { 0 });
        // Copies of the socket are in processes that were forked from this one; the other side is to
        // hear of the end all the same. Not when this is such a copy.
        let is_own = match &self.role {
            Role::Parent(process) => process.is_own(),
            Role::Maker(maker) => *maker == std::process::id(),
            // The end of this process, or of the call, ends it: how that failed is told by then.
            Role::Peer(_) | Role::Forked(_) => false,
        };
        if is_own && !self.is_closed() {
            self.close();
        }
    }
}

/// Tells the other side of `channel` that the task has failed. Waits for room.
///
/// # Errors
/// When nobody is there any more to be told.
#[doc(hidden)]
pub fn report(channel: impl AsFd, failure: &RemoteFailure) -> io::Result<()> {
    let socket = channel.as_fd();
    let letter = packet::failure(failure)?;
    loop {
        match packet::send_failure(socket, &letter)? {
            Sent::Done => return Ok(()),
            Sent::Gone => return Err(io::ErrorKind::BrokenPipe.into()),
            Sent::Full => {
                poll::wait(socket, Interest::WRITE, None)?;
            }
        }
    }
}
