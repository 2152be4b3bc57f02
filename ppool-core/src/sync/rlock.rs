//! [`RLock`]: a lock that its owner may take again.

use std::{
    cell::Cell,
    fmt, io,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    handle::{made, travels},
    lock::{Recovered, acquire, try_acquire},
    object::{FutexBed, Kind, Object, Plan, Waker},
};

/// A lock that processes share and that its owner, one thread of one process, may take again, as
/// `multiprocessing.RLock`. It is free when as many guards are dropped as were taken.
///
/// In everything else it is a [`Lock`](super::Lock).
///
/// ```
/// use ppool_core::sync::RLock;
///
/// let lock = RLock::new();
/// let outer = lock.lock();
/// let inner = lock.lock();
/// drop(outer);
/// assert!(lock.is_locked());
/// drop(inner);
/// assert!(!lock.is_locked());
/// ```
#[derive(Clone)]
pub struct RLock {
    object: Arc<Object>,
}

travels!(RLock, Kind::RLock);

/// As long as one of its guards lives, the thread holds the lock. It can't go to another thread.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct RLockGuard<'a> {
    object: &'a Arc<Object>,
    recovered: Option<Recovered>,
    /// It belongs to a thread.
    _not_send: PhantomData<*const ()>,
}

/// Which thread of this process holds it (zero: none), in [`Object::local`].
const OWNER: usize = 0;
/// How many guards that thread has; only it looks here.
const DEPTH: usize = 1;

impl RLock {
    #[cfg(test)]
    pub(super) fn object(&self) -> &Arc<Object> {
        &self.object
    }

    /// A lock that is free.
    ///
    /// # Panics
    /// When memory or descriptors have run out; [`RLock::try_new`] gives an error instead.
    #[must_use]
    pub fn new() -> Self {
        made(RLock::try_new(), "lock")
    }

    /// As [`RLock::new`].
    ///
    /// # Errors
    /// When memory or descriptors have run out.
    pub fn try_new() -> io::Result<Self> {
        let object = Object::create(Plan::plain(Kind::RLock))?;
        Ok(RLock { object })
    }

    /// Waits until no other thread of any process holds the lock, and takes it.
    pub fn lock(&self) -> RLockGuard<'_> {
        match self.lock_in(|| FutexBed::endless(&self.object)) {
            Some(guard) => guard,
            None => unreachable!("an endless wait has no end"),
        }
    }

    /// Takes the lock if no other thread holds it. Never waits.
    pub fn try_lock(&self) -> Option<RLockGuard<'_>> {
        if let Some(guard) = self.lock_again() {
            return Some(guard);
        }
        let acquired = try_acquire(&self.object)?;
        Some(self.locked(Recovered::of(acquired)))
    }

    /// As [`RLock::lock`], for at most `timeout`. None when the time is over.
    pub fn lock_timeout(&self, timeout: Duration) -> Option<RLockGuard<'_>> {
        self.lock_in(|| FutexBed::with_timeout(&self.object, timeout))
    }

    /// Whether some thread holds it, this one included.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.object.lock_word().owner().is_some()
    }

    fn lock_in<'a>(&self, bed: impl FnOnce() -> FutexBed<'a>) -> Option<RLockGuard<'_>> {
        if let Some(guard) = self.lock_again() {
            return Some(guard);
        }
        let acquired = acquire(&self.object, bed)?;
        Some(self.locked(Recovered::of(acquired)))
    }

    /// One guard more, if this thread has the lock. No other thread can make that true or untrue.
    fn lock_again(&self) -> Option<RLockGuard<'_>> {
        let mine = self.object.local[OWNER].load(Relaxed) == this_thread()
            // After a fork, what is known of threads is the parent's.
            && self.object.lock_word().owner() == Some(self.object.me());
        mine.then(|| {
            self.object.local[DEPTH].fetch_add(1, Relaxed);
            self.guard(None)
        })
    }

    fn locked(&self, recovered: Option<Recovered>) -> RLockGuard<'_> {
        self.object.local[OWNER].store(this_thread(), Relaxed);
        self.object.local[DEPTH].store(1, Relaxed);
        self.guard(recovered)
    }

    fn guard(&self, recovered: Option<Recovered>) -> RLockGuard<'_> {
        RLockGuard {
            object: &self.object,
            recovered,
            _not_send: PhantomData,
        }
    }
}

impl Default for RLock {
    fn default() -> Self {
        RLock::new()
    }
}

impl fmt::Debug for RLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = self.object.lock_word().owner();
        f.debug_struct("RLock")
            .field("held_by", &owner.map(|owner| owner.pid()))
            .finish_non_exhaustive()
    }
}

impl RLockGuard<'_> {
    /// Whether the owner before died with the lock. It is told once, to the first guard of the next
    /// owner.
    #[must_use]
    pub fn recovered(&self) -> Option<Recovered> {
        self.recovered
    }
}

impl Drop for RLockGuard<'_> {
    fn drop(&mut self) {
        let local = &self.object.local;
        if local[DEPTH].fetch_sub(1, Relaxed) == 1 {
            local[OWNER].store(0, Relaxed);
            self.object.lock_word().release(&Waker);
        }
    }
}

impl fmt::Debug for RLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLockGuard")
            .field("recovered", &self.recovered)
            .finish_non_exhaustive()
    }
}

/// A number that no other thread of this process has had; never zero.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Relaxed));
        }
        number.get()
    })
}
