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
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicU32},
};

use super::{
    gather::{Chunk, Gather, Order, Piece},
    handle::{Pool, PoolParts},
    options::Options,
    pace::{FULL, Pace},
};
use crate::{
    codec::{ArgList, ChunkWriter, Encoder, IntoArgs, Values},
    error::{EncodeError, TaskError, TaskErrorKind},
    future::{Hook, Hooks, Outcome, ResultReader, SharedOutcome, panic_message},
    ids::WorkId,
    queue_manager::{Cargo, Refusal, Sink},
    task::Task,
};

/// How many chunks of its own size a map has in flight for each worker: one that runs, one that
/// waits behind it, one on its way.
const CHUNKS_PER_WORKER: usize = 3;
/// How many inputs `map` has in flight at the least when the size of its chunks is fixed.
const MAP_WINDOW: usize = 4096;
/// The same of `imap`.
const LEAST_WINDOW: usize = 32;

/// The results of a task over many inputs, as they are asked for: what [`Pool::imap`] and
/// [`Pool::imap_unordered`] give.
///
/// It pulls inputs only a bounded window ahead of what was taken from it, on the thread that
/// iterates. Dropping it cancels the calls that have not started.
#[must_use = "no input is pulled until the iterator is asked for results"]
pub struct Imap<T: Task, I: Iterator> {
    pool: Arc<PoolParts>,
    task: PhantomData<T>,
    options: Options<T::Output>,
    /// `None` once they have ended, or the pool takes no more.
    inputs: Option<I>,
    gather: Arc<Gather>,
    /// The index of the next input.
    pulled: u64,
    taken: u64,
    /// The values that came together with the one that was taken last.
    values: Values,
    pace: Arc<Pace>,
    workers: usize,
    /// The least window.
    least_window: usize,
    in_flight: VecDeque<(WorkId, Arc<Chunk>)>,
    reader: ResultReader<T::Output>,
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
        Imap {
            pool: Arc::clone(&pool.parts),
            task: PhantomData,
            options,
            inputs: Some(inputs),
            gather: Gather::new(order),
            pulled: 0,
            taken: 0,
            values: Values::default(),
            pace: Arc::default(),
            workers: pool.max_workers(),
            least_window: LEAST_WINDOW,
            in_flight: VecDeque::new(),
            reader: ResultReader::new(WorkId::default(), T::entry(), T::output_lane()),
        }
    }

    /// All results, in order; at the first failure that comes, the rest is cancelled.
    pub(super) fn collect_all(mut self) -> Result<Vec<T::Output>, TaskError> {
        self.least_window = MAP_WINDOW;
        let inputs = self.inputs.as_ref();
        let expected = inputs.map_or(0, |inputs| inputs.size_hint().0);
        let mut results = Vec::with_capacity(expected.min(1 << 20));
        while let Some(result) = self.next_result(true) {
            results.push(result?);
        }
        Ok(results)
    }

    /// The next result; with `fail_fast`, the first failure of any input as soon as it has come.
    fn next_result(&mut self, fail_fast: bool) -> Option<Result<T::Output, TaskError>> {
        if let Some(bytes) = self.values.take() {
            self.taken += 1;
            return Some(self.reader.decode(bytes));
        }
        self.feed();
        if self.taken == self.pulled {
            return None;
        }
        match self.gather.take(fail_fast) {
            Piece::Values(values) => {
                self.values = values;
                self.next_result(fail_fast)
            }
            Piece::Error(error) => {
                self.taken += 1;
                Some(Err(error))
            }
        }
    }

    /// How many inputs travel together now.
    fn chunk_size(&self) -> u64 {
        match self.options.chunk_size {
            Some(size) => size as u64,
            None => {
                let left = self.inputs.as_ref().and_then(|inputs| inputs.size_hint().1);
                let left = left.map(|left| left as u64);
                self.pace.chunk_size(left, self.workers as u64)
            }
        }
    }

    /// How many inputs may have been pulled that were not taken.
    fn window(&self, chunk_size: u64) -> u64 {
        let chunks = (CHUNKS_PER_WORKER * self.workers) as u64 * chunk_size;
        match (self.options.window, self.options.chunk_size) {
            (Some(window), _) => window as u64,
            (None, Some(_)) => chunks.max(self.least_window as u64),
            (None, None) => chunks,
        }
    }

    /// Pulls and submits inputs until the window is full.
    fn feed(&mut self) {
        loop {
            let size = self.chunk_size();
            let waiting = self.pulled - self.taken;
            let room = self.window(size).saturating_sub(waiting);
            // A small rest of room is left until it is a chunk, or nothing else is to be done.
            if room == 0 || (room < size && waiting > 0) {
                return;
            }
            let Some(mut inputs) = self.inputs.take() else {
                return;
            };
            if self.feed_chunk(&mut inputs, size.min(room)) {
                self.inputs = Some(inputs);
            }
        }
    }

    /// Pulls up to `size` inputs and submits them together. False when there are no more inputs, or
    /// no more are wanted.
    fn feed_chunk(&mut self, inputs: &mut I, size: u64) -> bool {
        let mut chunk = ChunkWriter::new(size > 1);
        let mut failed = None;
        let mut more = true;
        let lanes = T::lanes();
        // Only a size that somebody has asked for is kept whatever the inputs take.
        let full = match self.options.chunk_size {
            Some(_) => usize::MAX,
            None => FULL,
        };
        while u64::from(chunk.count()) < size && chunk.byte_len() < full {
            let Some(args) = inputs.next() else {
                more = false;
                break;
            };
            if let Err(error) = chunk.write(|encoder| encode_item::<T, _>(&args, &lanes, encoder)) {
                failed = Some(TaskErrorKind::Encode(error));
                break;
            }
        }
        if chunk.count() > 0 && !self.submit(chunk) {
            more = false;
        }
        if let Some(kind) = failed {
            // An input that can't be encoded fails in its place; its neighbours don't.
            let error = TaskError::new(T::entry().name, WorkId::default(), false, kind);
            let index = self.pulled;
            self.pulled += 1;
            self.gather.put(index, Piece::Error(error.clone()));
            if let Some(hook) = self.hook() {
                let hooks = Hooks::callback(hook(), SharedOutcome::Error(error));
                hooks.run(self.pool.manager.callbacks());
            }
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

    /// Submits a chunk. False when the pool takes no more.
    fn submit(&mut self, chunk: ChunkWriter) -> bool {
        let count = chunk.count();
        let payload = Arc::new(chunk.into_bytes());
        let chunk = Arc::new(Chunk {
            gather: Arc::clone(&self.gather),
            base: self.pulled,
            open: AtomicU32::new(count),
            count,
            pace: Arc::clone(&self.pace),
            hook: self.hook(),
        });
        self.pulled += u64::from(count);
        let cargo = Cargo {
            entry: T::entry(),
            payload,
            sink: Arc::clone(&chunk) as _,
        };
        let terms = self.pool.terms(T::entry(), &self.options, count);
        match self.pool.manager.submit(cargo, terms, true) {
            Ok(id) => {
                while self
                    .in_flight
                    .front()
                    .is_some_and(|(_, chunk)| chunk.is_done())
                {
                    self.in_flight.pop_front();
                }
                // Chunks that end out of order may not pile up behind one that runs long.
                if self.in_flight.len() == self.in_flight.capacity() {
                    self.in_flight.retain(|(_, chunk)| !chunk.is_done());
                }
                self.in_flight.push_back((id, chunk));
                true
            }
            Err(refused) => {
                let kind = match refused.why {
                    Refusal::Broken(cause) => TaskErrorKind::PoolBroken(cause),
                    Refusal::Full | Refusal::Closed => TaskErrorKind::PoolClosed,
                };
                let error = TaskError::new(T::entry().name, WorkId::default(), false, kind);
                let mut hooks = Vec::new();
                for index in 0..count {
                    chunk.resolve(index, Outcome::Error(error.clone()), &mut hooks);
                }
                for hook in hooks {
                    hook.run(self.pool.manager.callbacks());
                }
                false
            }
        }
    }
}

impl<T: Task, I: Iterator<Item: IntoArgs<T::Args>>> Iterator for Imap<T, I> {
    type Item = Result<T::Output, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_result(false)
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
