//! The queue manager as pools and futures see it: calls go in, lives end, numbers come out.

use std::{
    fmt,
    os::fd::OwnedFd,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Cargo,
    core::{Core, Era, Sleep},
    effect::{Effect, Refusal},
    in_process::InProcess,
    printed::{Printed, TakeLine},
    reactor::{Cancel, Limits, Reactor, Terms},
};
use crate::{
    codec::segment::Segments,
    future::{CallControl, CallState, CallbackRunner, Callbacks},
    ids::WorkId,
    link::{SegmentPool, Transport},
    output::Output,
    supervise::LaunchConfig,
    wire::Boot,
};

/// How long a thread that waits for a call looks after the links before it sleeps: some times what
/// waking a thread on another processor costs.
const HELP: Duration = Duration::from_micros(50);
/// How often it looks at the call between two looks at the links.
const LOOKS: u32 = 16;

/// What a pool's builder settled.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) limits: Limits,
    pub(crate) launch: LaunchConfig,
    /// What every worker is told first; `worker` is filled in for each.
    pub(crate) boot: Boot,
    /// What goes with it: the descriptors of the preload's arguments, of the initializer's, and of
    /// the finalizer's.
    pub(crate) descriptors: [Vec<OwnedFd>; 3],
    pub(crate) callbacks: Callbacks,
    /// Whether calls run in this process, on the threads that submit them.
    pub(crate) in_process: bool,
    /// How many processors there are.
    pub(crate) cores: usize,
}

/// The state behind a pool, shared by its handle, its futures and the queue-manager thread.
pub(crate) struct QueueManager {
    pub(crate) settings: Settings,
    /// How calls travel.
    pub(super) transport: Transport,
    /// Where large arguments go, when the transport can hand them over.
    pub(super) segments: Option<Arc<SegmentPool>>,
    pub(super) core: Mutex<Core>,
    /// A place in the queue has become free, or will never.
    pub(super) room: Condvar,
    /// Calls have ended, while there are onlookers.
    progress: Condvar,
    /// The queue-manager thread has ended.
    pub(super) ended: Condvar,
    pub(super) callbacks: CallbackRunner,
    /// There when what workers print is captured.
    pub(super) printed: Option<Printed>,
    pub(super) epoch: Instant,
    /// The process that started the queue-manager thread: a fork of it has no such thread.
    pub(super) owner: AtomicU32,
    /// There when calls run in this process.
    pub(super) in_process: Option<InProcess>,
}

impl QueueManager {
    /// The state of a pool that has not started anything.
    pub(crate) fn new(settings: Settings, take_line: Option<TakeLine>) -> Arc<Self> {
        let captures = settings.boot.output == Output::Capture && !settings.in_process;
        let transport = Transport::from_environment();
        // A pool that runs its calls itself hands no memory over.
        let segments = match settings.in_process {
            true => None,
            false => transport.segments().map(Arc::new),
        };
        Arc::new(QueueManager {
            transport,
            segments,
            core: Mutex::new(Core::new(
                settings.limits,
                transport.call_queue(),
                settings.cores,
            )),
            room: Condvar::new(),
            progress: Condvar::new(),
            ended: Condvar::new(),
            callbacks: CallbackRunner::new(settings.callbacks),
            printed: captures.then(|| Printed::new(take_line)),
            epoch: Instant::now(),
            owner: AtomicU32::new(0),
            in_process: settings.in_process.then(InProcess::default),
            settings,
        })
    }

    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        // Nothing that panics runs under the lock; were it to happen, the state is still whole.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where large arguments can be encoded to.
    pub(crate) fn segments(&self) -> Option<Arc<dyn Segments>> {
        let segments = self.segments.as_ref()?;
        Some(Arc::clone(segments) as _)
    }

    /// The thread of the callbacks.
    pub(crate) fn callbacks(&self) -> &CallbackRunner {
        &self.callbacks
    }

    // ------------------------------------------------------------------ calls

    /// Takes in a call; when the queue is full and `wait` is set, waits for room.
    pub(crate) fn submit(
        self: &Arc<Self>,
        cargo: Cargo,
        terms: Terms,
        wait: bool,
    ) -> Result<WorkId, Refusal> {
        if let Some(in_process) = &self.in_process {
            return self.run_here(in_process, cargo, terms);
        }
        let mut core = self.lock();
        loop {
            match core.reactor.admits() {
                Ok(()) => break,
                Err(Refusal::Full) if wait => {
                    core.waiting_for_room += 1;
                    core.end_nap();
                    core = self.room.wait(core).unwrap_or_else(PoisonError::into_inner);
                    core.waiting_for_room -= 1;
                }
                Err(why) => return Err(why),
            }
        }
        self.start_engine(&mut core)?;
        let now = self.now();
        let Core {
            reactor, effects, ..
        } = &mut *core;
        let submitted = reactor.submit(cargo, terms, now, effects);
        if core.burst.call_submitted() {
            self.look(&mut core);
        }
        self.settle(core);
        submitted.map_err(|(_, why)| why)
    }

    /// Takes in a call for every worker, of which `make` gives the cargo for each.
    pub(crate) fn broadcast(
        self: &Arc<Self>,
        terms: Terms,
        mut make: impl FnMut() -> Cargo,
    ) -> Result<Vec<WorkId>, Refusal> {
        if let Some(in_process) = &self.in_process {
            return self.run_here(in_process, make(), terms).map(|id| vec![id]);
        }
        let mut core = self.lock();
        if let Err(why) = core.reactor.admits()
            && !matches!(why, Refusal::Full)
        {
            return Err(why);
        }
        self.start_engine(&mut core)?;
        let now = self.now();
        let Core {
            reactor, effects, ..
        } = &mut *core;
        let calls = reactor.broadcast(terms, now, effects, make);
        self.settle(core);
        calls
    }

    /// Whether a call would be accepted now.
    pub(crate) fn admits(&self) -> Result<(), Refusal> {
        self.lock().reactor.admits()
    }

    /// Whether the queue has room; when not, `waker` is woken when it has.
    #[cfg(feature = "stream")]
    pub(crate) fn poll_room(&self, waker: &std::task::Waker) -> bool {
        // Cloning and dropping a waker is user code, so neither is done under the lock.
        let waker = waker.clone();
        let mut core = self.lock();
        let is_full = matches!(core.reactor.admits(), Err(Refusal::Full));
        let is_known = core.room_wakers.iter().any(|known| known.will_wake(&waker));
        if is_full && !is_known {
            core.room_wakers.push(waker);
        }
        !is_full
    }

    /// Takes the call back if it has not started.
    pub(crate) fn cancel(&self, id: WorkId) -> bool {
        let mut core = self.lock();
        let Core {
            reactor, effects, ..
        } = &mut *core;
        let cancelled = match reactor.cancel(id, effects) {
            Cancel::Done => true,
            Cancel::TooLate => false,
            Cancel::Ask(worker) => core.revoke(worker, id, self.now()),
        };
        self.settle(core);
        cancelled
    }

    /// Takes back those of the calls that have not started. None of them starts meanwhile.
    pub(crate) fn cancel_all(&self, ids: impl Iterator<Item = WorkId>) {
        let mut core = self.lock();
        for id in ids {
            let Core {
                reactor, effects, ..
            } = &mut *core;
            if let Cancel::Ask(worker) = reactor.cancel(id, effects) {
                core.revoke(worker, id, self.now());
            }
        }
        self.settle(core);
    }

    /// Stops the call, also when it runs. False when it is resolved already.
    pub(crate) fn kill(&self, id: WorkId) -> bool {
        let now = self.now();
        let mut core = self.lock();
        let Core {
            reactor, effects, ..
        } = &mut *core;
        let killed = match reactor.cancel(id, effects) {
            Cancel::Done => true,
            Cancel::TooLate => false,
            Cancel::Ask(worker) => {
                core.revoke(worker, id, now) || {
                    // It has started, so what the worker did before is there to be taken.
                    self.look(&mut core);
                    let Core {
                        reactor, effects, ..
                    } = &mut *core;
                    reactor.kill(worker, id, now, effects)
                }
            }
        };
        self.settle(core);
        killed
    }

    /// A thread that waits for results has nothing else to do. In a burst it looks after the links now and
    /// then, since the queue-manager thread naps: this looks, and says whether it is one.
    pub(crate) fn look_in_burst(&self) -> bool {
        let mut core = self.lock();
        let naps = matches!(core.sleep, Sleep::Nap(_));
        if naps {
            self.look(&mut core);
            self.settle(core);
        }
        naps
    }

    // ------------------------------------------------------------------ life

    /// Accepts no more calls; gives the era whose end can be [waited for](QueueManager::join).
    pub(crate) fn close(&self) -> Era {
        self.change(self.lock(), |reactor, now, effects| {
            reactor.close(now, effects);
        })
    }

    /// Cancels every call that has not started.
    pub(crate) fn cancel_pending(&self) {
        let mut core = self.lock();
        let Core {
            reactor, effects, ..
        } = &mut *core;
        reactor.cancel_pending(effects);
        // Calls may lie with workers that have not started them.
        for (worker, id) in core.reactor.in_flight() {
            core.revoke(worker, id, self.now());
        }
        self.room.notify_all();
        self.settle(core);
    }

    /// Ends everything now.
    pub(crate) fn terminate(&self) -> Era {
        self.terminate_core(self.lock())
    }

    pub(super) fn terminate_core(&self, core: MutexGuard<'_, Core>) -> Era {
        self.change(core, |reactor, now, effects| {
            reactor.terminate(now, effects);
        })
    }

    /// There are to be so many workers from now on.
    pub(crate) fn resize(&self, min_workers: u32, max_workers: u32) {
        if self.runs_here() {
            return;
        }
        self.change(self.lock(), |reactor, now, effects| {
            reactor.resize(min_workers, max_workers, now, effects);
        });
    }

    fn change(
        &self,
        mut core: MutexGuard<'_, Core>,
        event: impl FnOnce(&mut Reactor<Cargo>, Duration, &mut Vec<Effect<Cargo>>),
    ) -> Era {
        let now = self.now();
        let era = core.era;
        let Core {
            reactor, effects, ..
        } = &mut *core;
        event(reactor, now, effects);
        self.room.notify_all();
        self.settle(core);
        era
    }

    /// Has the callbacks of all calls run, on this thread where they wait to be asked for; waits
    /// for calls that are not resolved. False at `deadline`.
    pub(crate) fn process_all(&self, deadline: Instant) -> bool {
        loop {
            let seen = self.lock().hook_runs;
            self.callbacks.process(None);
            let mut core = self.lock();
            while core.hook_runs == seen && !core.is_quiet() {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return false;
                }
                core.onlookers += 1;
                core.end_nap();
                core = self
                    .progress
                    .wait_timeout(core, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
                core.onlookers -= 1;
            }
            if core.hook_runs == seen {
                drop(core);
                return self.callbacks.wait_until_idle(Some(deadline));
            }
        }
    }

    pub(super) fn tell_onlookers(&self, core: &Core) {
        if core.onlookers > 0 {
            self.progress.notify_all();
        }
    }

    /// Waits until an era of the pool, which was closed in it, has ended: every call resolved,
    /// every worker gone, every callback run. Returns false at `deadline`.
    ///
    /// On the thread of the callbacks it doesn't wait for those, since it is in one of them; on the
    /// queue-manager thread, where the waker of a future may drop a pool, it can't wait for anything:
    /// the pool then ends by itself.
    pub(crate) fn join(&self, era: Era, deadline: Option<Instant>) -> bool {
        let mut core = self.lock();
        if self.is_manager_thread(&core) || self.is_forked() {
            return core.has_ended || core.era != era;
        }
        if let Some(in_process) = &self.in_process {
            return self.join_here(in_process, core, era, deadline);
        }
        let takes_lines = self
            .printed
            .as_ref()
            .is_some_and(Printed::is_current_thread);
        let in_callback = self.callbacks.is_current_thread() || takes_lines;
        while !(core.has_ended || in_callback && core.stopped) {
            if core.era != era {
                return true;
            }
            core = match self.wait_for_change(core, deadline) {
                Some(core) => core,
                None => return false,
            };
        }
        if in_callback || core.era != era {
            return true;
        }
        let thread = core.engine.take().and_then(|engine| engine.thread);
        drop(core);
        if let Some(thread) = thread {
            // It has said that it is at its end; this waits until the thread itself is gone.
            let _ = thread.join();
        }
        true
    }

    /// Waits until the pool is nearer to its end, perhaps; `None` at `deadline`.
    pub(super) fn wait_for_change<'a>(
        &self,
        core: MutexGuard<'a, Core>,
        deadline: Option<Instant>,
    ) -> Option<MutexGuard<'a, Core>> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match left {
            None => Some(
                self.ended
                    .wait(core)
                    .unwrap_or_else(PoisonError::into_inner),
            ),
            Some(Duration::ZERO) => None,
            Some(left) => {
                let woken = self.ended.wait_timeout(core, left);
                Some(woken.unwrap_or_else(PoisonError::into_inner).0)
            }
        }
    }

    pub(super) fn is_manager_thread(&self, core: &Core) -> bool {
        let here = thread::current().id();
        core.engine.as_ref().is_some_and(|engine| engine.id == here)
    }

    /// Whether this is a forked copy of the process that the pool belongs to: nothing of the pool
    /// works here.
    pub(crate) fn is_forked(&self) -> bool {
        let owner = self.owner.load(Ordering::Relaxed);
        owner != 0 && owner != std::process::id()
    }

    /// The queue-manager thread is about to end; false while others still run hooks of the pool.
    pub(super) fn may_end(&self, core: &Core) -> bool {
        core.stopped && core.running_hooks == 0
    }

    /// The last thing that the queue-manager thread does.
    pub(super) fn end(&self) {
        if let Some(printed) = &self.printed {
            printed.end();
        }
        // Callbacks that are asked for run on the thread that asks, at the latest when it joins.
        if !self.callbacks.is_polled() {
            self.callbacks.drain_and_stop();
        }
        let mut core = self.lock();
        core.has_ended = true;
        self.ended.notify_all();
    }

    // ------------------------------------------------------------------ looking

    /// The process ids of the workers that take calls or will.
    pub(crate) fn worker_pids(&self) -> Vec<u32> {
        let core = self.lock();
        core.workers
            .iter()
            .flatten()
            .filter(|worker| !core.reactor.is_going(worker.id))
            .map(|worker| worker.pid)
            .collect()
    }

    /// How many workers there are at the least, and how many there may be.
    pub(crate) fn min_and_max(&self) -> (usize, usize) {
        if self.runs_here() {
            // The calling process takes the place of the workers.
            return (1, 1);
        }
        let (min, max) = self.lock().reactor.min_and_max();
        (min as usize, max as usize)
    }

    /// How many workers run a call, and how many are ready for one.
    pub(crate) fn busy_and_idle(&self) -> (usize, usize) {
        self.lock().reactor.busy_and_idle()
    }

    /// How many calls wait for a worker, and how many are not resolved.
    pub(crate) fn pending_and_unresolved(&self) -> (usize, usize) {
        let core = self.lock();
        (core.reactor.pending(), core.reactor.unresolved())
    }
}

impl fmt::Debug for QueueManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("QueueManager");
        out.field("name", &self.settings.name);
        if let Ok(core) = self.core.try_lock() {
            let (busy, idle) = core.reactor.busy_and_idle();
            out.field("workers", &core.workers.iter().flatten().count())
                .field("busy", &busy)
                .field("idle", &idle)
                .field("pending", &core.reactor.pending())
                .field("unresolved", &core.reactor.unresolved())
                .field("broken", &core.reactor.broken());
        }
        out.finish_non_exhaustive()
    }
}

impl CallControl for QueueManager {
    fn cancel(&self, id: WorkId, _state: &CallState) -> bool {
        QueueManager::cancel(self, id)
    }

    fn kill(&self, id: WorkId, _state: &CallState) -> bool {
        QueueManager::kill(self, id)
    }

    fn cancel_all(&self, ids: &[WorkId]) {
        QueueManager::cancel_all(self, ids.iter().copied());
    }

    fn callbacks(&self) -> &CallbackRunner {
        &self.callbacks
    }

    /// Looks after the links itself for a bounded while, if a processor is free for that: then the
    /// worker, which still spins too, and this thread meet without a system call.
    fn help_until_done(&self, state: &CallState, deadline: Option<Instant>) {
        if self.transport == Transport::Socket {
            return;
        }
        let mut core = self.lock();
        // A processor for each worker that is busy, and one for this thread.
        if core.reactor.busy_and_idle().0 >= self.settings.cores {
            core.ring();
            return;
        }
        let start = Instant::now();
        let end = deadline.map_or(start + HELP, |deadline| deadline.min(start + HELP));
        core.helpers += 1;
        core.tend_links();
        loop {
            self.look(&mut core);
            self.settle(core);
            for _ in 0..LOOKS {
                if state.is_done() {
                    break;
                }
                std::hint::spin_loop();
            }
            core = self.lock();
            if state.is_done() || Instant::now() >= end {
                break;
            }
        }
        core.helpers -= 1;
        if core.helpers == 0 && core.sleep != Sleep::Awake {
            // The queue-manager thread sleeps: a worker has to wake it from now on.
            self.look(&mut core);
            if !core.leave_links()
                && let Some(engine) = &core.engine
            {
                engine.io.wakeup.wake();
            }
        }
        self.settle(core);
    }
}
