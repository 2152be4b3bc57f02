//! Many calls of one task: `map`, `imap`, `imap_unordered`.
//!
//! ```text
//!  inputs ──pull, encode──► chunk ──submit──► workers ──► Gather ──take, decode──► the caller
//!     ▲                                                                               │
//!     └──── no more than a window ahead of what was taken ◄───────────────────────────┘
//! ```

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    gather::{Chunk, Gather, Order},
    handle::{Pool, PoolParts},
    options::Options,
};
use crate::{
    codec::{ArgList, ChunkWriter, Encoder, IntoArgs},
    error::{EncodeError, TaskError, TaskErrorKind},
    future::{Hook, Hooks, Outcome, ResultReader, SharedOutcome, panic_message},
    ids::WorkId,
    link::Payload,
    queue_manager::{Cargo, Refusal, Sink},
    task::Task,
};

/// How many inputs `map` has in flight at the most: enough to keep every worker busy, few enough
/// that a million inputs don't lie in the queue at once.
const MAP_WINDOW: usize = 4096;
/// The least window of `imap`.
const LEAST_WINDOW: usize = 32;

/// The results of a task over many inputs, as they are asked for: what [`Pool::imap`] and
/// [`Pool::imap_unordered`] give.
///
/// It pulls inputs only a bounded window ahead of what was taken from it, on the thread that
/// iterates. Dropping it cancels the calls that have not started.
#[must_use = "no input is pulled until the iterator is asked for results"]
pub struct Imap<T: Task, I: Iterator> {
    pub(super) pool: Arc<PoolParts>,
    task: std::marker::PhantomData<T>,
    options: Options<T::Output>,
    /// `None` once they have ended, or the pool takes no more.
    pub(super) inputs: Option<I>,
    pub(super) gather: Arc<Gather>,
    /// The index of the next input.
    pub(super) pulled: u64,
    pub(super) taken: u64,
    pub(super) window: usize,
    pub(super) chunk_size: usize,
    in_flight: VecDeque<(WorkId, Arc<Chunk>)>,
    pub(super) reader: ResultReader<T::Output>,
}

impl<T: Task, I: Iterator> fmt::Debug for Imap<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap")
            .field("task", &T::entry().name)
            .field("pulled", &self.pulled)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

impl<T: Task, I: Iterator<Item: IntoArgs<T::Args>>> Imap<T, I> {
    pub(super) fn ordered(pool: &Pool, task: T, options: Options<T::Output>, inputs: I) -> Self {
        Self::new(pool, task, options, inputs, Order::OfInputs)
    }

    pub(super) fn unordered(pool: &Pool, task: T, options: Options<T::Output>, inputs: I) -> Self {
        Self::new(pool, task, options, inputs, Order::AsTheyCome)
    }

    fn new(pool: &Pool, _task: T, options: Options<T::Output>, inputs: I, order: Order) -> Self {
        let chunk_size = options.chunk_size.unwrap_or(1);
        let window = match options.window {
            // What is pulled ahead would run ahead too.
            _ if pool.parts.manager.runs_here() => chunk_size,
            Some(window) => window,
            None => (4 * pool.max_workers())
                .max(LEAST_WINDOW)
                .max(2 * chunk_size),
        };
        Imap {
            pool: Arc::clone(&pool.parts),
            task: std::marker::PhantomData,
            options,
            inputs: Some(inputs),
            gather: Gather::new(order),
            pulled: 0,
            taken: 0,
            window,
            chunk_size,
            in_flight: VecDeque::new(),
            reader: ResultReader::new(WorkId::default(), T::entry(), T::output_lane()),
        }
    }

    /// All results, in order; at the first failure that comes, the rest is cancelled.
    pub(super) fn collect_all(mut self) -> Result<Vec<T::Output>, TaskError> {
        if self.options.window.is_none() && !self.pool.manager.runs_here() {
            self.window = MAP_WINDOW.max(2 * self.chunk_size);
        }
        let expected = self
            .inputs
            .as_ref()
            .map_or(0, |inputs| inputs.size_hint().0);
        let mut results = Vec::with_capacity(expected.min(1 << 20));
        loop {
            self.feed();
            if self.open() == 0 {
                return Ok(results);
            }
            let bytes = self.gather.take_or_fail()?;
            self.taken += 1;
            results.push(self.reader.decode(&bytes)?);
        }
    }

    /// Pulls and submits inputs until the window is full.
    fn feed(&mut self) {
        while self.open() < self.window as u64 {
            let Some(mut inputs) = self.inputs.take() else {
                return;
            };
            let room = self.window as u64 - self.open();
            let size = (self.chunk_size as u64).min(room);
            let more = self.feed_chunk(&mut inputs, size);
            if more {
                self.inputs = Some(inputs);
            }
        }
    }

    /// Pulls up to `size` inputs and submits them together. False when there are no more inputs, or
    /// no more are wanted.
    fn feed_chunk(&mut self, inputs: &mut I, size: u64) -> bool {
        let Filled {
            chunk,
            failed,
            mut more,
        } = fill::<T, _>(inputs, size);
        if chunk.count() > 0 && !self.submit(chunk) {
            more = false;
        }
        if let Some(error) = failed {
            self.refuse(error);
        }
        more
    }

    fn hook(&self) -> Option<Box<dyn Fn() -> Hook + Send + Sync>> {
        let callbacks = &self.options.callbacks;
        (!callbacks.is_none(&self.pool.callbacks)).then(|| {
            let callbacks = callbacks.clone();
            let pool = Arc::clone(&self.pool.callbacks);
            let reader = self.reader;
            Box::new(move || callbacks.hook(&pool, reader)) as _
        })
    }

    /// Submits a chunk; waits for room. False when the pool takes no more.
    fn submit(&mut self, chunk: ChunkWriter) -> bool {
        let mut parcel = self.parcel(chunk);
        loop {
            parcel = match self.try_send(parcel, true) {
                Sent::Yes => return true,
                Sent::Refused => return false,
                Sent::Full(parcel) => parcel,
            };
        }
    }

    /// A chunk, ready to be sent.
    pub(super) fn parcel(&mut self, chunk: ChunkWriter) -> Parcel {
        let count = chunk.count();
        let payload = Arc::new(chunk.into_bytes());
        let chunk = Arc::new(Chunk {
            gather: Arc::clone(&self.gather),
            base: self.pulled,
            open: AtomicU32::new(count),
            hook: self.hook(),
        });
        self.pulled += u64::from(count);
        Parcel { chunk, payload }
    }

    /// Submits what was made ready; when the queue is full and `wait` is not set, gives it back.
    pub(super) fn try_send(&mut self, parcel: Parcel, wait: bool) -> Sent {
        let Parcel { chunk, payload } = parcel;
        let count = chunk.open.load(Ordering::Relaxed);
        let cargo = Cargo {
            entry: T::entry(),
            payload: Arc::clone(&payload),
            sink: Arc::clone(&chunk) as _,
        };
        let terms = self.pool.terms(T::entry(), &self.options, count);
        match self.pool.manager.submit(cargo, terms, wait) {
            Ok(id) => {
                while self
                    .in_flight
                    .front()
                    .is_some_and(|(_, chunk)| chunk.is_done())
                {
                    self.in_flight.pop_front();
                }
                // Chunks that end out of order may not pile up behind one that runs long.
                if self.in_flight.len() > 2 * self.window {
                    self.in_flight.retain(|(_, chunk)| !chunk.is_done());
                }
                self.in_flight.push_back((id, chunk));
                Sent::Yes
            }
            Err(refused) => {
                let kind = match refused.why {
                    Refusal::Full if !wait => return Sent::Full(Parcel { chunk, payload }),
                    Refusal::Broken(cause) => TaskErrorKind::PoolBroken(cause),
                    Refusal::Full | Refusal::Closed => TaskErrorKind::PoolClosed,
                };
                let error = TaskError::new(T::entry().name, WorkId::default(), false, kind);
                for index in 0..count {
                    if let Some(hooks) = chunk.resolve(index, Outcome::Error(error.clone())) {
                        hooks.run(self.pool.manager.callbacks());
                    }
                }
                Sent::Refused
            }
        }
    }

    /// How many results are still to be taken.
    pub(super) fn open(&self) -> u64 {
        self.pulled - self.taken
    }

    /// The result of a call that has ended.
    pub(super) fn result_of(&mut self, outcome: Outcome) -> Result<T::Output, TaskError> {
        self.taken += 1;
        match outcome {
            Outcome::Value(bytes) => self.reader.decode(&bytes),
            Outcome::Error(error) => Err(error),
        }
    }

    /// An input can't be encoded: it fails in its place; its neighbours don't.
    pub(super) fn refuse(&mut self, error: EncodeError) {
        let kind = TaskErrorKind::Encode(error);
        let error = TaskError::new(T::entry().name, WorkId::default(), false, kind);
        let index = self.pulled;
        self.pulled += 1;
        // Nobody waits: this thread is the one that would.
        let waker = self.gather.put(index, Outcome::Error(error.clone()));
        drop(waker);
        if let Some(hook) = self.hook() {
            let hooks = Hooks::callback(hook(), SharedOutcome::Error(error));
            hooks.run(self.pool.manager.callbacks());
        }
    }
}

/// A chunk that is ready to be sent.
pub(super) struct Parcel {
    chunk: Arc<Chunk>,
    payload: Payload,
}

/// What became of a chunk.
pub(super) enum Sent {
    Yes,
    /// The pool takes no more; its calls have failed.
    Refused,
    /// There is no room; here it is.
    Full(Parcel),
}

impl<T: Task, I: Iterator<Item: IntoArgs<T::Args>>> Iterator for Imap<T, I> {
    type Item = Result<T::Output, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.feed();
        if self.open() == 0 {
            return None;
        }
        let outcome = match self.gather.try_take() {
            Some(outcome) => outcome,
            None => self.gather.take(),
        };
        Some(self.result_of(outcome))
    }
}

impl<T: Task, I: Iterator> Drop for Imap<T, I> {
    fn drop(&mut self) {
        let open = self
            .in_flight
            .drain(..)
            .filter(|(_, chunk)| !chunk.is_done());
        self.pool.manager.cancel_all(open.map(|(id, _)| id));
    }
}

/// Inputs that were encoded together.
pub(super) struct Filled {
    pub(super) chunk: ChunkWriter,
    /// The input after them could not be encoded.
    pub(super) failed: Option<EncodeError>,
    /// Whether there may be more inputs.
    pub(super) more: bool,
}

/// Pulls up to `size` inputs and encodes them.
pub(super) fn fill<T: Task, I>(inputs: &mut I, size: u64) -> Filled
where
    I: Iterator<Item: IntoArgs<T::Args>>,
{
    let mut filled = Filled {
        chunk: ChunkWriter::new(size > 1),
        failed: None,
        more: true,
    };
    let lanes = T::lanes();
    while u64::from(filled.chunk.count()) < size {
        let Some(args) = inputs.next() else {
            filled.more = false;
            break;
        };
        let encode = |encoder: &mut Encoder| encode_item::<T, _>(&args, &lanes, encoder);
        if let Err(error) = filled.chunk.write(encode) {
            filled.failed = Some(error);
            break;
        }
    }
    filled
}

/// Encodes one input. A `Serialize` that fails or panics is an error of that input.
pub(super) fn encode_item<T: Task, A: IntoArgs<T::Args>>(
    args: &A,
    lanes: &<T::Args as ArgList>::Lanes,
    encoder: &mut Encoder,
) -> Result<(), EncodeError> {
    let encoded = catch_unwind(AssertUnwindSafe(|| args.encode_args(lanes, encoder)));
    let message = match encoded {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.0,
        Err(panic) => format!("its Serialize panicked: {}", panic_message(&*panic)),
    };
    let parameter = T::entry().parameter(encoder.parameter()).unwrap_or("?");
    Err(EncodeError::new(T::entry().name, Some(parameter), &message))
}
