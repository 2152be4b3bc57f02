//! What comes from workers: processes that start, messages, ends.

use super::{
    QueueManager,
    core::Core,
    outcome::outcome_of,
    reactor::Accepted,
    worker::{NotStarted, Started},
};
use crate::{
    codec::ChunkReader,
    error::{BrokenPool, ExitHow, WorkerExit},
    ids::WorkerId,
    link::LinkState,
    sys::pidfd::Exit,
    task::Registry,
    wire::{Boot, CallOutcome, FromWorker, Hello, PROTOCOL, ResultItem},
};

impl QueueManager {
    /// A process was started, or could not be.
    pub(super) fn launched(&self, id: WorkerId, started: Result<Started, NotStarted>) {
        let now = self.now();
        let mut core = self.lock();
        let adopted = started.and_then(|started| core.adopt(id, started));
        let boot = Boot {
            worker: id,
            ..self.settings.boot.clone()
        };
        let Core {
            reactor, effects, ..
        } = &mut *core;
        match adopted {
            Ok(()) => {
                reactor.launched(id, effects);
                core.with_link(id, |link| link.send_boot(&boot));
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
        for message in messages {
            self.message(core, id, message);
        }
        match state {
            Ok(LinkState::Open) => core.watch(id),
            // A link that fails is of no more use than a closed one.
            Ok(LinkState::Closed) | Err(_) => self.link_closed(core, id),
        }
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
        // What it sent before it died comes first; a grandchild may hold the other end open, so
        // the end of the stream is not waited for.
        loop {
            let Some(worker) = core.worker(id) else {
                return;
            };
            let mut messages = Vec::new();
            let state = worker.link.drive(&mut messages);
            let nothing = messages.is_empty();
            for message in messages {
                self.message(core, id, message);
            }
            if nothing || !matches!(state, Ok(LinkState::Open)) {
                break;
            }
        }
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
            stderr_tail: None,
        };
        let started = !worker.link.is_unread();
        core.unwatch(id);
        core.workers[id.slot.0 as usize] = None;
        let now = self.now();
        let Core {
            reactor, effects, ..
        } = core;
        reactor.exited(id, &exit, started, now, effects);
    }

    fn message(&self, core: &mut Core, id: WorkerId, message: FromWorker) {
        let now = self.now();
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
            FromWorker::Result(ResultItem {
                work_id,
                attempt,
                index,
                outcome: CallOutcome::Values { count, bytes, .. },
            }) => {
                let values = ChunkReader::new(&bytes).take(count as usize);
                for (index, value) in (index..).zip(values) {
                    let result = FromWorker::Result(ResultItem {
                        work_id,
                        attempt,
                        index,
                        outcome: CallOutcome::Value(value.to_vec()),
                    });
                    self.message(core, id, result);
                }
            }
            FromWorker::Result(result) => {
                let ResultItem {
                    work_id,
                    attempt,
                    index,
                    outcome,
                } = result;
                let accepted = reactor.result(id, work_id, attempt, index, now, effects);
                if let Some(Accepted::Value(cargo, index)) = accepted {
                    let outcome = outcome_of(cargo.entry, work_id, outcome);
                    core.hooks.extend(cargo.sink.resolve(index, outcome));
                }
            }
            FromWorker::Bye | FromWorker::Doorbell => {}
        }
    }
}

fn check_hello(hello: &Hello) -> Result<(), BrokenPool> {
    let fingerprint = Registry::get().map_err(BrokenPool::new)?.fingerprint();
    if hello.protocol != PROTOCOL || hello.fingerprint != fingerprint {
        return Err(BrokenPool::new(
            "a worker process is not the same program as its parent: its tasks or its protocol \
             differ",
        ));
    }
    Ok(())
}
