//! Where callbacks run: on one thread of their own, or when they are asked for.
//!
//! ```text
//!   run(job) ──► queue (first in, first out) ──┬─ Background ─► thread "ppool-callbacks"
//!                                              └─ Polled ─────► process(max), on its caller
//! ```
//!
//! The thread is started by the first job, so a pool without callbacks has none. When it can't be
//! started, jobs run in place, on the thread that completed the call, rather than being lost; and
//! so do jobs that come after [`CallbackRunner::drain_and_stop`].
//!
//! Invariant: QM-1 ([`CallbackRunner::run`] never blocks). A job that panics harms nobody: the
//! usual panic hook reports it and the next job runs.

use std::{
    collections::VecDeque,
    fmt, io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle, ThreadId},
    time::Instant,
};

use super::park::{has_passed, lock, sleep};

/// Where the callbacks of a pool run.
///
/// ```
/// assert_eq!(ppool_core::Callbacks::default(), ppool_core::Callbacks::Background);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Callbacks {
    /// On one thread of their own, one after the other, as soon as a call has ended. The default.
    #[default]
    Background,
    /// Only inside the pool's `process_results` and `process_all_results`, on the thread that
    /// calls them; until then they wait.
    Polled,
}

/// One callback with what it gets.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

type StartThread = fn(Arc<Shared>) -> io::Result<JoinHandle<()>>;

/// Runs the callbacks of one pool, in the order in which their calls ended.
pub(crate) struct CallbackRunner {
    shared: Arc<Shared>,
}

/// What the runner and its thread share.
pub(super) struct Shared {
    queue: Mutex<Queue>,
    /// For the thread: there is a job, or the end.
    work: Condvar,
    /// For whoever waits for the thread: it has nothing to do, or has stopped.
    quiet: Condvar,
    start: StartThread,
}

struct Queue {
    jobs: VecDeque<Job>,
    mode: Callbacks,
    life: Life,
    /// The thread, once it was started. It serves until it stops; it never starts twice.
    thread: Option<ThreadId>,
    /// Taken by the one who joins the thread.
    handle: Option<JoinHandle<()>>,
    /// Whether the thread sleeps on `work`.
    asleep: bool,
    /// Whether the thread is inside a job.
    busy: bool,
    /// Whether somebody may sleep on `quiet`.
    onlookers: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Open,
    /// What is queued still runs, and what comes until the queue is empty.
    Stopping,
    /// Jobs run in place.
    Stopped,
}

impl CallbackRunner {
    /// A runner without a thread yet.
    pub(crate) fn new(mode: Callbacks) -> Self {
        CallbackRunner::with_start(mode, start)
    }

    pub(super) fn with_start(mode: Callbacks, start: StartThread) -> Self {
        CallbackRunner {
            shared: Arc::new(Shared {
                queue: Mutex::new(Queue {
                    jobs: VecDeque::new(),
                    mode,
                    life: Life::Open,
                    thread: None,
                    handle: None,
                    asleep: false,
                    busy: false,
                    onlookers: false,
                }),
                work: Condvar::new(),
                quiet: Condvar::new(),
                start,
            }),
        }
    }

    /// Queues a job, and has it run as the mode says. Runs it in place after the end.
    pub(crate) fn run(&self, job: Job) {
        let mut queue = self.shared.lock();
        if queue.life == Life::Stopped {
            drop(queue);
            return contained(job);
        }
        queue.jobs.push_back(job);
        if queue.mode == Callbacks::Background {
            self.shared.serve_in_background(queue);
        }
    }

    /// Whether jobs wait to be asked for.
    pub(crate) fn is_polled(&self) -> bool {
        self.shared.lock().mode == Callbacks::Polled
    }

    /// Runs what is queued now, at most `max` jobs, on this thread; how many it ran. Nothing in
    /// background mode. Several threads may do so at once, which then share the jobs.
    pub(crate) fn process(&self, max: Option<usize>) -> usize {
        let queue = self.shared.lock();
        if queue.mode == Callbacks::Background {
            return 0;
        }
        // Jobs that these jobs queue are left for the next time, or this might never end.
        let count = queue.jobs.len().min(max.unwrap_or(usize::MAX));
        drop(queue);
        self.shared.run_here(count)
    }

    /// Changes to background mode, for good; what is queued runs there.
    pub(crate) fn daemonize(&self) {
        let mut queue = self.shared.lock();
        queue.mode = Callbacks::Background;
        if !queue.jobs.is_empty() {
            self.shared.serve_in_background(queue);
        }
    }

    /// Waits until no job is queued or running in the background, or until `deadline`; whether
    /// that came about. It gives up at once where it would wait for itself: on the callback
    /// thread, and in polled mode.
    pub(crate) fn wait_until_idle(&self, deadline: Option<Instant>) -> bool {
        let mut queue = self.shared.lock();
        loop {
            if queue.jobs.is_empty() && !queue.busy {
                return true;
            }
            let nobody_else = queue.mode == Callbacks::Polled || queue.is_served_here();
            if nobody_else || has_passed(deadline) {
                return false;
            }
            queue.onlookers = true;
            queue = sleep(&self.shared.quiet, queue, deadline);
        }
    }

    /// Runs what is queued, then ends the thread and joins it; without a thread the jobs run here.
    ///
    /// On the callback thread itself it returns at once: the thread ends by itself when the queue
    /// is empty.
    pub(crate) fn drain_and_stop(&self) {
        let mut queue = self.shared.lock();
        while queue.thread.is_none() {
            if queue.jobs.is_empty() {
                queue.life = Life::Stopped;
                return;
            }
            drop(queue);
            self.shared.run_here(usize::MAX);
            queue = self.shared.lock();
        }
        if queue.life == Life::Open {
            queue.life = Life::Stopping;
        }
        self.shared.rouse(&mut queue);
        if queue.is_served_here() {
            return;
        }
        if let Some(handle) = queue.handle.take() {
            drop(queue);
            // The thread contains every panic, so this can't fail.
            let _ = handle.join();
            return;
        }
        // Somebody else joins it.
        while queue.life == Life::Stopping {
            queue.onlookers = true;
            queue = sleep(&self.shared.quiet, queue, None);
        }
    }

    /// After the end: accepts jobs again, for a thread of their own.
    pub(crate) fn reopen(&self) {
        let mut queue = self.shared.lock();
        if queue.life == Life::Stopped {
            queue.life = Life::Open;
            queue.thread = None;
            queue.handle = None;
            queue.asleep = false;
        }
    }

    /// Whether this is the callback thread.
    pub(crate) fn is_current_thread(&self) -> bool {
        self.shared.lock().is_served_here()
    }
}

impl Queue {
    fn is_served_here(&self) -> bool {
        self.thread == Some(thread::current().id())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Sees to it that the thread takes what is queued; without one, runs it here.
    fn serve_in_background(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>) {
        if queue.thread.is_some() {
            return self.rouse(&mut queue);
        }
        match (self.start)(Arc::clone(self)) {
            Ok(handle) => {
                queue.thread = Some(handle.thread().id());
                queue.handle = Some(handle);
            }
            Err(_) => {
                drop(queue);
                self.run_here(usize::MAX);
            }
        }
    }

    /// Wakes the thread, if it sleeps.
    fn rouse(&self, queue: &mut Queue) {
        if mem::take(&mut queue.asleep) {
            self.work.notify_one();
        }
    }

    fn run_here(&self, max: usize) -> usize {
        for count in 0..max {
            let Some(job) = self.lock().jobs.pop_front() else {
                return count;
            };
            contained(job);
        }
        max
    }

    /// What the thread does.
    pub(super) fn serve(&self) {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                queue.busy = true;
                drop(queue);
                contained(job);
                queue = self.lock();
                queue.busy = false;
                continue;
            }
            let stops = queue.life != Life::Open;
            if stops {
                queue.life = Life::Stopped;
            }
            if mem::take(&mut queue.onlookers) {
                self.quiet.notify_all();
            }
            if stops {
                return;
            }
            queue.asleep = true;
            queue = sleep(&self.work, queue, None);
        }
    }
}

impl Drop for CallbackRunner {
    /// Without [`CallbackRunner::drain_and_stop`] before: the thread runs what is queued and ends
    /// by itself; jobs that wait to be polled are dropped.
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        if queue.thread.is_some() {
            if queue.life == Life::Open {
                queue.life = Life::Stopping;
            }
            return self.shared.rouse(&mut queue);
        }
        queue.life = Life::Stopped;
        let jobs = mem::take(&mut queue.jobs);
        drop(queue);
        for job in jobs {
            contained(|| drop(job));
        }
    }
}

impl fmt::Debug for CallbackRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.shared.lock();
        f.debug_struct("CallbackRunner")
            .field("mode", &queue.mode)
            .field("queued", &queue.jobs.len())
            .finish_non_exhaustive()
    }
}

fn start(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("ppool-callbacks".to_owned())
        .spawn(move || shared.serve())
}

/// Runs code of the user, and contains a panic of it; the panic hook has reported it by then.
pub(crate) fn contained(user_code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(user_code)) {
        // What was thrown may throw again when it is dropped; then it is left where it is.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            #[expect(clippy::mem_forget, reason = "dropping it might panic without end")]
            mem::forget(again);
        }
    }
}
