//! [`Lock`]: one owner at a time, in whatever process.

use std::{fmt, io, sync::Arc, time::Duration};

use super::{
    algorithm::lock_word::Acquired,
    handle::{made, travels},
    object::{FutexBed, Kind, Object, Plan, Waker},
    spin::spin,
};

/// A lock that processes share, as `multiprocessing.Lock`. It protects whatever you say it protects:
/// a file, a device, the terminal.
///
/// It can be an argument of a task, a result, or a field of either. When the process that holds it
/// dies, the next owner gets it and is [told](LockGuard::recovered). It is free of starvation: who
/// comes later doesn't pass those who waited in vain before. It is not recursive: a thread that locks
/// it twice waits for itself, for ever; [`RLock`](super::RLock) is for that.
///
/// ```
/// use ppool_core::sync::Lock;
///
/// let lock = Lock::new();
/// {
///     let guard = lock.lock();
///     assert!(guard.recovered().is_none());
///     assert!(lock.try_lock().is_none());
/// }
/// assert!(lock.try_lock().is_some());
/// ```
#[derive(Clone)]
pub struct Lock {
    object: Arc<Object>,
}

travels!(Lock, Kind::Lock);

/// As long as it lives, its process holds the lock. A guard may go to another thread.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct LockGuard<'a> {
    object: &'a Arc<Object>,
    recovered: Option<Recovered>,
}

/// Who held the lock before died with it: what it protects may be half changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Recovered {
    pid: u32,
}

impl Recovered {
    /// The process that died.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn of(acquired: Acquired) -> Option<Self> {
        let dead = acquired.left_by?;
        Some(Recovered::from_pid(dead.pid()))
    }

    pub(crate) fn from_pid(pid: u32) -> Self {
        Recovered { pid }
    }
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} died while it held the lock", self.pid)
    }
}

impl Lock {
    #[cfg(test)]
    pub(super) fn object(&self) -> &Arc<Object> {
        &self.object
    }

    /// A lock that is free.
    ///
    /// # Panics
    /// When memory or descriptors have run out; [`Lock::try_new`] gives an error instead.
    #[must_use]
    pub fn new() -> Self {
        made(Lock::try_new(), "lock")
    }

    /// As [`Lock::new`].
    ///
    /// # Errors
    /// When memory or descriptors have run out.
    pub fn try_new() -> io::Result<Self> {
        let object = Object::create(Plan::plain(Kind::Lock))?;
        Ok(Lock { object })
    }

    /// Waits until the lock is free, and takes it.
    pub fn lock(&self) -> LockGuard<'_> {
        match acquire(&self.object, || FutexBed::endless(&self.object)) {
            Some(acquired) => LockGuard::new(&self.object, acquired),
            None => unreachable!("an endless wait has no end"),
        }
    }

    /// Takes the lock if it is free. Never waits.
    pub fn try_lock(&self) -> Option<LockGuard<'_>> {
        let acquired = try_acquire(&self.object)?;
        Some(LockGuard::new(&self.object, acquired))
    }

    /// As [`Lock::lock`], for at most `timeout`. None when the time is over.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ppool_core::sync::Lock;
    ///
    /// let lock = Lock::new();
    /// let held = lock.lock();
    /// assert!(lock.lock_timeout(Duration::from_millis(1)).is_none());
    /// drop(held);
    /// assert!(lock.lock_timeout(Duration::from_millis(1)).is_some());
    /// ```
    pub fn lock_timeout(&self, timeout: Duration) -> Option<LockGuard<'_>> {
        let bed = || FutexBed::with_timeout(&self.object, timeout);
        let acquired = acquire(&self.object, bed)?;
        Some(LockGuard::new(&self.object, acquired))
    }

    /// Whether somebody holds it. By the time the answer is there it may be another.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.object.lock_word().owner().is_some()
    }
}

impl Default for Lock {
    fn default() -> Self {
        Lock::new()
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = self.object.lock_word().owner();
        f.debug_struct("Lock")
            .field("held_by", &owner.map(|owner| owner.pid()))
            .finish_non_exhaustive()
    }
}

impl<'a> LockGuard<'a> {
    fn new(object: &'a Arc<Object>, acquired: Acquired) -> Self {
        LockGuard {
            object,
            recovered: Recovered::of(acquired),
        }
    }

    /// Whether the owner before died with the lock. It is told once, to the next owner.
    #[must_use]
    pub fn recovered(&self) -> Option<Recovered> {
        self.recovered
    }

    /// Whether this is a guard of `lock`.
    pub(super) fn is_of(&self, lock: &Lock) -> bool {
        Arc::ptr_eq(self.object, &lock.object)
    }
}

impl Drop for LockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.object.lock_word().release(&Waker);
    }
}

impl fmt::Debug for LockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard")
            .field("recovered", &self.recovered)
            .finish_non_exhaustive()
    }
}

/// Takes the lock of an object, waiting in a bed if need be.
#[inline]
pub(crate) fn acquire<'a>(
    object: &Arc<Object>,
    bed: impl FnOnce() -> FutexBed<'a>,
) -> Option<Acquired> {
    let (word, me) = (object.lock_word(), object.me());
    word.try_acquire_politely(me)
        .or_else(|| spin(|| word.try_acquire_politely(me)))
        .or_else(|| word.acquire(me, &bed()))
}

/// Takes the lock of an object if it is free, also if only a dead process holds it.
pub(crate) fn try_acquire(object: &Arc<Object>) -> Option<Acquired> {
    let (word, me) = (object.lock_word(), object.me());
    word.try_acquire(me).or_else(|| {
        // It need not succeed: then a death is noticed by the next one who waits.
        let _ = object.watch_others();
        word.try_acquire(me)
    })
}
