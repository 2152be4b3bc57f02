//! The worker processes, as the queue manager holds them: by slot, with the link and the exit watch
//! of each.

use std::{io, time::Duration};

use super::{
    core::{Core, Sleep},
    effect::StopSignal,
    token::Token,
};
use crate::{
    ids::{WorkId, WorkerId},
    link::Link,
    sys::{epoll::Interest, pidfd::ExitWatch, procfs},
    wire::{CallItem, CallOutcome, FromWorker},
};

/// How often a worker without work looks for some before it sleeps: about as long as waking it would
/// take.
const SPIN: Duration = Duration::from_micros(100);

/// One worker process.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) pid: u32,
    pub(super) exit_watch: ExitWatch,
    pub(super) link: Box<dyn Link>,
    /// Whether the link is still being watched, and whether for writing too.
    pub(super) watched: Option<bool>,
    /// How far it is with its finalizer.
    pub(super) finalizer: Finalizer,
}

/// How far a worker is with its finalizer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finalizer {
    /// It has not been told to leave.
    NotYet,
    /// It was told to.
    Wanted,
    /// It has said how that went.
    Done,
}

/// A process that was started, with its link.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) pid: u32,
    pub(super) exit_watch: ExitWatch,
    pub(super) link: Box<dyn Link>,
}

/// Why there is no process.
#[derive(Debug)]
pub(super) struct NotStarted {
    /// What failed.
    pub(super) what: &'static str,
    pub(super) source: io::Error,
    /// Whether it would fail again.
    pub(super) lasts: bool,
}

impl NotStarted {
    /// Ends a process that can't be used, and waits for its end.
    pub(super) fn ending(watch: &ExitWatch, what: &'static str, source: io::Error) -> Self {
        let _ = watch.signal(nix::libc::SIGKILL);
        let _ = watch.wait();
        NotStarted {
            what,
            source,
            lasts: false,
        }
    }
}

impl Worker {
    /// Whether its link is of use.
    pub(super) fn is_linked(&self) -> bool {
        self.watched.is_some()
    }

    pub(super) fn signal(&self, signal: StopSignal) {
        let number = match signal {
            StopSignal::Terminate => nix::libc::SIGTERM,
            StopSignal::Kill => nix::libc::SIGKILL,
        };
        // The only failure is that the process is gone, which its exit watch tells.
        let _ = self.exit_watch.signal(number);
    }
}

impl Core {
    /// The worker, unless another one has taken its place.
    pub(super) fn worker(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.workers
            .get_mut(id.slot.0 as usize)?
            .as_mut()
            .filter(|worker| worker.id == id)
    }

    pub(super) fn send(&mut self, worker: WorkerId, id: WorkId) {
        let Some(item) = self.reactor.item(id) else {
            return;
        };
        let cargo = &item.cargo;
        let call = CallItem {
            work_id: id,
            attempt: item.attempt,
            task: cargo.entry.key,
            count: item.sent_count,
        };
        let payload = cargo.payload_of(item.next, item.sent_count, item.count);
        // The worker may look for more work when this is done, if the other workers and a thread of
        // this process leave a processor for it.
        let others = self.reactor.busy_and_idle().0.saturating_sub(1);
        let spin = if others + 1 < self.cores {
            SPIN
        } else {
            Duration::ZERO
        };
        // The queue-manager thread rings at the end of its nap. While it is awake it may be busy for
        // long, with a process to start or a line to hand on.
        let lazy = matches!(self.sleep, Sleep::Nap(_));
        self.with_link(worker, |link| {
            link.set_spin(spin);
            link.set_lazy(lazy);
            link.send_call(call, payload)
        });
    }

    /// Takes a call back that lies with a worker, if it has not started there.
    pub(super) fn revoke(&mut self, worker: WorkerId, id: WorkId, now: Duration) -> bool {
        let revoked = self
            .worker(worker)
            .is_some_and(|worker| worker.link.revoke(id));
        if revoked {
            self.reactor.revoked(worker, id, now, &mut self.effects);
        }
        revoked
    }

    /// Takes a call back for another worker, if it has not started.
    pub(super) fn take_back(&mut self, worker: WorkerId, id: WorkId, now: Duration) {
        if self
            .worker(worker)
            .is_some_and(|worker| worker.link.revoke(id))
        {
            self.reactor.taken_back(worker, id, now, &mut self.effects);
        }
    }

    /// Takes those of the calls back that have not started, for whoever is next.
    pub(super) fn reclaim(&mut self, worker: WorkerId, ids: Vec<WorkId>, now: Duration) {
        let Some(holder) = self.worker(worker) else {
            return;
        };
        let mut taken = ids;
        taken.retain(|&id| holder.link.revoke(id));
        self.reactor
            .reclaimed(worker, &taken, now, &mut self.effects);
    }

    /// Measures the memory of a worker that is ready or has done a call, when somebody wants to
    /// know it.
    pub(super) fn measure(&mut self, id: WorkerId, message: &FromWorker, now: Duration) {
        let sent = match message {
            FromWorker::Ready => 0,
            FromWorker::Result(result) => match &result.outcome {
                // Segments are shared, and count as no worker's own.
                CallOutcome::Value(value) => value.bytes().len() as u64,
                CallOutcome::Values { bytes, .. } => bytes.len() as u64,
                _ => 0,
            },
            _ => return,
        };
        if self.reactor.wants_memory_of(id, now)
            && let Some(worker) = self.worker(id)
            && let Ok(memory) = procfs::memory(worker.pid)
        {
            // The worker frees a result only once it has sent it.
            let own = memory.private.saturating_sub(sent);
            self.reactor.has_memory(id, own, now, &mut self.effects);
        }
    }

    /// Uses the link of a worker. A link that fails is the business of its exit: the worker is
    /// gone, or is made to go.
    pub(super) fn with_link(
        &mut self,
        id: WorkerId,
        action: impl FnOnce(&mut dyn Link) -> io::Result<()>,
    ) {
        let Some(worker) = self.worker(id) else {
            return;
        };
        // A link that fails is closed, which is seen when it is driven.
        if action(worker.link.as_mut()).is_ok() {
            self.watch(id);
        }
    }

    /// Takes over a process that was started.
    pub(super) fn adopt(&mut self, id: WorkerId, started: Started) -> Result<(), NotStarted> {
        let engine = self
            .engine
            .as_ref()
            .expect("only the queue-manager thread starts workers");
        let poller = &engine.io.poller;
        let Started {
            pid,
            exit_watch,
            link,
        } = started;
        let watched = poller
            .add(&exit_watch, Token::Exit(id).encode(), Interest::READ)
            .and_then(|()| {
                poller
                    .add(&link, Token::Link(id).encode(), Interest::READ)
                    .inspect_err(|_| {
                        let _ = poller.remove(&exit_watch);
                    })
            });
        if let Err(source) = watched {
            return Err(NotStarted::ending(&exit_watch, "watch the process", source));
        }
        let slot = id.slot.0 as usize;
        if self.workers.len() <= slot {
            self.workers.resize_with(slot + 1, || None);
        }
        self.workers[slot] = Some(Worker {
            id,
            pid,
            exit_watch,
            link,
            watched: Some(false),
            finalizer: Finalizer::NotYet,
        });
        Ok(())
    }

    /// Watches a link for writing while it holds something that could not be written.
    pub(super) fn watch(&mut self, id: WorkerId) {
        let Some(engine) = &self.engine else {
            return;
        };
        let poller = &engine.io.poller;
        let Some(worker) = self
            .workers
            .get_mut(id.slot.0 as usize)
            .and_then(Option::as_mut)
            .filter(|worker| worker.id == id)
        else {
            return;
        };
        let writing = worker.link.wants_write();
        if worker.watched.is_some_and(|watched| watched != writing) {
            let interest = if writing {
                Interest::BOTH
            } else {
                Interest::READ
            };
            if poller
                .modify(&worker.link, Token::Link(id).encode(), interest)
                .is_ok()
            {
                worker.watched = Some(writing);
            }
        }
    }

    /// Watches the link of a worker no more: it is closed, and would be reported for ever.
    pub(super) fn unwatch(&mut self, id: WorkerId) {
        let Some(engine) = &self.engine else {
            return;
        };
        let poller = &engine.io.poller;
        if let Some(worker) = self
            .workers
            .get_mut(id.slot.0 as usize)
            .and_then(Option::as_mut)
            .filter(|worker| worker.id == id)
            && worker.watched.take().is_some()
        {
            let _ = poller.remove(&worker.link);
        }
    }
}
