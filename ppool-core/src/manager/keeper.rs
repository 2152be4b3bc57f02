//! The server's process, as the one that started it sees it.
//!
//! A thread of its own starts it, and lives as long as it does: the kernel kills the server when the
//! *thread* that started it ends (SUP-4). That thread waits for the server's end and reaps it.

use std::{
    fmt,
    os::fd::OwnedFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{
    error::ExitHow,
    supervise::{self, Role},
    sys::{pidfd::ExitWatch, signal::SIGKILL},
};

/// A server that was started here.
pub(super) struct Keeper {
    pid: u32,
    watch: Arc<ExitWatch>,
    end: Arc<End>,
}

/// How the server ended, once it has and is reaped.
#[derive(Default)]
struct End {
    how: Mutex<Option<ExitHow>>,
    came: Condvar,
}

/// Why there is no server.
pub(super) type StartFailure = Box<dyn std::error::Error + Send + Sync>;

impl Keeper {
    /// Starts a server; it, and the outer end of its door.
    pub(super) fn start() -> Result<(Self, OwnedFd), StartFailure> {
        let (started, answer) = mpsc::sync_channel(1);
        let end = Arc::new(End::default());
        let keep = {
            let end = end.clone();
            move || {
                let title = "ppool manager".to_owned();
                let launched = match supervise::start(title, &[], false, Role::Manager) {
                    Ok(launched) => launched,
                    Err(error) => {
                        let _ = started.send(Err(error));
                        return;
                    }
                };
                let watch = Arc::new(launched.exit_watch);
                // Whoever asked for it waits for this.
                let _ = started.send(Ok((launched.pid, watch.clone(), launched.socket)));
                let how = watch.wait().map_or(ExitHow::Unknown, |exit| exit.how);
                *end.lock() = Some(how);
                end.came.notify_all();
            }
        };
        thread::Builder::new()
            .name("ppool-manager".into())
            .spawn(keep)?;
        let (pid, watch, door) = answer.recv()??;
        Ok((Keeper { pid, watch, end }, door))
    }

    /// How the server ended, if it has.
    pub(super) fn ended(&self) -> Option<ExitHow> {
        *self.end.lock()
    }

    /// Waits until the server has ended and is reaped, for that long at most. Whether it has.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
        let begin = Instant::now();
        let mut how = self.end.lock();
        while how.is_none() {
            how = match timeout {
                None => self
                    .end
                    .came
                    .wait(how)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let left = timeout.saturating_sub(begin.elapsed());
                    if left.is_zero() {
                        return false;
                    }
                    let waited = self.end.came.wait_timeout(how, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    /// Ends the server at once.
    pub(super) fn kill(&self) {
        // By its pidfd, so it can hit no other process; one that has ended needs no signal.
        let _ = self.watch.signal(SIGKILL);
    }
}

impl End {
    fn lock(&self) -> MutexGuard<'_, Option<ExitHow>> {
        self.how.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("pid", &self.pid)
            .field("ended", &self.ended())
            .finish_non_exhaustive()
    }
}
