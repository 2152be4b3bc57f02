//! A permit of a lock or a semaphore, in the hands of this process.
//!
//! A permit belongs to the connection by which it was acquired. So that connection is set aside while
//! the permit is held, and if this process dies the server sees its end, and frees the permit.

use std::{sync::Arc, time::Duration};

use crate::{
    manager::{
        connection::Connection,
        error::ManagerErrorKind,
        handle::{Handle, checked, unexpected},
        protocol::{Answer, GateRequest, MonitorRequest, Request},
    },
    sync::Recovered,
};

/// A permit; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Grip {
    handle: Arc<Handle>,
    /// None once the permit is gone.
    connection: Option<Connection>,
    recovered: Option<Recovered>,
}

impl Grip {
    /// Waits for a permit, for that long at most.
    pub(super) fn acquire(
        handle: &Arc<Handle>,
        timeout: Option<Duration>,
    ) -> Result<Option<Self>, ManagerErrorKind> {
        let request = Request::Gate(handle.object(), GateRequest::Acquire(timeout));
        let (connection, answer) = handle.call_and_hold(&request)?;
        match answer {
            Answer::Granted { left_by } => Ok(Some(Grip {
                handle: handle.clone(),
                connection: Some(connection),
                recovered: left_by.map(Recovered::from_pid),
            })),
            Answer::TimedOut => {
                handle.keep(connection);
                Ok(None)
            }
            other => Err(unexpected(&other)),
        }
    }

    pub(super) fn recovered(&self) -> Option<Recovered> {
        self.recovered
    }

    /// Whether it is one of this object's.
    pub(super) fn is_of(&self, handle: &Arc<Handle>) -> bool {
        Arc::ptr_eq(&self.handle, handle)
    }

    /// Gives the permit up without giving it back.
    pub(super) fn forget(mut self) -> Result<(), ManagerErrorKind> {
        self.end(GateRequest::Forget)
    }

    /// Gives the lock of a condition back, waits there, and has the lock again. Says whether somebody
    /// notified in time.
    pub(super) fn wait(
        mut self,
        timeout: Option<Duration>,
    ) -> Result<(Self, bool), ManagerErrorKind> {
        let gone = || ManagerErrorKind::NotHeld;
        // Taken out, so that after an error nothing is given back by it.
        let mut connection = self.connection.take().ok_or_else(gone)?;
        let request = Request::Monitor(self.handle.object(), MonitorRequest::Wait(timeout));
        let answer = connection.call(&request);
        match checked(answer?)? {
            Answer::Woken { left_by, notified } => {
                self.connection = Some(connection);
                self.recovered = left_by.map(Recovered::from_pid);
                Ok((self, notified))
            }
            other => Err(unexpected(&other)),
        }
    }

    fn end(&mut self, request: GateRequest) -> Result<(), ManagerErrorKind> {
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        let request = Request::Gate(self.handle.object(), request);
        // If this fails the connection is closed, and with it the permit is free.
        match checked(connection.call(&request)?)? {
            Answer::Done => {
                self.handle.keep(connection);
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }
}

impl Drop for Grip {
    fn drop(&mut self) {
        // A server that is gone has no permits.
        let _ = self.end(GateRequest::Release);
    }
}
