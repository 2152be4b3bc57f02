//! A semaphore that a manager keeps.

use std::{marker::PhantomData, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    grip::Grip,
    lock::{free, never_in_time},
    proxy,
};
use crate::{
    manager::{
        ManagerError,
        handle::{Remote, unexpected},
        protocol::{Answer, GateRequest, Request},
    },
    sync::Recovered,
};

/// Some permits, each for one owner at a time, in whatever process: what multiprocessing's
/// `Manager().Semaphore()` and `Manager().BoundedSemaphore()` are.
///
/// Who asked first gets a permit first. When a process that holds permits dies, they are free.
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let downloads = Manager::start()?.semaphore(2)?;
/// let first = downloads.acquire()?;
/// let _second = downloads.acquire()?;
/// assert!(downloads.try_acquire()?.is_none());
/// drop(first);
/// assert_eq!(downloads.available()?, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Every operation fails when the server has ended ([`ManagerError::is_server_gone`]), also while
/// it waits, and when the system has run out of something.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Semaphore {
    remote: Remote,
}

proxy!(Semaphore);

/// As long as it lives, its process holds one permit. It may go to another thread.
#[derive(Debug)]
#[must_use = "the permit is given back when it is dropped"]
pub struct Permit<'a> {
    grip: Grip,
    semaphore: PhantomData<&'a Semaphore>,
}

impl Permit<'_> {
    /// Whether a process died with a permit, and nobody was told of it before.
    #[must_use]
    pub fn recovered(&self) -> Option<Recovered> {
        self.grip.recovered()
    }

    /// Keeps the permit taken, beyond the death of this process too, until somebody
    /// [releases](Semaphore::release) one by hand.
    ///
    /// # Errors
    /// See [`Semaphore`].
    pub fn forget(self) -> Result<(), ManagerError> {
        self.grip
            .forget()
            .map_err(|kind| ManagerError::new("Permit::forget", kind))
    }
}

impl Semaphore {
    /// Waits until a permit is free, and takes it.
    ///
    /// # Errors
    /// See [`Semaphore`].
    pub fn acquire(&self) -> Result<Permit<'_>, ManagerError> {
        self.take("Semaphore::acquire", None)
            .and_then(|permit| permit.ok_or_else(|| never_in_time("Semaphore::acquire")))
    }

    /// Takes a permit if one is free. Doesn't wait for one.
    ///
    /// # Errors
    /// See [`Semaphore`].
    pub fn try_acquire(&self) -> Result<Option<Permit<'_>>, ManagerError> {
        self.take("Semaphore::try_acquire", Some(Duration::ZERO))
    }

    /// As [`acquire`](Semaphore::acquire), for at most `timeout`. `None` when the time is over.
    ///
    /// # Errors
    /// See [`Semaphore`].
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Permit<'_>>, ManagerError> {
        self.take("Semaphore::acquire_timeout", Some(timeout))
    }

    /// Puts one more permit in: one that was [forgotten](Permit::forget), or a new one.
    ///
    /// # Errors
    /// When it is bounded, and as many are free as there were at first
    /// ([`NotHeld`](crate::manager::ManagerErrorKind::NotHeld)); see also [`Semaphore`].
    pub fn release(&self) -> Result<(), ManagerError> {
        let handle = &self.remote.0;
        let answer = handle.call(&Request::Gate(handle.object(), GateRequest::Add));
        answer
            .and_then(|answer| match answer {
                Answer::Done => Ok(()),
                other => Err(unexpected(&other)),
            })
            .map_err(|kind| ManagerError::new("Semaphore::release", kind))
    }

    /// How many permits are free. By the time the answer is there it may be otherwise.
    ///
    /// # Errors
    /// See [`Semaphore`].
    pub fn available(&self) -> Result<usize, ManagerError> {
        free(&self.remote)
            .map(|free| usize::try_from(free).unwrap_or(usize::MAX))
            .map_err(|kind| ManagerError::new("Semaphore::available", kind))
    }

    fn take(
        &self,
        operation: &'static str,
        timeout: Option<Duration>,
    ) -> Result<Option<Permit<'_>>, ManagerError> {
        Grip::acquire(&self.remote.0, timeout)
            .map(|grip| {
                grip.map(|grip| Permit {
                    grip,
                    semaphore: PhantomData,
                })
            })
            .map_err(|kind| ManagerError::new(operation, kind))
    }
}
