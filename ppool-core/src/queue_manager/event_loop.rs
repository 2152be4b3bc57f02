//! The queue-manager thread: the only place of a pool that waits.
//!
//! It wakes for four reasons: a worker's link has something, somebody submitted or shut down (the
//! wake-up), a worker has exited (its pidfd), a deadline has passed. With nothing of that, it
//! sleeps and makes no system call. In a burst of small calls it naps instead: it looks again after a
//! millisecond, and workers don't ring for it.
//!
//! QM-2: interest in a process's exit is registered before anything is asked of it, and the
//! wake-up is level-triggered, so that nothing that happens between a look and the sleep is lost.

use std::{sync::Arc, time::Duration};

use super::{
    QueueManager, core::Sleep, engine::EngineIo, template::TemplateKeeper, token::Token,
    worker::NotStarted,
};
use crate::{ids::WorkerId, supervise, sys::epoll::Events};

/// How long the thread lies down while results come by the dozen. Nobody rings for it meanwhile: a
/// wake-up for each of them would cost more than the calls.
const NAP: Duration = Duration::from_millis(1);

/// Runs until the pool has ended.
pub(super) fn run(manager: &Arc<QueueManager>, io: &EngineIo) {
    let mut events = Events::with_capacity(64);
    let mut templates = TemplateKeeper::default();
    loop {
        let printed = manager.printed.as_ref();
        let rest = printed.and_then(|printed| printed.rests_until(io, manager.now()));
        let timeout = {
            let mut core = manager.lock();
            if manager.may_end(&core) {
                break;
            }
            let naps = core.may_nap(manager.now());
            let nothing = naps || core.leave_links();
            let deadlines = [
                core.reactor.next_deadline(),
                templates.next_deadline(),
                rest,
                naps.then(|| manager.now() + NAP),
            ];
            if core.has_processes_to_tend() || !nothing {
                Some(Duration::ZERO)
            } else if let Some(deadline) = deadlines.into_iter().flatten().min() {
                core.sleep = match naps {
                    true => Sleep::Nap(deadline),
                    false => Sleep::Until(deadline),
                };
                Some(deadline.saturating_sub(manager.now()))
            } else {
                core.sleep = Sleep::Forever;
                None
            }
        };
        let timeout = manager.trim_segments(timeout);
        // It fails only for descriptors that are not open, which `EngineIo` rules out.
        let waited = io.poller.wait(&mut events, timeout);
        debug_assert!(waited.is_ok(), "{waited:?}");
        let mut core = manager.lock();
        core.sleep = Sleep::Awake;
        core.tend_links();
        let mut has_printed = false;
        let mut of_the_template = Vec::new();
        for event in events.iter() {
            match Token::decode(event.token) {
                Token::Wakeup => {
                    io.wakeup.clear();
                }
                Token::Link(worker) => manager.drive_link(&mut core, worker),
                Token::Exit(worker) => manager.worker_exited(&mut core, worker),
                Token::Output => has_printed = true,
                Token::Template(event, generation) => of_the_template.push((event, generation)),
            }
        }
        manager.look(&mut core);
        let now = manager.now();
        core.tick(now);
        let spawns = std::mem::take(&mut core.spawns);
        let stopped = std::mem::take(&mut core.stopped_early);
        manager.settle(core);
        if let Some(printed) = printed {
            if has_printed {
                printed.read(io, manager.now());
            }
            printed.hand_on();
        }
        if manager.settings.limits.forked {
            templates.turn(manager, io, of_the_template, stopped, spawns);
        } else {
            for worker in spawns {
                start(manager, worker);
            }
        }
    }
    templates.end();
    manager.end();
}

impl QueueManager {
    /// Frees segments that nothing needed for a while; says how long to sleep at most when there are
    /// others.
    fn trim_segments(&self, timeout: Option<Duration>) -> Option<Duration> {
        let again = self.segments.as_ref().and_then(|segments| segments.trim());
        match (timeout, again) {
            (Some(timeout), Some(again)) => Some(timeout.min(again)),
            (timeout, again) => timeout.or(again),
        }
    }
}

/// Starts the process of a worker: here, because a worker's life is bound to the thread that forks
/// it, and without the lock, because it takes a millisecond.
fn start(manager: &QueueManager, worker: WorkerId) {
    let started = match supervise::launch(&manager.settings.launch, worker) {
        Ok(launched) => manager.linked(launched),
        Err(error) => {
            let lasts = !error.is_shortage();
            let (what, source) = error.into_parts();
            Err(NotStarted {
                what,
                source,
                lasts,
            })
        }
    };
    manager.launched(worker, started);
}
