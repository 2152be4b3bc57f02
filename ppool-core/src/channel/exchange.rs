//! Many channels at once, those first that have something.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::BTreeMap,
    fmt, io,
    rc::Rc,
    time::{Duration, Instant},
};

use super::{Anything, Channel, state::Readiness};
use crate::sys::epoll::{Events, Interest, Poller};

/// How many channels one wait finds at most; the others are found by the next.
const EVENTS: usize = 256;

/// What is done with a channel that has something.
type Store<'store, S, R> = Box<dyn FnMut(&Channel<S, R>) + 'store>;

/// Collects from many channels what comes, in the order in which it comes, so that a slow process
/// doesn't keep the results of the others waiting. What pprocess calls an `Exchange`.
///
/// There are two styles. Either [`ready`](Exchange::ready) says which channels have something, and the
/// caller receives it; or a [`store`](Exchange::store) closure receives it, whenever
/// [`add_wait`](Exchange::add_wait), [`wait`](Exchange::wait) and [`finish`](Exchange::finish) find
/// something. Channels whose other side has hung up are removed once everything that they brought has
/// been received, and closed unless [`autoclose`](Exchange::autoclose) is off. Any number of channels
/// can be added, as far as there are descriptors.
///
/// ```no_run
/// # use ppool_core as ppool;
/// # use ppool_core::Task;
/// use ppool::channel::{self, Channel, Exchange};
///
/// # fn example<T: Task<Args = (Channel<u64, ()>, u64)>>(square: T) -> std::io::Result<()> {
/// let mut squares = Vec::new();
/// // At most four processes at a time.
/// let exchange = Exchange::with_limit(4)
///     .store(|channel: &Channel<(), u64>| squares.extend(channel.receive::<u64>()));
/// for n in 0..100 {
///     exchange.add_wait(channel::start(square, n))?;
/// }
/// exchange.finish();
/// assert_eq!(squares.len(), 100);
/// # Ok(())
/// # }
/// ```
pub struct Exchange<'store, S = Anything, R = Anything> {
    /// Made with the first channel.
    poller: OnceCell<Poller>,
    /// By the token of the poller, which is in the order in which they were added.
    channels: RefCell<BTreeMap<u64, Rc<Channel<S, R>>>>,
    next: Cell<u64>,
    removed: RefCell<Vec<Rc<Channel<S, R>>>>,
    limit: Option<usize>,
    autoclose: bool,
    store: RefCell<Option<Store<'store, S, R>>>,
}

impl<'store, S, R> Exchange<'store, S, R> {
    /// Without channels, and without a limit of how many it may have.
    #[must_use]
    pub fn new() -> Self {
        Exchange {
            poller: OnceCell::new(),
            channels: RefCell::default(),
            next: Cell::new(0),
            removed: RefCell::default(),
            limit: None,
            autoclose: true,
            store: RefCell::new(None),
        }
    }

    /// With these channels to begin with.
    ///
    /// # Errors
    /// As [`add`](Exchange::add).
    pub fn with_channels<C>(channels: impl IntoIterator<Item = C>) -> io::Result<Self>
    where
        C: Into<Rc<Channel<S, R>>>,
    {
        let exchange = Exchange::new();
        for channel in channels {
            exchange.add(channel)?;
        }
        Ok(exchange)
    }

    /// With a limit: [`add_wait`](Exchange::add_wait) and [`wait`](Exchange::wait) wait until it has
    /// fewer channels than that. Zero counts as one.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Exchange {
            limit: Some(limit.max(1)),
            ..Exchange::new()
        }
    }

    /// Calls `store` with each channel that has something, to receive it: what pprocess's
    /// `store_data` is. It should receive once; what it leaves is found again at once. What it gets
    /// may be how the task at the other side failed.
    #[must_use]
    pub fn store(self, store: impl FnMut(&Channel<S, R>) + 'store) -> Self {
        Exchange {
            store: RefCell::new(Some(Box::new(store))),
            ..self
        }
    }

    /// Whether channels are closed when they are removed. Default: true.
    #[must_use]
    pub fn autoclose(self, autoclose: bool) -> Self {
        Exchange { autoclose, ..self }
    }

    /// Adds a channel, whatever the limit says.
    ///
    /// # Errors
    /// When descriptors or memory have run out; the channel is dropped then, and so closed, unless
    /// somebody else has it too.
    pub fn add(&self, channel: impl Into<Rc<Channel<S, R>>>) -> io::Result<()> {
        let channel = channel.into();
        let token = self.next.replace(self.next.get() + 1);
        // One that could not be made may have none, and is ready from the start.
        if let Some(socket) = channel.socket() {
            self.poller()?.add(socket, token, Interest::READ)?;
        }
        self.channels.borrow_mut().insert(token, channel);
        Ok(())
    }

    /// [Waits](Exchange::wait) for room, then adds a channel.
    ///
    /// # Errors
    /// As [`add`](Exchange::add).
    ///
    /// # Panics
    /// When there is no room and no [`store`](Exchange::store).
    pub fn add_wait(&self, channel: impl Into<Rc<Channel<S, R>>>) -> io::Result<()> {
        self.wait();
        self.add(channel)
    }

    fn poller(&self) -> io::Result<&Poller> {
        if self.poller.get().is_none() {
            let poller = Poller::new()?;
            return Ok(self.poller.get_or_init(|| poller));
        }
        self.poller
            .get()
            .ok_or_else(|| io::Error::other("it was there just now"))
    }

    /// The channels that it has, in the order in which they were added.
    #[must_use]
    pub fn active(&self) -> Vec<Rc<Channel<S, R>>> {
        self.channels.borrow().values().cloned().collect()
    }

    /// The channels that have something to receive: a message, or how the task failed. Waits until
    /// there is one, or one has ended, or the time is over: `None` is for ever, and zero doesn't wait.
    /// Gives nothing at once when it has no channels.
    ///
    /// Channels that have ended are removed and are then those in [`removed`](Exchange::removed).
    #[must_use]
    pub fn ready(&self, timeout: impl Into<Option<Duration>>) -> Vec<Rc<Channel<S, R>>> {
        // A time that the clock can't express is as good as none.
        let deadline = timeout
            .into()
            .and_then(|timeout| Instant::now().checked_add(timeout));
        self.removed.borrow_mut().clear();
        loop {
            let ready: Vec<_> = self
                .look(deadline)
                .into_iter()
                .filter(|(token, channel)| match channel.readiness() {
                    Readiness::Ready => true,
                    Readiness::Nothing => false,
                    Readiness::Ended => {
                        self.take_out(*token);
                        self.removed.borrow_mut().push(channel.clone());
                        false
                    }
                })
                .map(|(_, channel)| channel)
                .collect();
            let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let is_empty = self.channels.borrow().is_empty();
            if !ready.is_empty() || !self.removed.borrow().is_empty() || is_over || is_empty {
                return ready;
            }
        }
    }

    /// The channels of which something is to be seen; waits for them.
    fn look(&self, deadline: Option<Instant>) -> Vec<(u64, Rc<Channel<S, R>>)> {
        let channels = self.channels.borrow();
        // What the socket doesn't tell.
        let mut seen: Vec<u64> = channels
            .iter()
            .filter(|(_, channel)| channel.keeps_something() || channel.is_closed())
            .map(|(token, _)| *token)
            .collect();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = if seen.is_empty() {
            left
        } else {
            Some(Duration::ZERO)
        };
        if let (Some(poller), false) = (self.poller.get(), channels.is_empty()) {
            let mut events = Events::with_capacity(EVENTS);
            // No error is known of it, and there is nobody whom it could be told.
            let _ = poller.wait(&mut events, left);
            let found = events.iter().map(|event| event.token);
            let found: Vec<u64> = found.filter(|token| !seen.contains(token)).collect();
            seen.extend(found);
        }
        let with_channel = |token: u64| Some((token, channels.get(&token)?.clone()));
        seen.into_iter().filter_map(with_channel).collect()
    }

    /// The channels that the last [`ready`](Exchange::ready) removed, because they have ended.
    #[must_use]
    pub fn removed(&self) -> Vec<Rc<Channel<S, R>>> {
        self.removed.borrow().clone()
    }

    /// Removes a channel, and closes it unless [`autoclose`](Exchange::autoclose) is off. Says whether
    /// it was there. Unlike pprocess's, it doesn't wait for the process, which is reaped by itself when
    /// it ends.
    pub fn remove(&self, channel: &Channel<S, R>) -> bool {
        let token = {
            let channels = self.channels.borrow();
            let found = channels
                .iter()
                .find(|(_, other)| std::ptr::eq(&***other, channel));
            found.map(|(token, _)| *token)
        };
        token.is_some_and(|token| self.take_out(token))
    }

    fn take_out(&self, token: u64) -> bool {
        let Some(channel) = self.channels.borrow_mut().remove(&token) else {
            return false;
        };
        if let (Some(poller), Some(socket)) = (self.poller.get(), channel.socket()) {
            // The only error is that it is not there.
            let _ = poller.remove(socket);
        }
        if self.autoclose {
            channel.close();
        }
        true
    }

    /// Stores what comes until it has fewer channels than its limit.
    ///
    /// # Panics
    /// When there is no room and no [`store`](Exchange::store).
    pub fn wait(&self) {
        while self
            .limit
            .is_some_and(|limit| self.channels.borrow().len() >= limit)
        {
            self.store_ready();
        }
    }

    /// Stores what comes until no channel is left.
    ///
    /// # Panics
    /// When there are channels and no [`store`](Exchange::store).
    pub fn finish(self) {
        while !self.channels.borrow().is_empty() {
            self.store_ready();
        }
    }

    fn store_ready(&self) {
        let mut store = self.store.borrow_mut();
        let store = store
            .as_mut()
            .expect("an exchange that waits by itself needs a `store` closure");
        for channel in self.ready(None) {
            store(&channel);
        }
    }
}

impl<S, R> Default for Exchange<'_, S, R> {
    fn default() -> Self {
        Exchange::new()
    }
}

impl<S, R> fmt::Debug for Exchange<'_, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("active", &self.channels.borrow())
            .field("limit", &self.limit)
            .field("autoclose", &self.autoclose)
            .finish_non_exhaustive()
    }
}
