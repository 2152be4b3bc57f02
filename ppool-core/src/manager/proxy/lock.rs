//! A lock that a manager keeps.

use std::{marker::PhantomData, time::Duration};

use serde::{Deserialize, Serialize};

use super::{grip::Grip, proxy};
use crate::{
    manager::{
        ManagerError,
        error::ManagerErrorKind,
        handle::{Remote, unexpected},
        protocol::{Answer, GateRequest, Request},
    },
    sync::Recovered,
};

/// One owner at a time, in whatever process: what multiprocessing's `Manager().Lock()` is. It
/// protects whatever you say it protects.
///
/// Who asked first gets it first. When the process that holds it dies, it is free, and the next owner
/// is [told](LockGuard::recovered). It is not recursive: a thread that locks it twice waits for
/// itself, for ever; [`RLock`](super::RLock) is for that.
///
/// Each lock and unlock asks the server; [`sync::Lock`](crate::sync::Lock) lies in shared memory, and is
/// faster by far.
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let lock = Manager::start()?.lock()?;
/// {
///     let guard = lock.lock()?;
///     assert!(guard.recovered().is_none());
///     assert!(lock.try_lock()?.is_none());
/// }
/// assert!(lock.try_lock()?.is_some());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Every operation fails when the server has ended ([`ManagerError::is_server_gone`]), also while
/// it waits, and when the system has run out of something.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lock {
    remote: Remote,
}

proxy!(Lock);

/// As long as it lives, its process holds the lock. A guard may go to another thread.
#[derive(Debug)]
#[must_use = "the lock is given back when the guard is dropped"]
pub struct LockGuard<'a> {
    pub(super) grip: Grip,
    lock: PhantomData<&'a Lock>,
}

impl<'a> LockGuard<'a> {
    /// Takes the lock that the object has; `operation` is what errors say was done.
    pub(super) fn acquire(
        remote: &'a Remote,
        operation: &'static str,
    ) -> Result<Self, ManagerError> {
        let guard = LockGuard::acquire_within(remote, operation, None)?;
        guard.ok_or_else(|| never_in_time(operation))
    }

    /// As [`LockGuard::acquire`], for at most `timeout`. `None` when the time is over.
    pub(super) fn acquire_within(
        remote: &'a Remote,
        operation: &'static str,
        timeout: Option<Duration>,
    ) -> Result<Option<Self>, ManagerError> {
        Grip::acquire(&remote.0, timeout)
            .map(|grip| grip.map(LockGuard::new))
            .map_err(|kind| ManagerError::new(operation, kind))
    }

    pub(super) fn new(grip: Grip) -> Self {
        LockGuard {
            grip,
            lock: PhantomData,
        }
    }

    /// Whether the owner before died with the lock. It is told once, to the next owner.
    #[must_use]
    pub fn recovered(&self) -> Option<Recovered> {
        self.grip.recovered()
    }
}

impl Lock {
    /// Waits until the lock is free, and takes it.
    ///
    /// # Errors
    /// See [`Lock`].
    pub fn lock(&self) -> Result<LockGuard<'_>, ManagerError> {
        LockGuard::acquire(&self.remote, "Lock::lock")
    }

    /// Takes the lock if it is free. Doesn't wait for it.
    ///
    /// # Errors
    /// See [`Lock`].
    pub fn try_lock(&self) -> Result<Option<LockGuard<'_>>, ManagerError> {
        LockGuard::acquire_within(&self.remote, "Lock::try_lock", Some(Duration::ZERO))
    }

    /// As [`lock`](Lock::lock), for at most `timeout`. `None` when the time is over.
    ///
    /// # Errors
    /// See [`Lock`].
    pub fn lock_timeout(&self, timeout: Duration) -> Result<Option<LockGuard<'_>>, ManagerError> {
        LockGuard::acquire_within(&self.remote, "Lock::lock_timeout", Some(timeout))
    }

    /// Whether somebody holds it. By the time the answer is there it may be otherwise.
    ///
    /// # Errors
    /// See [`Lock`].
    pub fn is_locked(&self) -> Result<bool, ManagerError> {
        free(&self.remote)
            .map(|free| free == 0)
            .map_err(|kind| ManagerError::new("Lock::is_locked", kind))
    }
}

/// How many permits are free.
pub(super) fn free(remote: &Remote) -> Result<u64, ManagerErrorKind> {
    let handle = &remote.0;
    match handle.call(&Request::Gate(handle.object(), GateRequest::Free))? {
        Answer::Number(free) => Ok(free),
        other => Err(unexpected(&other)),
    }
}

/// A wait without a limit came to its end by one.
pub(super) fn never_in_time(operation: &'static str) -> ManagerError {
    let message = "a wait without a limit ran out of time".to_owned();
    ManagerError::new(operation, ManagerErrorKind::Protocol(message))
}
