//! What comes from workers: processes that start, messages, ends.

use std::{os::fd::OwnedFd, time::Duration};

use super::{
    QueueManager,
    core::Core,
    worker::{NotStarted, Started},
};
use crate::{
    error::{BrokenPool, ExitHow, WorkerExit},
    ids::{WorkId, WorkerId},
    link::{LinkState, Started as CallStarted},
    sys::{pidfd::Exit, signal},
    task::Registry,
    wire::{FromWorker, Hello, PROTOCOL},
};

impl QueueManager {
    /// A process was started, or could not be.
    pub(super) fn launched(&self, id: WorkerId, started: Result<Started, NotStarted>) {
        let now = self.now();
        let mut core = self.lock();
        let adopted = started.and_then(|started| {
            let with_output = |mut descriptors: Vec<OwnedFd>| {
                if let Some(printed) = &self.printed {
                    descriptors.extend(printed.open(id, started.pid)?);
                }
                Ok(descriptors)
            };
            let own = self.boot_descriptors();
            let descriptors = own.and_then(with_output).map_err(|source| {
                NotStarted::ending(&started.exit_watch, "hand over descriptors", source)
            })?;
            core.adopt(id, started).map(|()| descriptors)
        });
        let boot = self.boot_of(id);
        let Core {
            reactor, effects, ..
        } = &mut *core;
        match adopted {
            Ok(descriptors) => {
                reactor.launched(id, now, effects);
                core.with_link(id, |link| link.send_boot(&boot, descriptors));
            }
            Err(NotStarted {
                what,
                source,
                lasts,
            }) => {
                let message = format!("a worker process could not be started: failed to {what}");
                let cause = BrokenPool::with_source(message, source);
                reactor.spawn_failed(id, cause, lasts, now, effects);
            }
        }
        self.settle(core);
    }

    /// Takes what a worker's link has, and writes what it still holds.
    pub(super) fn drive_link(&self, core: &mut Core, id: WorkerId) {
        let mut messages = Vec::new();
        let Some(worker) = core.worker(id) else {
            return;
        };
        let state = worker.link.drive(&mut messages);
        self.messages(core, id, messages.into_iter());
        match state {
            Ok(LinkState::Open) => core.watch(id),
            // A link that fails is of no more use than a closed one.
            Ok(LinkState::Closed) | Err(_) => self.link_closed(core, id),
        }
    }

    /// Takes what all links have that can be had without a system call.
    pub(super) fn look(&self, core: &mut Core) {
        for slot in 0..core.workers.len() {
            let Some(worker) = core.workers[slot]
                .as_mut()
                .filter(|worker| worker.is_linked())
            else {
                continue;
            };
            let id = worker.id;
            let mut messages = std::mem::take(&mut core.messages);
            let taken = worker.link.take_results(&mut messages);
            if !messages.is_empty() {
                self.messages(core, id, messages.drain(..));
            }
            core.messages = messages;
            if taken.is_err() {
                self.link_closed(core, id);
            }
        }
    }

    /// Has the worker stop this item, unless the item has ended by itself meanwhile.
    pub(super) fn stop(&self, core: &mut Core, worker: WorkerId, id: WorkId) {
        for behind in core.reactor.behind(worker) {
            core.take_back(worker, behind, self.now());
        }
        self.look(core);
        if let Some(item) = core
            .reactor
            .stop_item(worker)
            .filter(|item| item.work_id == id)
        {
            core.with_link(worker, |link| link.send_stop(item));
            return;
        }
        let now = self.now();
        let Core {
            reactor, effects, ..
        } = core;
        reactor.spared(worker, now, effects);
    }

    /// The other end of a link is closed: the process has ended, or is of no more use.
    fn link_closed(&self, core: &mut Core, id: WorkerId) {
        core.unwatch(id);
        let now = self.now();
        let Core {
            reactor, effects, ..
        } = core;
        reactor.link_closed(id, now, effects);
    }

    /// The process of a worker has ended.
    pub(super) fn worker_exited(&self, core: &mut Core, id: WorkerId) {
        let mut messages = Vec::new();
        let Some(worker) = core.worker(id) else {
            return;
        };
        // What it sent before it died comes first; what can't be understood of it is lost with it.
        let _ = worker.link.take_rest(&mut messages);
        self.messages(core, id, messages.into_iter());
        let running = core.reactor.running(id);
        if self.settings.boot.limits.own_group
            && let Some(worker) = core.worker(id)
        {
            // As long as it is not reaped, nobody else has its number.
            signal::kill_group(worker.pid);
        }
        let printed = self.printed.as_ref();
        let stderr_tail = printed.and_then(|printed| printed.finish(id));
        let Some(worker) = core.worker(id) else {
            return;
        };
        let status = match worker.exit_watch.try_wait() {
            Ok(Some(exit)) => exit,
            Ok(None) => return,
            Err(_) => Exit {
                how: ExitHow::Unknown,
                peak_memory: None,
            },
        };
        let exit = WorkerExit {
            worker: id,
            pid: worker.pid,
            how: status.how,
            task: None,
            peak_memory: status.peak_memory,
            stderr_tail,
        };
        let started = match running.and_then(|id| worker.link.started(id)) {
            Some(started) => started != CallStarted::No,
            // The transport can't tell of calls; it knows whether the last was read.
            None => !worker.link.is_unread(),
        };
        if running.is_none() {
            self.finalizer_missed(core, id, &exit);
        }
        core.unwatch(id);
        core.workers[id.slot.0 as usize] = None;
        let now = self.now();
        let Core {
            reactor, effects, ..
        } = core;
        reactor.exited(id, &exit, started, now, effects);
    }

    /// A worker's messages have come, all of them now.
    fn messages(&self, core: &mut Core, id: WorkerId, messages: impl Iterator<Item = FromWorker>) {
        let now = self.now();
        for message in messages {
            self.message(core, id, message, now);
        }
    }

    fn message(&self, core: &mut Core, id: WorkerId, message: FromWorker, now: Duration) {
        core.measure(id, &message, now);
        let Core {
            reactor, effects, ..
        } = &mut *core;
        match message {
            FromWorker::Hello(hello) => {
                if let Err(cause) = check_hello(&hello) {
                    reactor.start_failed(id, cause, now, effects);
                }
            }
            FromWorker::Ready => reactor.joined(id, now, effects),
            FromWorker::StartFailed(message) => {
                let cause = BrokenPool::new(format!("a worker could not start: {message}"));
                reactor.start_failed(id, cause, now, effects);
            }
            FromWorker::Result(result) => {
                core.burst.result_came();
                self.result(core, id, result, now);
            }
            FromWorker::FinalizerFailed(message) => self.finalizer_ended(core, id, Some(message)),
            FromWorker::Bye => self.finalizer_ended(core, id, None),
            // The last two are a template's.
            FromWorker::Doorbell
            | FromWorker::Descriptors
            | FromWorker::Forked { .. }
            | FromWorker::NotForked { .. } => {}
        }
    }
}

pub(super) fn check_hello(hello: &Hello) -> Result<(), BrokenPool> {
    let fingerprint = Registry::get().map_err(BrokenPool::new)?.fingerprint();
    if hello.protocol != PROTOCOL || hello.fingerprint != fingerprint {
        return Err(BrokenPool::new(
            "a worker process is not the same program as its parent: its tasks or its protocol \
             differ",
        ));
    }
    Ok(())
}
