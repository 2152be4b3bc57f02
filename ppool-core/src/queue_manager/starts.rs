//! What processes are started with, and what becomes of those that could not be started.

use std::{io, os::fd::OwnedFd};

use super::{
    QueueManager,
    core::Core,
    worker::{NotStarted, Started},
};
use crate::{
    error::BrokenPool,
    ids::WorkerId,
    output::Output,
    supervise::Launched,
    wire::{Boot, WorkerLimits},
};

impl QueueManager {
    /// A process that was started, with its link; or its end, when it can't have one.
    pub(super) fn linked(&self, launched: Launched) -> Result<Started, NotStarted> {
        match self.transport.link(launched.socket) {
            Ok(link) => Ok(Started {
                pid: launched.pid,
                exit_watch: launched.exit_watch,
                link,
            }),
            Err(error) => Err(NotStarted::ending(
                &launched.exit_watch,
                "make the link",
                error,
            )),
        }
    }

    /// What a worker is told first. One that is forked has the directory and the preload of its
    /// template.
    pub(super) fn boot_of(&self, worker: WorkerId) -> Boot {
        let forked = self.settings.limits.forked;
        let boot = &self.settings.boot;
        Boot {
            worker,
            pool: boot.pool.clone(),
            preload: boot.preload.as_ref().filter(|_| !forked).cloned(),
            initializer: boot.initializer.clone(),
            finalizer: boot.finalizer.clone(),
            limits: boot.limits.clone(),
            output: boot.output,
            current_dir: boot.current_dir.as_ref().filter(|_| !forked).cloned(),
            parent_pid: boot.parent_pid,
        }
    }

    /// What a template is told first.
    pub(super) fn boot_of_template(&self) -> Boot {
        let boot = &self.settings.boot;
        Boot {
            worker: WorkerId::default(),
            pool: boot.pool.clone(),
            preload: boot.preload.clone(),
            initializer: None,
            finalizer: None,
            // They are those of its copies.
            limits: WorkerLimits::default(),
            // Lines are told apart by their worker and call, and it has none.
            output: match boot.output {
                Output::Capture => Output::Inherit,
                output => output,
            },
            current_dir: boot.current_dir.clone(),
            parent_pid: boot.parent_pid,
        }
    }

    /// Copies of the descriptors that go with [`QueueManager::boot_of_template`].
    pub(super) fn descriptors_of_template(&self) -> io::Result<Vec<OwnedFd>> {
        let [preload, ..] = &self.settings.descriptors;
        preload.iter().map(OwnedFd::try_clone).collect()
    }

    /// Copies of the descriptors that go with [`QueueManager::boot_of`].
    pub(super) fn boot_descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        let forked = usize::from(self.settings.limits.forked);
        let own = self.settings.descriptors[forked..].iter().flatten();
        own.map(OwnedFd::try_clone).collect()
    }

    /// There is no template to fork these workers from.
    pub(super) fn spawns_failed(&self, workers: &[WorkerId], cause: BrokenPool, lasts: bool) {
        let now = self.now();
        let mut core = self.lock();
        let Core {
            reactor, effects, ..
        } = &mut *core;
        reactor.spawns_failed(workers, cause, lasts, now, effects);
        self.settle(core);
    }

    /// The worker was stopped before it had a process.
    pub(super) fn withdrawn(&self, worker: WorkerId) {
        let now = self.now();
        let mut core = self.lock();
        let Core {
            reactor, effects, ..
        } = &mut *core;
        reactor.withdrawn(worker, now, effects);
        self.settle(core);
    }

    /// The processes of all workers.
    pub(super) fn pids(&self) -> Vec<u32> {
        let core = self.lock();
        core.workers
            .iter()
            .flatten()
            .map(|worker| worker.pid)
            .collect()
    }
}
