//! The end of a channel that users hold.

use std::{
    fmt, io,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use super::{
    Anything, Carries, ChannelError, IntoMessage,
    end::{End, Role, Wait},
    packet::Arrived,
    state::Readiness,
};
use crate::{
    codec::{Decoder, Encoder},
    error::ProcessExit,
    process::Process,
};

/// One end of a channel between two processes, through which it sends `S` and receives `R`. The other
/// end is a `Channel<R, S>`. Without parameters it carries [`Anything`], as pprocess's does.
///
/// [`send`](Channel::send) returns when the other side has received the message, so that neither can
/// end with something still on its way. Values may hold handles to what processes share, and so may
/// another channel be a value: sending an end gives it away, and this one is closed.
///
/// One thread at a time uses an end; to share one, put it into a `Mutex`. Dropping it closes it, and the
/// other side hears of that at once; only where the end was an argument, the other side may hear of a
/// drop at the end of the process or the call, and of a [`close`](Channel::close) at once.
///
/// ```
/// # use ppool_core as ppool;
/// use ppool::channel::Channel;
///
/// # fn main() -> std::io::Result<()> {
/// let (one, other) = Channel::<u64, String>::pair()?;
/// let waits = std::thread::spawn(move || {
///     let number: u64 = other.receive()?;
///     other.send(format!("{number}!"))
/// });
/// one.send(7)?;
/// assert_eq!(one.receive()?, "7!");
/// # waits.join().expect("it does not panic")?;
/// # Ok(())
/// # }
/// ```
pub struct Channel<S = Anything, R = Anything> {
    pub(super) end: End,
    types: PhantomData<fn(S) -> R>,
}

impl<S, R> Channel<S, R> {
    pub(super) fn new(end: End) -> Self {
        Channel {
            end,
            types: PhantomData,
        }
    }

    pub(super) fn set_role(&mut self, role: Role) {
        self.end.set_role(role);
    }

    /// Both ends of a new channel, to give to two processes, or one of them to one.
    ///
    /// # Errors
    /// When descriptors or memory have run out.
    pub fn pair() -> io::Result<(Channel<S, R>, Channel<R, S>)> {
        let [one, other] = End::pair()?;
        Ok((Channel::new(one), Channel::new(other)))
    }

    /// The same end with other types. Both sides must mean the same: what can't be decoded as what
    /// was expected is an error.
    #[must_use]
    pub fn typed<S2, R2>(self) -> Channel<S2, R2> {
        Channel::new(self.end)
    }

    /// Sends a value, and waits until the other side has received it. What the other side sends
    /// meanwhile is kept for this side's next [`receive`](Channel::receive), and counts as received.
    ///
    /// # Errors
    /// [`Remote`](ChannelError::Remote) when the task at the other side has failed,
    /// [`HungUp`](ChannelError::HungUp) when it is gone, [`Encode`](ChannelError::Encode) when the
    /// value can't be encoded.
    pub fn send<V: IntoMessage<S>>(&self, value: V) -> Result<(), ChannelError> {
        self.deliver(&value, Wait::Acknowledged, None)
    }

    /// [`send`](Channel::send) that waits at most for that long.
    ///
    /// # Errors
    /// As [`send`](Channel::send), and [`TimedOut`](ChannelError::TimedOut): then the other side may
    /// still receive the value later.
    pub fn send_timeout<V: IntoMessage<S>>(
        &self,
        value: V,
        timeout: Duration,
    ) -> Result<(), ChannelError> {
        self.deliver(&value, Wait::Acknowledged, after(timeout))
    }

    /// Sends a value without waiting for the other side to receive it: some hundreds of messages fit
    /// in between, and when there is no more room it waits for that. What was sent can still be
    /// received after this side has ended, but it may be that nobody does.
    ///
    /// # Errors
    /// As [`send`](Channel::send).
    pub fn send_unacknowledged<V: IntoMessage<S>>(&self, value: V) -> Result<(), ChannelError> {
        self.deliver(&value, Wait::Sent, None)
    }

    /// [`send_unacknowledged`](Channel::send_unacknowledged) that waits for room at most for that
    /// long.
    ///
    /// # Errors
    /// As [`send`](Channel::send), and [`TimedOut`](ChannelError::TimedOut): then the value was not
    /// sent.
    pub fn send_unacknowledged_timeout<V: IntoMessage<S>>(
        &self,
        value: V,
        timeout: Duration,
    ) -> Result<(), ChannelError> {
        self.deliver(&value, Wait::Sent, after(timeout))
    }

    fn deliver(
        &self,
        value: &impl IntoMessage<S>,
        wait: Wait,
        deadline: Option<Instant>,
    ) -> Result<(), ChannelError> {
        let mut out = Encoder::new();
        value
            .encode_message(&mut out)
            .map_err(|error| ChannelError::Encode(error.0))?;
        let descriptors = out.take_descriptors();
        self.end.send(out.into_bytes(), descriptors, wait, deadline)
    }

    /// Waits for the next message, and acknowledges it to its sender, even when it can't be decoded.
    ///
    /// # Errors
    /// [`Remote`](ChannelError::Remote) when the task at the other side has failed,
    /// [`HungUp`](ChannelError::HungUp) when it is gone and everything that it had sent was received,
    /// [`Decode`](ChannelError::Decode) when the message is of another type, or brought handles that
    /// this process has no descriptors left for.
    pub fn receive<V>(&self) -> Result<V, ChannelError>
    where
        R: Carries<V>,
    {
        decode::<R, V>(self.end.receive(true, None)?)
    }

    /// [`receive`](Channel::receive) that waits at most for that long.
    ///
    /// # Errors
    /// As [`receive`](Channel::receive), and [`TimedOut`](ChannelError::TimedOut).
    pub fn receive_timeout<V>(&self, timeout: Duration) -> Result<V, ChannelError>
    where
        R: Carries<V>,
    {
        decode::<R, V>(self.end.receive(true, after(timeout))?)
    }

    /// [`receive`](Channel::receive) that never waits: `None` when no message is there.
    ///
    /// # Errors
    /// As [`receive`](Channel::receive).
    pub fn try_receive<V>(&self) -> Result<Option<V>, ChannelError>
    where
        R: Carries<V>,
    {
        match self.end.receive(true, Some(Instant::now())) {
            Err(ChannelError::TimedOut) => Ok(None),
            received => decode::<R, V>(received?).map(Some),
        }
    }

    /// Waits for the next message and doesn't acknowledge it: whoever [sent](Channel::send) it goes on
    /// waiting until [`acknowledge`](Channel::acknowledge) is called, when the work is done, say.
    ///
    /// # Errors
    /// As [`receive`](Channel::receive).
    pub fn receive_unacknowledged<V>(&self) -> Result<V, ChannelError>
    where
        R: Carries<V>,
    {
        decode::<R, V>(self.end.receive(false, None)?)
    }

    /// [`receive_unacknowledged`](Channel::receive_unacknowledged) that waits at most for that long.
    ///
    /// # Errors
    /// As [`receive`](Channel::receive), and [`TimedOut`](ChannelError::TimedOut).
    pub fn receive_unacknowledged_timeout<V>(&self, timeout: Duration) -> Result<V, ChannelError>
    where
        R: Carries<V>,
    {
        decode::<R, V>(self.end.receive(false, after(timeout))?)
    }

    /// Acknowledges all messages that were received by
    /// [`receive_unacknowledged`](Channel::receive_unacknowledged).
    ///
    /// # Errors
    /// [`Closed`](ChannelError::Closed) when this side has closed the channel.
    pub fn acknowledge(&self) -> Result<(), ChannelError> {
        self.end.acknowledge()
    }

    /// Whether a message, or the news that the task at the other side has failed, is there to be
    /// received at once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.readiness() == Readiness::Ready
    }

    pub(super) fn readiness(&self) -> Readiness {
        self.end.readiness()
    }

    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.end.socket()
    }

    pub(super) fn keeps_something(&self) -> bool {
        self.end.keeps_something()
    }

    /// The id of the process at the other side, where this side started it; 0 in the process that was
    /// started.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.end.pid()
    }

    /// The process at the other side, where this side started it.
    #[must_use]
    pub fn process(&self) -> Option<&Process> {
        self.end.process()
    }

    /// Closes this end, without waiting for anything. What was sent can still be received at the other
    /// side, which then hears that this one has hung up. Closing it again does nothing.
    pub fn close(&self) {
        self.end.close();
    }

    /// Whether this side has closed its end, or given it away.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// Waits until the process at the other side has ended, and says how; at once `None` where this
    /// side has not started it. A process that waits for this side to receive something doesn't end:
    /// [close](Channel::close) the channel first.
    ///
    /// Nobody has to call this for the process to be reaped.
    pub fn wait(&self) -> Option<ProcessExit> {
        self.process()?.join().ok()
    }

    /// The same with a limit: whether the process has ended. True where this side has not started it.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.process()
            .is_none_or(|process| process.join_timeout(timeout))
    }

    /// How the process at the other side has ended; `None` while it runs, and where this side has not
    /// started it.
    #[must_use]
    pub fn try_wait(&self) -> Option<ProcessExit> {
        self.process()?.exit()
    }

    /// Closes this end and ends this process with that code.
    ///
    /// In a process that [`create`](super::create) has made this is the way out: no exit handler of
    /// the parent's program runs, and no buffer is flushed (dropping the channel does the same with
    /// the code 0). In any other process it is `std::process::exit`.
    pub fn exit(self, code: i32) -> ! {
        self.end.exit_if_forked(code);
        drop(self);
        std::process::exit(code)
    }
}

fn decode<R: Carries<V>, V>(letter: Arrived) -> Result<V, ChannelError> {
    let (bytes, attached) = letter
        .open()
        .map_err(|error| ChannelError::Decode(error.to_string()))?;
    R::decode_message(&mut Decoder::new(&bytes).with_attached(&attached))
        .map_err(|error| ChannelError::Decode(error.0))
}

/// A time that the clock can't express is as good as none.
fn after(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

impl<S, R> AsFd for Channel<S, R> {
    /// The socket: readable when a message is there, or the end. What this side has
    /// [kept](Channel::send) while it was sending doesn't show there; [`is_ready`](Channel::is_ready)
    /// knows.
    ///
    /// # Panics
    /// When the channel could not be made for want of descriptors.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end
            .socket()
            .expect("the channel could not be made: descriptors had run out")
    }
}

impl<S, R> fmt::Debug for Channel<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("pid", &self.pid())
            .field("closed", &self.is_closed())
            .finish()
    }
}
