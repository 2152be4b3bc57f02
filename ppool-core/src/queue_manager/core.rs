//! Carries out what the reactor decides, under one lock, on whichever thread brought the event.
//!
//! A thread that submits takes the lock, tells the reactor, and writes the call into the worker's
//! link itself; only what must happen on the queue-manager thread (starting a process, watching a
//! new deadline) wakes that thread. No user code runs under the lock: what must run afterwards is
//! collected as [`Hooks`] and run when the lock is released.

use std::{sync::MutexGuard, task::Waker, time::Duration};

use super::{
    Cargo, LostCall, QueueManager,
    burst::Burst,
    effect::{Effect, Refusal, StopSignal},
    engine::Engine,
    finalizers::FinalizerFailures,
    outcome::task_error,
    reactor::{Limits, Reactor},
    worker::{Finalizer, Worker},
};
use crate::{
    future::{Hooks, Outcome},
    ids::WorkerId,
    wire::FromWorker,
};

/// A buffer for more effects than this is not kept: a shutdown may have had a million.
const MOST_KEPT: usize = 1024;

/// What the lock guards.
pub(super) struct Core {
    pub(super) reactor: Reactor<Cargo>,
    pub(super) effects: Vec<Effect<Cargo>>,
    /// A buffer for those that come while others are carried out.
    spare_effects: Vec<Effect<Cargo>>,
    /// What is to be run once the lock is released.
    pub(super) hooks: Vec<Hooks>,
    /// How many threads run such hooks now.
    pub(super) running_hooks: u32,
    /// By slot.
    pub(super) workers: Vec<Option<Worker>>,
    /// A buffer for what links bring.
    pub(super) messages: Vec<FromWorker>,
    /// How many threads look after the links for a while, because they wait for a call.
    pub(super) helpers: u32,
    pub(super) burst: Burst,
    /// How many processors there are.
    pub(super) cores: usize,
    /// Workers that the queue-manager thread has to start.
    pub(super) spawns: Vec<WorkerId>,
    /// Workers that are to be stopped and have no process yet.
    pub(super) stopped_early: Vec<(WorkerId, StopSignal)>,
    pub(super) engine: Option<Engine>,
    /// How often hooks were run.
    pub(super) hook_runs: u64,
    /// How many threads wait for calls to end.
    pub(super) onlookers: u32,
    /// How many threads wait for room.
    pub(super) waiting_for_room: u32,
    /// The async tasks that wait for room.
    pub(super) room_wakers: Vec<Waker>,
    /// Whether the queue-manager thread sleeps.
    pub(super) sleep: Sleep,
    /// Whether nothing is left to do for the queue-manager thread.
    pub(super) stopped: bool,
    /// Whether that thread has ended, and the callbacks with it.
    pub(super) has_ended: bool,
    /// Whether a thread is at the end of a pool that runs in this process.
    pub(super) ends_here: bool,
    /// When it is: the pool's first start, or a later one.
    pub(super) era: Era,
    /// The calls that `finalize` gave up, while it does.
    pub(super) lost: Option<Vec<LostCall>>,
    pub(super) finalizers: FinalizerFailures,
}

/// A time from a start of the pool to its end: who waits for the end waits for that of an era, since
/// another thread may have started the pool again before it looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Era(u64);

impl Era {
    pub(super) fn next(self) -> Era {
        Era(self.0 + 1)
    }
}

/// What the queue-manager thread does, as far as others have to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sleep {
    /// It works, and will look for spawns and deadlines before it sleeps.
    Awake,
    /// It sleeps, until this time at the latest.
    Until(Duration),
    /// It naps in a burst, until this time at the latest.
    Nap(Duration),
    /// It sleeps until something happens.
    Forever,
}

impl Core {
    pub(super) fn new(limits: Limits, call_queue: usize, cores: usize) -> Self {
        Core {
            reactor: Reactor::new(limits, call_queue),
            effects: Vec::new(),
            spare_effects: Vec::new(),
            hooks: Vec::new(),
            running_hooks: 0,
            workers: (0..limits.max_workers).map(|_| None).collect(),
            messages: Vec::new(),
            helpers: 0,
            burst: Burst::default(),
            cores,
            spawns: Vec::new(),
            stopped_early: Vec::new(),
            engine: None,
            hook_runs: 0,
            onlookers: 0,
            waiting_for_room: 0,
            room_wakers: Vec::new(),
            sleep: Sleep::Awake,
            stopped: false,
            has_ended: false,
            ends_here: false,
            era: Era::default(),
            lost: None,
            finalizers: FinalizerFailures::default(),
        }
    }

    /// Whether every call is resolved and what its end set off was handed on.
    pub(super) fn is_quiet(&self) -> bool {
        self.reactor.unresolved() == 0 && self.running_hooks == 0
    }

    /// Whether the queue-manager thread, which has nothing to do, may nap instead of sleeping.
    pub(super) fn may_nap(&mut self, now: Duration) -> bool {
        let is_awaited = self.waiting_for_room > 0 || self.onlookers > 0;
        let has_pending = self.reactor.pending() > 0;
        self.burst.allows_nap(now, is_awaited, has_pending)
    }

    /// Somebody waits for what the queue-manager thread does.
    pub(super) fn end_nap(&mut self) {
        if let (Sleep::Nap(_), Some(engine)) = (self.sleep, &self.engine) {
            engine.io.wakeup.wake();
        }
    }

    /// Says that nobody looks after the links until a worker rings. False when there is something to
    /// look after right now.
    pub(super) fn leave_links(&mut self) -> bool {
        let mut nothing = true;
        for worker in self
            .workers
            .iter_mut()
            .flatten()
            .filter(|worker| worker.is_linked())
        {
            worker.link.ring();
            nothing &= worker.link.prepare_sleep();
        }
        nothing
    }

    /// Wakes the workers that have calls before them and sleep.
    pub(super) fn ring(&mut self) {
        for worker in self.workers.iter_mut().flatten() {
            worker.link.ring();
        }
    }

    /// Says that somebody looks after the links, so that no worker need ring.
    pub(super) fn tend_links(&mut self) {
        for worker in self.workers.iter_mut().flatten() {
            worker.link.ring();
            worker.link.wake_up();
        }
    }

    /// Whether only the queue-manager thread can do what is to be done next.
    pub(super) fn has_processes_to_tend(&self) -> bool {
        !self.spawns.is_empty() || !self.stopped_early.is_empty()
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Duration) {
        self.reactor.tick(now, &mut self.effects);
    }
}

impl QueueManager {
    // ------------------------------------------------------------------ effects

    /// Carries out all effects, wakes who has to be woken, releases the lock, then runs the hooks.
    pub(super) fn settle(&self, mut core: MutexGuard<'_, Core>) {
        self.carry_out(&mut core);
        let has_onlookers = core.waiting_for_room > 0 || !core.room_wakers.is_empty();
        if has_onlookers && !matches!(core.reactor.admits(), Err(Refusal::Full)) {
            self.room.notify_all();
            let wakers = std::mem::take(&mut core.room_wakers);
            core.hooks.extend(wakers.into_iter().map(Hooks::waker));
        }
        if core.stopped && core.engine.is_none() {
            // No thread was ever started, so there is nothing to wait for; but a pool that runs its
            // calls itself says goodbye when it is joined.
            core.has_ended |= self.in_process.is_none();
            self.ended.notify_all();
        }
        if let Some(engine) = &core.engine {
            let wanted = match core.sleep {
                // It looks at everything once more before it sleeps.
                Sleep::Awake => false,
                _ if core.has_processes_to_tend() || core.stopped => true,
                Sleep::Forever => core.reactor.next_deadline().is_some(),
                Sleep::Until(until) | Sleep::Nap(until) => core
                    .reactor
                    .next_deadline()
                    .is_some_and(|deadline| deadline < until),
            };
            if wanted {
                engine.io.wakeup.wake();
            }
        }
        if core.hooks.is_empty() {
            self.tell_onlookers(&core);
            return;
        }
        let hooks = std::mem::take(&mut core.hooks);
        core.running_hooks += 1;
        drop(core);
        for hook in hooks {
            hook.run(&self.callbacks);
        }
        let mut core = self.lock();
        core.running_hooks -= 1;
        core.hook_runs += 1;
        self.tell_onlookers(&core);
        if core.running_hooks == 0
            && core.stopped
            && let Some(engine) = &core.engine
        {
            engine.io.wakeup.wake();
        }
    }

    fn carry_out(&self, core: &mut Core) {
        while !core.effects.is_empty() {
            let spare = std::mem::take(&mut core.spare_effects);
            let mut effects = std::mem::replace(&mut core.effects, spare);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Spawn(worker) => core.spawns.push(worker),
                    Effect::Send(worker, id) => core.send(worker, id),
                    Effect::Begins(id) => {
                        if let Some(item) = core.reactor.item(id) {
                            item.cargo.sink.starts();
                        }
                    }
                    Effect::Stop(worker, id) => self.stop(core, worker, id),
                    Effect::TakeBack(worker, id) => core.take_back(worker, id, self.now()),
                    Effect::Reclaim(worker, ids) => core.reclaim(worker, ids, self.now()),
                    Effect::SendSentinel(worker) => {
                        if let Some(worker) = core.worker(worker) {
                            worker.finalizer = Finalizer::Wanted;
                        }
                        core.with_link(worker, |link| link.send_sentinel());
                    }
                    Effect::Signal(worker, signal) => {
                        match core.worker(worker) {
                            Some(worker) => worker.signal(signal),
                            // Its process may not have been forked yet.
                            None if self.settings.limits.forked => {
                                core.stopped_early.push((worker, signal));
                            }
                            None => {}
                        }
                    }
                    Effect::Requeued(cargo) => cargo.sink.returns_to_pending(),
                    Effect::Fail {
                        cargo,
                        id,
                        calls,
                        failure,
                    } => {
                        if let Some(lost) = &mut core.lost {
                            lost.extend(LostCall::all_of(&cargo, id, &calls, &failure));
                        }
                        let error = task_error(&cargo, id, failure);
                        for index in calls {
                            let outcome = Outcome::Error(error.clone());
                            cargo.sink.resolve(index, outcome, &mut core.hooks);
                        }
                    }
                    Effect::Stopped => {
                        core.stopped = true;
                        self.ended.notify_all();
                    }
                }
            }
            if effects.capacity() <= MOST_KEPT {
                core.spare_effects = effects;
            }
        }
    }
}
