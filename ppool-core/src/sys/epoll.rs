//! Waiting for many descriptors at once.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};

use super::fcntl::lift;

/// A set of descriptors to wait for, each with a token that comes back with its events.
///
/// Level-triggered: an event that is not dealt with is reported again by the next wait.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
}

/// What to wait for at one descriptor. That the other side is gone is always reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interest {
    /// Wait until there is something to read.
    pub read: bool,
    /// Wait until there is room to write.
    pub write: bool,
}

/// What a wait found; filled anew by each wait, so one of them serves for ever.
#[derive(Debug)]
pub struct Events {
    buffer: Vec<EpollEvent>,
    count: usize,
}

/// What happened at one descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// The token that was given for the descriptor.
    pub token: u64,
    /// A read won't block: there is something, or the end of the file, or an error to fetch.
    pub readable: bool,
    /// A write won't block: there is room, or an error to fetch.
    pub writable: bool,
    /// The other side has closed, or the descriptor has failed. What it sent before may still be
    /// there to be read.
    pub hung_up: bool,
}

impl Interest {
    /// Only what is always reported.
    pub const NONE: Interest = Interest {
        read: false,
        write: false,
    };
    /// Something to read.
    pub const READ: Interest = Interest {
        read: true,
        write: false,
    };
    /// Room to write.
    pub const WRITE: Interest = Interest {
        read: false,
        write: true,
    };
    /// Either.
    pub const BOTH: Interest = Interest {
        read: true,
        write: true,
    };

    fn event(self, token: u64) -> EpollEvent {
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN, self.read);
        flags.set(EpollFlags::EPOLLOUT, self.write);
        EpollEvent::new(flags, token)
    }
}

impl Events {
    /// Room for `capacity` events of one wait; what doesn't fit is found by the next.
    ///
    /// # Panics
    /// When `capacity` is zero.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        assert!(capacity > 0, "a wait needs room for one event");
        Events {
            buffer: vec![EpollEvent::empty(); capacity],
            count: 0,
        }
    }

    /// What the last wait found.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.buffer.iter().take(self.count).map(|event| {
            let flags = event.events();
            let gone = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
            Event {
                token: event.data(),
                readable: flags.intersects(EpollFlags::EPOLLIN | gone),
                writable: flags.intersects(EpollFlags::EPOLLOUT | gone),
                hung_up: flags.intersects(gone),
            }
        })
    }

    /// Whether the last wait found nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Poller {
    /// `epoll_create1(EPOLL_CLOEXEC)`—an empty set.
    ///
    /// # Errors
    /// `EMFILE` or `ENFILE` when descriptors have run out.
    ///
    /// # References
    /// - [epoll_create1(2)](https://man7.org/linux/man-pages/man2/epoll_create1.2.html)
    pub fn new() -> io::Result<Self> {
        let Epoll(fd) = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Poller {
            epoll: Epoll(lift(fd)?),
        })
    }

    /// `epoll_ctl(EPOLL_CTL_ADD)`—waits for `fd` too.
    ///
    /// Remove it before it is closed: while a copy of it lives anywhere (in a child that has not
    /// called exec yet, say), it goes on being reported.
    ///
    /// # Errors
    /// `EEXIST` when it is there already, `ENOSPC` when the user may not watch more.
    ///
    /// # References
    /// - [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html)
    pub fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.add(fd, interest.event(token))?)
    }

    /// `epoll_ctl(EPOLL_CTL_MOD)`—waits for something else at `fd`.
    ///
    /// # Errors
    /// `ENOENT` when it was not added.
    ///
    /// # References
    /// - [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html)
    pub fn modify(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut interest.event(token))?)
    }

    /// `epoll_ctl(EPOLL_CTL_DEL)`—no longer waits for `fd`.
    ///
    /// # Errors
    /// `ENOENT` when it was not added.
    ///
    /// # References
    /// - [epoll_ctl(2)](https://man7.org/linux/man-pages/man2/epoll_ctl.2.html)
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(self.epoll.delete(fd)?)
    }

    /// `epoll_wait(timeout)`—waits until something happens or the time is over.
    ///
    /// Without a timeout it waits for ever. It never returns early: signals don't end the wait, and
    /// a fraction of a millisecond is rounded up. `events` is empty when the time is over.
    ///
    /// # Errors
    /// None is known for a set that was made by [`Poller::new`].
    ///
    /// # References
    /// - [epoll_wait(2)](https://man7.org/linux/man-pages/man2/epoll_wait.2.html)
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.count = 0;
        // A deadline that the clock can't express is as good as none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match self.epoll.wait(&mut events.buffer, milliseconds(left)) {
                // Nothing: over, unless the kernel's longest wait was shorter than ours.
                Ok(0) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    return Ok(());
                }
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(count) => {
                    events.count = count;
                    return Ok(());
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let fd: &OwnedFd = &self.epoll.0;
        fd.as_fd()
    }
}

/// The kernel's form of a timeout: whole milliseconds, rounded up, at most `i32::MAX` of them.
fn milliseconds(timeout: Option<Duration>) -> EpollTimeout {
    let Some(timeout) = timeout else {
        return EpollTimeout::NONE;
    };
    let whole = timeout.as_nanos().div_ceil(1_000_000);
    EpollTimeout::try_from(whole).unwrap_or(EpollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::net::UnixStream};

    use super::{super::eventfd::Wakeup, *};

    /// Long enough for what is there already.
    const WATCHDOG: Option<Duration> = Some(Duration::from_secs(60));

    fn found(poller: &Poller, timeout: Option<Duration>) -> Vec<Event> {
        let mut events = Events::with_capacity(8);
        poller.wait(&mut events, timeout).unwrap();
        events.iter().collect()
    }

    #[test]
    fn a_wakeup_from_another_thread_ends_an_endless_wait() {
        let poller = Poller::new().unwrap();
        let wakeup = Wakeup::new().unwrap();
        poller.add(&wakeup, 7, Interest::READ).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| wakeup.wake());
            let events = found(&poller, None);
            assert_eq!(events.len(), 1);
            assert_eq!((events[0].token, events[0].readable), (7, true));
        });
        assert!(wakeup.clear());
        assert!(found(&poller, Some(Duration::ZERO)).is_empty());
    }

    #[test]
    fn interest_can_change_and_end() {
        let poller = Poller::new().unwrap();
        let (socket, mut peer) = UnixStream::pair().unwrap();
        poller.add(&socket, 1, Interest::READ).unwrap();
        assert!(found(&poller, Some(Duration::ZERO)).is_empty());
        poller.modify(&socket, 2, Interest::BOTH).unwrap();
        assert!(found(&poller, WATCHDOG)[0].writable);
        peer.write_all(b"x").unwrap();
        let event = found(&poller, WATCHDOG)[0];
        assert_eq!(
            (event.token, event.readable, event.hung_up),
            (2, true, false)
        );
        poller.remove(&socket).unwrap();
        assert!(found(&poller, Some(Duration::ZERO)).is_empty());
    }

    #[test]
    fn a_peer_that_is_gone_is_reported_without_interest() {
        let poller = Poller::new().unwrap();
        let (socket, peer) = UnixStream::pair().unwrap();
        poller.add(&socket, 1, Interest::NONE).unwrap();
        drop(peer);
        let event = found(&poller, WATCHDOG)[0];
        assert!(event.hung_up && event.readable && event.writable);
    }

    #[test]
    fn a_wait_is_never_shorter_than_asked_for() {
        let poller = Poller::new().unwrap();
        let start = Instant::now();
        let timeout = Duration::from_micros(1_500);
        assert!(found(&poller, Some(timeout)).is_empty());
        assert!(start.elapsed() >= timeout);
    }

    #[test]
    fn milliseconds_are_rounded_up_and_capped() {
        let of = |duration| milliseconds(Some(duration)).as_millis();
        assert_eq!(of(Duration::ZERO), Some(0));
        assert_eq!(of(Duration::from_nanos(1)), Some(1));
        assert_eq!(of(Duration::from_micros(1_001)), Some(2));
        assert_eq!(of(Duration::MAX), Some(i32::MAX as u32));
        assert!(milliseconds(None).is_none());
    }
}
