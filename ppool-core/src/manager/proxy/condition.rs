//! A condition that a manager keeps.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{lock::LockGuard, proxy};
use crate::manager::{
    ManagerError,
    handle::{Remote, unexpected},
    protocol::{Answer, MonitorRequest, Request},
};

/// A lock, and a place to wait until somebody says that what it protects has changed: what
/// multiprocessing's `Manager().Condition()` is.
///
/// A wait gives the lock back while it waits, and has it again when it returns. Others may have come
/// in between, so look again; or use [`wait_while`](Condition::wait_while), which does.
///
/// ```no_run
/// # use ppool_core as ppool;
/// # use ppool::manager::{Condition, Dict, ManagerError};
/// # fn consumer(condition: Condition, stock: Dict<String, u32>) -> Result<(), ManagerError> {
/// let guard = condition.lock()?;
/// let _guard = condition.wait_while(guard, || Ok(stock.is_empty()?))?;
/// assert!(!stock.is_empty()?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Every operation fails when the server has ended ([`ManagerError::is_server_gone`]), also while
/// it waits, and when the system has run out of something. After an error of a wait this process
/// doesn't have the lock any more.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Condition {
    remote: Remote,
}

proxy!(Condition);

impl Condition {
    /// Waits until the lock is free, and takes it.
    ///
    /// # Errors
    /// See [`Condition`].
    pub fn lock(&self) -> Result<LockGuard<'_>, ManagerError> {
        LockGuard::acquire(&self.remote, "Condition::lock")
    }

    /// Takes the lock if it is free. Doesn't wait for it.
    ///
    /// # Errors
    /// See [`Condition`].
    pub fn try_lock(&self) -> Result<Option<LockGuard<'_>>, ManagerError> {
        LockGuard::acquire_within(&self.remote, "Condition::try_lock", Some(Duration::ZERO))
    }

    /// As [`lock`](Condition::lock), for at most `timeout`. `None` when the time is over.
    ///
    /// # Errors
    /// See [`Condition`].
    pub fn lock_timeout(&self, timeout: Duration) -> Result<Option<LockGuard<'_>>, ManagerError> {
        LockGuard::acquire_within(&self.remote, "Condition::lock_timeout", Some(timeout))
    }

    /// Waits until somebody notifies, without the lock meanwhile.
    ///
    /// # Errors
    /// See [`Condition`].
    ///
    /// # Panics
    /// When the guard is that of another lock.
    pub fn wait<'a>(&'a self, guard: LockGuard<'a>) -> Result<LockGuard<'a>, ManagerError> {
        self.wait_for("Condition::wait", guard, None)
            .map(|(guard, _)| guard)
    }

    /// As [`wait`](Condition::wait), for at most `timeout`. Also says whether somebody notified in
    /// time. However long it takes to get the lock, it has it in the end.
    ///
    /// # Errors
    /// See [`Condition`].
    ///
    /// # Panics
    /// When the guard is that of another lock.
    pub fn wait_timeout<'a>(
        &'a self,
        guard: LockGuard<'a>,
        timeout: Duration,
    ) -> Result<(LockGuard<'a>, bool), ManagerError> {
        self.wait_for("Condition::wait_timeout", guard, Some(timeout))
    }

    /// Waits as long as `must_wait` says so; it is asked at first and after each notification, always
    /// with the lock.
    ///
    /// # Errors
    /// See [`Condition`]; and those of `must_wait`.
    ///
    /// # Panics
    /// When the guard is that of another lock.
    pub fn wait_while<'a>(
        &'a self,
        mut guard: LockGuard<'a>,
        mut must_wait: impl FnMut() -> Result<bool, ManagerError>,
    ) -> Result<LockGuard<'a>, ManagerError> {
        while must_wait()? {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`wait_while`](Condition::wait_while), for at most `timeout`. Also says whether the wait
    /// came to its end in time.
    ///
    /// # Errors
    /// See [`Condition`]; and those of `must_wait`.
    ///
    /// # Panics
    /// When the guard is that of another lock.
    pub fn wait_while_timeout<'a>(
        &'a self,
        mut guard: LockGuard<'a>,
        timeout: Duration,
        mut must_wait: impl FnMut() -> Result<bool, ManagerError>,
    ) -> Result<(LockGuard<'a>, bool), ManagerError> {
        let begin = Instant::now();
        while must_wait()? {
            let left = timeout.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Ok((guard, false));
            }
            guard = self.wait_timeout(guard, left)?.0;
        }
        Ok((guard, true))
    }

    /// Wakes one of those who wait, if there is one: the one that has waited longest.
    ///
    /// With the lock, so that what has changed isn't looked at in between; without it, the one that
    /// is woken may find the change undone.
    ///
    /// # Errors
    /// See [`Condition`].
    pub fn notify_one(&self) -> Result<(), ManagerError> {
        self.notify("Condition::notify_one", 1)
    }

    /// Wakes all who wait.
    ///
    /// # Errors
    /// See [`Condition`].
    pub fn notify_all(&self) -> Result<(), ManagerError> {
        self.notify("Condition::notify_all", u32::MAX)
    }

    fn wait_for<'a>(
        &'a self,
        operation: &'static str,
        guard: LockGuard<'a>,
        timeout: Option<Duration>,
    ) -> Result<(LockGuard<'a>, bool), ManagerError> {
        assert!(
            guard.grip.is_of(&self.remote.0),
            "a condition waits with a guard of its own lock"
        );
        guard
            .grip
            .wait(timeout)
            .map(|(grip, notified)| (LockGuard::new(grip), notified))
            .map_err(|kind| ManagerError::new(operation, kind))
    }

    fn notify(&self, operation: &'static str, most: u32) -> Result<(), ManagerError> {
        let handle = &self.remote.0;
        let request = Request::Monitor(handle.object(), MonitorRequest::Notify(most));
        handle
            .call(&request)
            .and_then(|answer| match answer {
                Answer::Done => Ok(()),
                other => Err(unexpected(&other)),
            })
            .map_err(|kind| ManagerError::new(operation, kind))
    }
}
