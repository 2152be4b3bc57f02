//! [`Condition`]: waiting for something that a lock protects to change.

use std::{
    fmt, io,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    handle::made,
    lock::{Lock, LockGuard},
    object::{FutexBed, Kind, Object, Plan, Waker},
};

/// A lock, and a place to wait until somebody says that what it protects has changed, as
/// `multiprocessing.Condition`.
///
/// A wait gives the lock back while it waits, and takes it again before it returns. It may return
/// although nobody has notified (when a process that shares it dies, say), so look again; or use
/// [`Condition::wait_while`], which does.
///
/// ```
/// use std::{sync::atomic::{AtomicBool, Ordering}, thread};
/// use ppool_core::sync::Condition;
///
/// let (condition, ready) = (Condition::new(), AtomicBool::new(false));
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         let _guard = condition.lock();
///         ready.store(true, Ordering::Relaxed);
///         condition.notify_all();
///     });
///     let guard = condition.lock();
///     let _guard = condition.wait_while(guard, || !ready.load(Ordering::Relaxed));
/// });
/// ```
#[derive(Clone)]
pub struct Condition {
    lock: Lock,
    object: Arc<Object>,
}

impl Condition {
    #[cfg(test)]
    pub(super) fn object(&self) -> &Arc<Object> {
        &self.object
    }

    /// A condition with a lock of its own.
    ///
    /// # Panics
    /// When memory or descriptors have run out; [`Condition::try_new`] gives an error instead.
    #[must_use]
    pub fn new() -> Self {
        made(Condition::try_new(), "condition")
    }

    /// As [`Condition::new`].
    ///
    /// # Errors
    /// When memory or descriptors have run out.
    pub fn try_new() -> io::Result<Self> {
        Condition::try_with_lock(&Lock::try_new()?)
    }

    /// A condition over a lock that is there already; several conditions may share it.
    ///
    /// # Panics
    /// When memory or descriptors have run out; [`Condition::try_with_lock`] gives an error instead.
    #[must_use]
    pub fn with_lock(lock: &Lock) -> Self {
        made(Condition::try_with_lock(lock), "condition")
    }

    /// As [`Condition::with_lock`].
    ///
    /// # Errors
    /// When memory or descriptors have run out.
    pub fn try_with_lock(lock: &Lock) -> io::Result<Self> {
        let object = Object::create(Plan::plain(Kind::Condition))?;
        let lock = lock.clone();
        Ok(Condition { lock, object })
    }

    /// Its lock, which may be taken there as well.
    #[must_use]
    pub fn as_lock(&self) -> &Lock {
        &self.lock
    }

    /// Waits until the lock is free, and takes it.
    pub fn lock(&self) -> LockGuard<'_> {
        self.lock.lock()
    }

    /// Takes the lock if it is free. Never waits.
    pub fn try_lock(&self) -> Option<LockGuard<'_>> {
        self.lock.try_lock()
    }

    /// As [`Condition::lock`], for at most `timeout`. None when the time is over.
    pub fn lock_timeout(&self, timeout: Duration) -> Option<LockGuard<'_>> {
        self.lock.lock_timeout(timeout)
    }

    /// Waits until somebody notifies, without the lock meanwhile.
    ///
    /// # Panics
    /// When the guard is that of another lock.
    pub fn wait<'a>(&'a self, guard: LockGuard<'a>) -> LockGuard<'a> {
        self.wait_in(guard, &FutexBed::endless(&self.object)).0
    }

    /// As [`Condition::wait`], for at most `timeout`. Also says whether somebody notified in time.
    /// However long it takes to get the lock, it has it in the end.
    ///
    /// # Panics
    /// When the guard is that of another lock.
    pub fn wait_timeout<'a>(
        &'a self,
        guard: LockGuard<'a>,
        timeout: Duration,
    ) -> (LockGuard<'a>, bool) {
        self.wait_in(guard, &FutexBed::with_timeout(&self.object, timeout))
    }

    /// Waits as long as `must_wait` says so; it is asked at first and after each notification, always
    /// with the lock.
    ///
    /// # Panics
    /// When the guard is that of another lock.
    pub fn wait_while<'a>(
        &'a self,
        mut guard: LockGuard<'a>,
        mut must_wait: impl FnMut() -> bool,
    ) -> LockGuard<'a> {
        while must_wait() {
            guard = self.wait(guard);
        }
        guard
    }

    /// As [`Condition::wait_while`], for at most `timeout`. Also says whether the wait came to its end
    /// in time.
    ///
    /// # Panics
    /// When the guard is that of another lock.
    pub fn wait_while_timeout<'a>(
        &'a self,
        mut guard: LockGuard<'a>,
        timeout: Duration,
        mut must_wait: impl FnMut() -> bool,
    ) -> (LockGuard<'a>, bool) {
        let begin = Instant::now();
        while must_wait() {
            let left = timeout.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return (guard, false);
            }
            guard = self.wait_timeout(guard, left).0;
        }
        (guard, true)
    }

    /// Wakes one of those who wait, if there is one: the one that has waited longest.
    ///
    /// With the lock, so that what has changed isn't looked at in between; without it, the one that is
    /// woken may find the change undone.
    pub fn notify_one(&self) {
        self.object.parking(0).notify(&Waker, 1);
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        self.object.parking(0).notify(&Waker, u32::MAX);
    }

    fn wait_in<'a>(&'a self, guard: LockGuard<'a>, bed: &FutexBed<'_>) -> (LockGuard<'a>, bool) {
        assert!(
            guard.is_of(&self.lock),
            "a condition waits with a guard of its own lock"
        );
        // The seat, before the lock goes.
        self.object.me();
        let in_time = self.object.parking(0).wait_for_notice(bed, || drop(guard));
        (self.lock.lock(), in_time)
    }
}

impl Default for Condition {
    fn default() -> Self {
        Condition::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.lock, Waiting(&self.object)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (lock, Waiters(object)) = Deserialize::deserialize(deserializer)?;
        Ok(Condition { lock, object })
    }
}

/// The place to wait, on its way out.
struct Waiting<'a>(&'a Object);

impl Serialize for Waiting<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// The place to wait, on its way in.
struct Waiters(Arc<Object>);

impl<'de> Deserialize<'de> for Waiters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Object::deserialize(Kind::Condition, deserializer).map(Waiters)
    }
}
