//! An event that a manager keeps.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::proxy;
use crate::manager::{
    ManagerError,
    error::ManagerErrorKind,
    handle::{Remote, unexpected},
    protocol::{Answer, FlagRequest, Request},
};

/// Something that happens, and that processes wait for: what multiprocessing's `Manager().Event()`
/// is.
///
/// ```no_run
/// # use ppool_core as ppool;
/// use std::time::Duration;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let event = Manager::start()?.event()?;
/// assert!(!event.wait_timeout(Duration::from_millis(1))?);
/// event.set()?;
/// event.wait()?;
/// assert!(event.is_set()?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Every operation fails when the server has ended ([`ManagerError::is_server_gone`]), also while
/// it waits, and when the system has run out of something.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Event {
    remote: Remote,
}

proxy!(Event);

impl Event {
    /// Sets it, and wakes all who wait for it. It stays set.
    ///
    /// # Errors
    /// See [`Event`].
    pub fn set(&self) -> Result<(), ManagerError> {
        self.done(FlagRequest::Set)
            .map_err(|kind| ManagerError::new("Event::set", kind))
    }

    /// Unsets it.
    ///
    /// # Errors
    /// See [`Event`].
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.done(FlagRequest::Clear)
            .map_err(|kind| ManagerError::new("Event::clear", kind))
    }

    /// Whether it is set.
    ///
    /// # Errors
    /// See [`Event`].
    pub fn is_set(&self) -> Result<bool, ManagerError> {
        self.yes(FlagRequest::IsSet)
            .map_err(|kind| ManagerError::new("Event::is_set", kind))
    }

    /// Waits until it is set.
    ///
    /// # Errors
    /// See [`Event`].
    pub fn wait(&self) -> Result<(), ManagerError> {
        self.yes(FlagRequest::Wait(None))
            .map(drop)
            .map_err(|kind| ManagerError::new("Event::wait", kind))
    }

    /// As [`wait`](Event::wait), for at most `timeout`. Says whether it was set in time.
    ///
    /// # Errors
    /// See [`Event`].
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, ManagerError> {
        self.yes(FlagRequest::Wait(Some(timeout)))
            .map_err(|kind| ManagerError::new("Event::wait_timeout", kind))
    }

    fn ask(&self, request: FlagRequest) -> Result<Answer, ManagerErrorKind> {
        let handle = &self.remote.0;
        handle.call(&Request::Flag(handle.object(), request))
    }

    fn done(&self, request: FlagRequest) -> Result<(), ManagerErrorKind> {
        match self.ask(request)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn yes(&self, request: FlagRequest) -> Result<bool, ManagerErrorKind> {
        match self.ask(request)? {
            Answer::Yes(yes) => Ok(yes),
            other => Err(unexpected(&other)),
        }
    }
}
