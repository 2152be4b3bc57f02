//! Futures in the order in which their calls end.

use std::{
    collections::VecDeque,
    fmt,
    iter::FusedIterator,
    mem,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use super::{
    End, EndObserver, Observes, TaskFuture,
    park::{deadline_after, has_passed, lock, sleep},
};

/// Gives each of the futures back as soon as its call is done, with a value, an error or
/// cancelled; those that are done already come first. The futures may be of different pools.
///
/// ```
/// use ppool_core::{TaskFuture, as_completed};
///
/// fn print_all(futures: Vec<TaskFuture<u64>>) {
///     for future in as_completed(futures) {
///         let id = future.id();
///         println!("call {id}: {:?}", future.wait());
///     }
/// }
/// ```
pub fn as_completed<R>(futures: impl IntoIterator<Item = TaskFuture<R>>) -> AsCompleted<R> {
    let futures: Vec<_> = futures.into_iter().map(Some).collect();
    let arrivals = Arc::new(Arrivals::default());
    let observer: Arc<dyn EndObserver> = arrivals.clone();
    for (at, future) in futures.iter().flatten().enumerate() {
        match future.observes(&observer, at) {
            Observes::Registered => {}
            Observes::Ended(end) => arrivals.call_ended(at, end),
        }
    }
    AsCompleted {
        left: futures.len(),
        futures,
        first: 0,
        arrivals,
        observer,
    }
}

/// The iterator of [`as_completed`]. Its `next` blocks until another call is done.
///
/// Its length is how many futures it still holds. Dropping it drops them, which detaches their
/// calls.
#[must_use = "an iterator does nothing but hold the futures until it is used"]
pub struct AsCompleted<R> {
    /// Those that were not given back yet, in the order in which they came.
    futures: Vec<Option<TaskFuture<R>>>,
    /// No future is left before this index.
    first: usize,
    /// How many are left.
    left: usize,
    arrivals: Arc<Arrivals>,
    /// `arrivals` again, as the calls know it.
    observer: Arc<dyn EndObserver>,
}

impl<R> AsCompleted<R> {
    /// As `next`, but blocks at most for `timeout`. `None` when no call was done by then, or when
    /// no future is left, which [`len`](ExactSizeIterator::len) tells.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<TaskFuture<R>> {
        self.next_until(deadline_after(timeout))
    }

    /// The futures that were not given back yet, done or not, in the order in which they came.
    #[must_use]
    pub fn into_remaining(mut self) -> Vec<TaskFuture<R>> {
        self.stop_observing();
        mem::take(&mut self.futures).into_iter().flatten().collect()
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Option<TaskFuture<R>> {
        if self.left == 0 {
            return None;
        }
        let at = match self.arrivals.take() {
            Some(at) => at,
            None if has_passed(deadline) => return None,
            None => {
                self.help(deadline);
                self.arrivals.wait_until(deadline)?
            }
        };
        let future = self.futures[at].take();
        debug_assert!(future.is_some(), "a call has ended twice (API-1)");
        self.left -= 1;
        if self.left == 0 {
            self.futures = Vec::new();
        }
        future
    }

    /// Drives the pool of the first call, which is the likeliest to be done next.
    fn help(&mut self, deadline: Option<Instant>) {
        while let Some(None) = self.futures.get(self.first) {
            self.first += 1;
        }
        if let Some(Some(future)) = self.futures.get(self.first) {
            future.help(deadline);
        }
    }

    fn stop_observing(&self) {
        for future in self.futures.iter().flatten() {
            future.stops_observing(&self.observer);
        }
    }
}

impl<R> Iterator for AsCompleted<R> {
    type Item = TaskFuture<R>;

    fn next(&mut self) -> Option<TaskFuture<R>> {
        self.next_until(None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<R> ExactSizeIterator for AsCompleted<R> {}

impl<R> FusedIterator for AsCompleted<R> {}

impl<R> Drop for AsCompleted<R> {
    fn drop(&mut self) {
        self.stop_observing();
    }
}

impl<R> fmt::Debug for AsCompleted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// The indices of the calls that have ended and whose futures were not given back yet.
#[derive(Default)]
struct Arrivals {
    arrived: Mutex<Arrived>,
    another: Condvar,
}

#[derive(Default)]
struct Arrived {
    tags: VecDeque<usize>,
    /// Whether the iterator sleeps on `another`.
    asleep: bool,
}

impl Arrivals {
    fn take(&self) -> Option<usize> {
        lock(&self.arrived).tags.pop_front()
    }

    fn wait_until(&self, deadline: Option<Instant>) -> Option<usize> {
        let mut arrived = lock(&self.arrived);
        while arrived.tags.is_empty() && !has_passed(deadline) {
            arrived.asleep = true;
            arrived = sleep(&self.another, arrived, deadline);
        }
        arrived.asleep = false;
        arrived.tags.pop_front()
    }
}

impl EndObserver for Arrivals {
    fn call_ended(&self, tag: usize, _end: End) {
        let mut arrived = lock(&self.arrived);
        arrived.tags.push_back(tag);
        if mem::take(&mut arrived.asleep) {
            self.another.notify_one();
        }
    }
}
