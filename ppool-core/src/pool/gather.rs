//! Where the outcomes of a map come together: put by whoever completes calls, taken by the one who
//! iterates.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use super::chunk::Gathers;
use crate::{codec::Values, error::TaskError, future::Hooks};

/// In which order outcomes are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// That of the inputs.
    OfInputs,
    /// That in which they come.
    AsTheyCome,
}

/// Outcomes of inputs that follow each other.
#[derive(Debug)]
pub(super) enum Piece {
    /// Values.
    Values(Values),
    /// The failure of one call.
    Error(TaskError),
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Piece::Values(values) => u64::from(values.count()),
            Piece::Error(_) => 1,
        }
    }
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
    /// By the index of their first input; in the order in which they came, by a number of their own.
    pieces: BTreeMap<u64, Piece>,
    /// The number of the piece that is taken next.
    next: u64,
    /// `AsTheyCome`: the number of the piece that comes next.
    came: u64,
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

    /// The calls of the inputs from `index` on have ended. Who has to be woken for that is woken
    /// outside of every lock.
    #[must_use]
    pub(super) fn put(&self, index: u64, piece: Piece) -> Option<Waker> {
        let mut inner = self.lock();
        if let Piece::Error(error) = &piece {
            inner.failure.get_or_insert_with(|| error.clone());
        }
        let number = match self.order {
            Order::OfInputs => index,
            Order::AsTheyCome => {
                inner.came += 1;
                inner.came - 1
            }
        };
        inner.pieces.insert(number, piece);
        if inner.sleeping && (number == inner.next || inner.failure.is_some()) {
            self.arrived.notify_one();
        }
        (number == inner.next).then(|| inner.waker.take()).flatten()
    }

    /// The next outcomes, if they are there. With `fail_fast`, the first failure of any input is next as
    /// soon as it has come.
    pub(super) fn try_take(&self, fail_fast: bool) -> Option<Piece> {
        self.next(&mut self.lock(), fail_fast)
    }

    /// The same, and waits for them; `None` when there are none after so long a time.
    pub(super) fn take(&self, fail_fast: bool, patience: Option<Duration>) -> Option<Piece> {
        let has_none = |inner: &mut Inner| {
            let failed = fail_fast && inner.failure.is_some();
            !failed && !inner.pieces.contains_key(&inner.next)
        };
        let mut inner = self.lock();
        inner.sleeping = true;
        inner = match patience {
            None => {
                let waited = self.arrived.wait_while(inner, has_none);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
            Some(patience) => {
                let waited = self.arrived.wait_timeout_while(inner, patience, has_none);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        inner.sleeping = false;
        self.next(&mut inner, fail_fast)
    }

    fn next(&self, inner: &mut Inner, fail_fast: bool) -> Option<Piece> {
        if let Some(error) = inner.failure.as_ref().filter(|_| fail_fast) {
            return Some(Piece::Error(error.clone()));
        }
        self.take_from(inner)
    }

    /// The next outcomes, when they are there; else `waker` is woken when they are.
    #[cfg(feature = "stream")]
    pub(super) fn poll_take(&self, waker: &Waker) -> Option<Piece> {
        if let Some(piece) = self.take_from(&mut self.lock()) {
            return Some(piece);
        }
        // Cloning and dropping a waker is user code, so neither is done under the lock.
        let waker = waker.clone();
        let mut inner = self.lock();
        let piece = self.take_from(&mut inner);
        let old = match piece {
            Some(_) => Some(waker),
            None => inner.waker.replace(waker),
        };
        drop(inner);
        drop(old);
        piece
    }

    /// Nobody is to be woken any more.
    #[cfg(feature = "stream")]
    pub(super) fn forget_waker(&self) {
        let old = self.lock().waker.take();
        drop(old);
    }

    fn take_from(&self, inner: &mut Inner) -> Option<Piece> {
        let piece = inner.pieces.remove(&inner.next)?;
        inner.next += match self.order {
            Order::OfInputs => piece.len(),
            Order::AsTheyCome => 1,
        };
        Some(piece)
    }
}

impl Gathers for Gather {
    fn values(&self, index: u64, values: Values) -> Option<Hooks> {
        self.put(index, Piece::Values(values)).map(Hooks::waker)
    }

    fn error(&self, index: u64, error: TaskError) -> Option<Hooks> {
        self.put(index, Piece::Error(error)).map(Hooks::waker)
    }
}
