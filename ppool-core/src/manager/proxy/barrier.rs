//! A barrier that a manager keeps.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::proxy;
use crate::{
    manager::{
        ManagerError,
        error::ManagerErrorKind,
        handle::{Remote, unexpected},
        protocol::{Answer, BarrierRequest, Request},
    },
    sync::BarrierTurn,
};

/// A place where some wait until all are there, again and again: what multiprocessing's
/// `Manager().Barrier()` is.
///
/// When one that waits dies, or waits in vain, the barrier is broken: all others get an error, and so
/// does everybody who comes, until it is [reset](Barrier::reset).
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let barrier = Manager::start()?.barrier(2)?;
/// let leaders: usize = std::thread::scope(|scope| {
///     let both = [0, 1].map(|_| scope.spawn(|| barrier.wait().is_ok_and(|turn| turn.is_leader())));
///     both.into_iter().map(|one| usize::from(one.join().unwrap_or(false))).sum()
/// });
/// assert_eq!(leaders, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Every operation fails when the server has ended ([`ManagerError::is_server_gone`]), also while
/// it waits, and when the system has run out of something.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Barrier {
    remote: Remote,
}

proxy!(Barrier);

impl Barrier {
    /// Waits until all are there.
    ///
    /// # Errors
    /// When the barrier is broken, or breaks meanwhile ([`ManagerError::is_broken_barrier`]); see
    /// also [`Barrier`].
    pub fn wait(&self) -> Result<BarrierTurn, ManagerError> {
        self.wait_for(None)
            .map_err(|kind| ManagerError::new("Barrier::wait", kind))
    }

    /// As [`wait`](Barrier::wait). When not all are there after `timeout`, the barrier breaks.
    ///
    /// # Errors
    /// As [`wait`](Barrier::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierTurn, ManagerError> {
        self.wait_for(Some(timeout))
            .map_err(|kind| ManagerError::new("Barrier::wait_timeout", kind))
    }

    /// Breaks the barrier, for those who wait and those who come.
    ///
    /// # Errors
    /// See [`Barrier`].
    pub fn abort(&self) -> Result<(), ManagerError> {
        self.done(BarrierRequest::Abort)
            .map_err(|kind| ManagerError::new("Barrier::abort", kind))
    }

    /// Makes it whole again. Those who wait now get the error of a broken barrier.
    ///
    /// # Errors
    /// See [`Barrier`].
    pub fn reset(&self) -> Result<(), ManagerError> {
        self.done(BarrierRequest::Reset)
            .map_err(|kind| ManagerError::new("Barrier::reset", kind))
    }

    /// Whether it is broken.
    ///
    /// # Errors
    /// See [`Barrier`].
    pub fn is_broken(&self) -> Result<bool, ManagerError> {
        self.look()
            .map(|(_, _, is_broken)| is_broken)
            .map_err(|kind| ManagerError::new("Barrier::is_broken", kind))
    }

    /// How many have to come.
    ///
    /// # Errors
    /// See [`Barrier`].
    pub fn parties(&self) -> Result<usize, ManagerError> {
        self.look()
            .map(|(parties, ..)| parties)
            .map_err(|kind| ManagerError::new("Barrier::parties", kind))
    }

    /// How many wait. By the time the answer is there it may be otherwise.
    ///
    /// # Errors
    /// See [`Barrier`].
    pub fn waiting(&self) -> Result<usize, ManagerError> {
        self.look()
            .map(|(_, waiting, _)| waiting)
            .map_err(|kind| ManagerError::new("Barrier::waiting", kind))
    }

    fn wait_for(&self, timeout: Option<Duration>) -> Result<BarrierTurn, ManagerErrorKind> {
        let (parties, ..) = self.look()?;
        match self.ask(BarrierRequest::Wait(timeout))? {
            Answer::Turn(index) => Ok(BarrierTurn::new(index as usize, parties)),
            other => Err(unexpected(&other)),
        }
    }

    fn look(&self) -> Result<(usize, usize, bool), ManagerErrorKind> {
        match self.ask(BarrierRequest::Look)? {
            Answer::Barrier {
                parties,
                waiting,
                is_broken,
            } => Ok((parties as usize, waiting as usize, is_broken)),
            other => Err(unexpected(&other)),
        }
    }

    fn done(&self, request: BarrierRequest) -> Result<(), ManagerErrorKind> {
        match self.ask(request)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&self, request: BarrierRequest) -> Result<Answer, ManagerErrorKind> {
        let handle = &self.remote.0;
        handle.call(&Request::Barrier(handle.object(), request))
    }
}
