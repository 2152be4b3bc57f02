//! Where the outcomes of a map come together: put by whoever completes calls, taken by the one who
//! iterates.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::Waker,
};

use crate::{
    error::TaskError,
    future::{Hook, Hooks, Outcome, ResultBytes, SharedOutcome},
    queue_manager::Sink,
};

/// In which order outcomes are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// That of the inputs.
    OfInputs,
    /// That in which they come.
    AsTheyCome,
}

/// The outcomes of one map that were not taken yet.
#[derive(Debug)]
pub(super) struct Gather {
    order: Order,
    inner: Mutex<Inner>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    /// `OfInputs`: the outcomes from the first that was not taken on. `AsTheyCome`: all that came.
    outcomes: VecDeque<Option<Outcome>>,
    /// How many were taken.
    taken: u64,
    /// The first failure that came.
    failure: Option<TaskError>,
    /// Whether somebody sleeps.
    sleeping: bool,
    /// The async task that waits.
    waker: Option<Waker>,
}

impl Gather {
    pub(super) fn new(order: Order) -> Arc<Self> {
        Arc::new(Gather {
            order,
            inner: Mutex::default(),
            arrived: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call of the input at `index` has ended. Who has to be woken for that is woken outside of
    /// every lock.
    #[must_use]
    pub(super) fn put(&self, index: u64, outcome: Outcome) -> Option<Waker> {
        let mut inner = self.lock();
        if let Outcome::Error(error) = &outcome {
            inner.failure.get_or_insert_with(|| error.clone());
        }
        let ready = match self.order {
            Order::AsTheyCome => {
                inner.outcomes.push_back(Some(outcome));
                true
            }
            Order::OfInputs => {
                let at = usize::try_from(index - inner.taken)
                    .expect("no more is in flight than fits in memory");
                if inner.outcomes.len() <= at {
                    inner.outcomes.resize_with(at + 1, || None);
                }
                inner.outcomes[at] = Some(outcome);
                at == 0 || inner.failure.is_some()
            }
        };
        if ready && inner.sleeping {
            self.arrived.notify_one();
        }
        ready.then(|| inner.waker.take()).flatten()
    }

    /// The next outcome, when it is there.
    pub(super) fn try_take(&self) -> Option<Outcome> {
        Self::take_from(&mut self.lock())
    }

    /// The next outcome, when it is there; else `waker` is woken when it is.
    #[cfg(feature = "stream")]
    pub(super) fn poll_take(&self, waker: &Waker) -> Option<Outcome> {
        if let Some(outcome) = self.try_take() {
            return Some(outcome);
        }
        // Cloning and dropping a waker is user code, so neither is done under the lock.
        let waker = waker.clone();
        let mut inner = self.lock();
        let outcome = Self::take_from(&mut inner);
        let old = match outcome {
            Some(_) => Some(waker),
            None => inner.waker.replace(waker),
        };
        drop(inner);
        drop(old);
        outcome
    }

    /// Nobody is to be woken any more.
    #[cfg(feature = "stream")]
    pub(super) fn forget_waker(&self) {
        let old = self.lock().waker.take();
        drop(old);
    }

    /// The next outcome; waits for it.
    pub(super) fn take(&self) -> Outcome {
        let mut inner = self.lock();
        loop {
            if let Some(outcome) = Self::take_from(&mut inner) {
                return outcome;
            }
            inner = self.sleep(inner);
        }
    }

    /// The next outcome, or the first failure of any input, whichever comes first.
    pub(super) fn take_or_fail(&self) -> Result<ResultBytes, TaskError> {
        let mut inner = self.lock();
        loop {
            if let Some(error) = &inner.failure {
                return Err(error.clone());
            }
            match Self::take_from(&mut inner) {
                Some(Outcome::Value(bytes)) => return Ok(bytes),
                Some(Outcome::Error(error)) => return Err(error),
                None => inner = self.sleep(inner),
            }
        }
    }

    fn sleep<'a>(&'a self, mut inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        inner.sleeping = true;
        let mut inner = self
            .arrived
            .wait(inner)
            .unwrap_or_else(PoisonError::into_inner);
        inner.sleeping = false;
        inner
    }

    fn take_from(inner: &mut Inner) -> Option<Outcome> {
        let outcome = inner.outcomes.front_mut()?.take()?;
        inner.outcomes.pop_front();
        inner.taken += 1;
        Some(outcome)
    }
}

/// Inputs of a map that travel together.
pub(super) struct Chunk {
    pub(super) gather: Arc<Gather>,
    /// The index of its first input.
    pub(super) base: u64,
    /// How many of its calls have not ended.
    pub(super) open: AtomicU32,
    /// Makes the callbacks of one call.
    pub(super) hook: Option<Box<dyn Fn() -> Hook + Send + Sync>>,
}

impl Chunk {
    /// Whether all its calls have ended.
    pub(super) fn is_done(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chunk({}, {:?} open)", self.base, self.open)
    }
}

impl Sink for Chunk {
    fn starts(&self) {}

    fn returns_to_pending(&self) {}

    fn resolve(&self, index: u32, outcome: Outcome) -> Option<Hooks> {
        let hooks = self
            .hook
            .as_ref()
            .map(|hook| Hooks::callback(hook(), SharedOutcome::copy_of(&outcome)));
        let waker = self.gather.put(self.base + u64::from(index), outcome);
        self.open.fetch_sub(1, Ordering::Relaxed);
        match waker {
            Some(waker) => Some(hooks.unwrap_or_default().with_waker(waker)),
            None => hooks,
        }
    }
}
