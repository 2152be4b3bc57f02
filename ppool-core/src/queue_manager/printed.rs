//! What workers print, where the pool captures it: on the queue-manager thread, and without a thread
//! for each worker.
//!
//! ```text
//!  worker 0: stdout, stderr ─┐
//!  worker 1: stdout, stderr ─┴─► Outlets ─► whole lines ─► a thread: on_output, or print
//! ```
//!
//! # Failure
//!
//! QM-1: nothing here waits for a worker, nor for whoever takes the lines. One that is slower than
//! the workers print costs lines, which are counted, and no memory beyond [`MOST_WAITING`].

use std::{
    fmt,
    io::{self, Write},
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{engine::EngineIo, outlets::Outlets, token::Token};
use crate::{
    future::{CallbackRunner, Callbacks, contained},
    ids::WorkerId,
    output::{OutputLine, OutputStream},
    sys::epoll::Interest,
};

/// How many bytes of lines may wait for whoever takes them.
const MOST_WAITING: usize = 4 << 20;

/// What takes a line.
pub(crate) type TakeLine = Arc<dyn Fn(&OutputLine) + Send + Sync>;

/// What workers print, from their pipes to whoever takes it.
pub(super) struct Printed {
    /// There while there is a queue-manager thread, and used only by it.
    outlets: Mutex<Option<Outlets>>,
    lost: Mutex<Lost>,
    taker: LineTaker,
}

/// Hands lines on to the thread that takes them.
struct LineTaker {
    runner: CallbackRunner,
    take: TakeLine,
    waiting: Arc<AtomicUsize>,
}

impl Printed {
    /// Lines go to `take`, or else are printed.
    pub(super) fn new(take: Option<TakeLine>) -> Self {
        Printed {
            outlets: Mutex::new(None),
            lost: Mutex::default(),
            taker: LineTaker::new(take),
        }
    }

    fn outlets(&self) -> MutexGuard<'_, Option<Outlets>> {
        self.outlets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A queue-manager thread begins.
    pub(super) fn start(&self, io: &EngineIo) -> io::Result<()> {
        let outlets = Outlets::new()?;
        let token = Token::Output.encode();
        io.poller.add(outlets.poller(), token, Interest::READ)?;
        *self.outlets() = Some(outlets);
        Ok(())
    }

    /// Makes the pipes of a new worker, and gives the ends that it writes to.
    pub(super) fn open(&self, worker: WorkerId, pid: u32) -> io::Result<[OwnedFd; 2]> {
        match &mut *self.outlets() {
            Some(outlets) => outlets.open(worker, pid),
            None => Err(io::Error::other("there is no queue-manager thread")),
        }
    }

    /// Workers have printed something.
    pub(super) fn read(&self, io: &EngineIo, now: Duration) {
        if let Some(outlets) = &mut *self.outlets() {
            outlets.read(now);
            if outlets.resting().is_some() {
                // It fails only for a set that was not added.
                let token = Token::Output.encode();
                let _ = io.poller.modify(outlets.poller(), token, Interest::NONE);
            }
        }
    }

    /// Before the queue-manager thread sleeps: when it is to look at the pipes again, if it must not
    /// before.
    pub(super) fn rests_until(&self, io: &EngineIo, now: Duration) -> Option<Duration> {
        let mut outlets = self.outlets();
        let outlets = outlets.as_mut()?;
        let until = outlets.resting()?;
        if now < until {
            return Some(until);
        }
        outlets.wake_up();
        let token = Token::Output.encode();
        let _ = io.poller.modify(outlets.poller(), token, Interest::READ);
        None
    }

    /// A worker has ended: takes the rest of what it printed, and gives the end of its standard
    /// error.
    pub(super) fn finish(&self, worker: WorkerId) -> Option<String> {
        self.outlets().as_mut()?.finish(worker)
    }

    /// Hands on the lines that have come. Not under a lock: code of users may run.
    pub(super) fn hand_on(&self) {
        let lines = self.outlets().as_mut().map(Outlets::take_lines);
        let accepted = {
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            self.taker.admit(lines.unwrap_or_default(), &mut lost)
        };
        self.taker.take(accepted);
    }

    /// The queue-manager thread is at its end: waits until all lines are taken.
    pub(super) fn end(&self) {
        self.hand_on();
        *self.outlets() = None;
        self.taker.runner.drain_and_stop();
    }

    /// After the end: there will be more.
    pub(super) fn reopen(&self) {
        self.taker.runner.reopen();
    }

    /// Whether this is the thread that takes lines.
    pub(super) fn is_current_thread(&self) -> bool {
        self.taker.runner.is_current_thread()
    }
}

impl LineTaker {
    fn new(take: Option<TakeLine>) -> Self {
        LineTaker {
            runner: CallbackRunner::new(Callbacks::Background),
            take: take.unwrap_or_else(|| Arc::new(print)),
            waiting: Arc::default(),
        }
    }

    /// Those of the lines for which there is room.
    fn admit(&self, lines: Vec<OutputLine>, lost: &mut Lost) -> Vec<OutputLine> {
        let mut accepted = Vec::with_capacity(lines.len());
        let mut size = 0;
        for mut line in lines {
            let cost = cost(&line);
            let lost = lost.of(line.stream);
            if self.waiting.load(Relaxed) + size + cost > MOST_WAITING {
                *lost += 1;
                continue;
            }
            line.lost_before = std::mem::take(lost);
            size += cost;
            accepted.push(line);
        }
        self.waiting.fetch_add(size, Relaxed);
        accepted
    }

    /// Has lines taken that were admitted.
    fn take(&self, accepted: Vec<OutputLine>) {
        if accepted.is_empty() {
            return;
        }
        let (take, waiting) = (Arc::clone(&self.take), Arc::clone(&self.waiting));
        self.runner.run(Box::new(move || {
            for line in accepted {
                waiting.fetch_sub(cost(&line), Relaxed);
                contained(|| take(&line));
            }
        }));
    }
}

/// What a line costs. What it takes besides its text counts too, or empty lines would be free.
fn cost(line: &OutputLine) -> usize {
    line.text.len() + size_of::<OutputLine>()
}

/// How many lines were thrown away and nobody was told yet.
#[derive(Debug, Default)]
struct Lost([u64; 2]);

impl Lost {
    fn of(&mut self, stream: OutputStream) -> &mut u64 {
        match stream {
            OutputStream::Stdout => &mut self.0[0],
            OutputStream::Stderr => &mut self.0[1],
        }
    }
}

/// Prints a line to this process's own stream of the same name, in one piece.
fn print(line: &OutputLine) {
    let text = format!("{line}\n");
    // That nobody listens is no reason to end the program.
    let _ = match line.stream {
        OutputStream::Stdout => io::stdout().lock().write_all(text.as_bytes()),
        OutputStream::Stderr => io::stderr().lock().write_all(text.as_bytes()),
    };
}

impl fmt::Debug for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Printed")
            .field("waiting", &self.taker.waiting)
            .finish_non_exhaustive()
    }
}
