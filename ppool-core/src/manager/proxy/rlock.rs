//! A lock that a manager keeps, and that its owner may take again.

use std::{
    cell::RefCell,
    collections::HashMap,
    marker::PhantomData,
    rc::{Rc, Weak},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    grip::Grip,
    lock::{free, never_in_time},
    proxy,
};
use crate::{
    manager::{
        ManagerError,
        handle::{ManagerId, Remote},
        protocol::ObjectId,
    },
    sync::Recovered,
};

/// One thread at a time, in whatever process, which may take it again while it has it: what
/// multiprocessing's `Manager().RLock()` is.
///
/// It is free when its owner has dropped as many guards as it has got. For the rest it is as
/// [`Lock`](super::Lock).
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let lock = Manager::start()?.rlock()?;
/// let outer = lock.lock()?;
/// let inner = lock.lock()?;
/// drop(outer);
/// assert!(lock.is_locked()?);
/// drop(inner);
/// assert!(!lock.is_locked()?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As with [`Lock`](super::Lock).
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct RLock {
    remote: Remote,
}

proxy!(RLock);

/// As long as it or another one of its thread lives, that thread holds the lock. It stays on its
/// thread.
#[derive(Debug)]
#[must_use = "the lock is given back when the guard is dropped"]
pub struct RLockGuard<'a> {
    grip: Rc<Grip>,
    lock: PhantomData<&'a RLock>,
}

thread_local! {
    /// The locks that this thread has, by its guards.
    static HELD: RefCell<HashMap<(ManagerId, ObjectId), Weak<Grip>>> = RefCell::default();
}

impl RLockGuard<'_> {
    /// Whether the owner before died with the lock. It is told to the next owner only, by all of its
    /// guards.
    #[must_use]
    pub fn recovered(&self) -> Option<Recovered> {
        self.grip.recovered()
    }
}

impl RLock {
    /// Waits until the lock is free or this thread's, and takes it.
    ///
    /// # Errors
    /// See [`RLock`].
    pub fn lock(&self) -> Result<RLockGuard<'_>, ManagerError> {
        self.acquire("RLock::lock", None)
            .and_then(|guard| guard.ok_or_else(|| never_in_time("RLock::lock")))
    }

    /// Takes the lock if it is free or this thread's. Doesn't wait for it.
    ///
    /// # Errors
    /// See [`RLock`].
    pub fn try_lock(&self) -> Result<Option<RLockGuard<'_>>, ManagerError> {
        self.acquire("RLock::try_lock", Some(Duration::ZERO))
    }

    /// As [`lock`](RLock::lock), for at most `timeout`. `None` when the time is over.
    ///
    /// # Errors
    /// See [`RLock`].
    pub fn lock_timeout(&self, timeout: Duration) -> Result<Option<RLockGuard<'_>>, ManagerError> {
        self.acquire("RLock::lock_timeout", Some(timeout))
    }

    /// Whether somebody holds it. By the time the answer is there it may be otherwise.
    ///
    /// # Errors
    /// See [`RLock`].
    pub fn is_locked(&self) -> Result<bool, ManagerError> {
        free(&self.remote)
            .map(|free| free == 0)
            .map_err(|kind| ManagerError::new("RLock::is_locked", kind))
    }

    fn acquire(
        &self,
        operation: &'static str,
        timeout: Option<Duration>,
    ) -> Result<Option<RLockGuard<'_>>, ManagerError> {
        let handle = &self.remote.0;
        let key = (handle.manager(), handle.object());
        let held = HELD.with_borrow(|held| held.get(&key).and_then(Weak::upgrade));
        let grip = match held {
            Some(grip) => Some(grip),
            None => {
                let grip = Grip::acquire(handle, timeout)
                    .map_err(|kind| ManagerError::new(operation, kind))?;
                let grip = grip.map(Rc::new);
                if let Some(grip) = &grip {
                    HELD.with_borrow_mut(|held| {
                        held.retain(|_, grip| grip.strong_count() > 0);
                        held.insert(key, Rc::downgrade(grip));
                    });
                }
                grip
            }
        };
        Ok(grip.map(|grip| RLockGuard {
            grip,
            lock: PhantomData,
        }))
    }
}
