//! Many calls of one task: `map`, `imap`, `imap_unordered`.
//!
//! ```text
//!  inputs ──pull, encode──► chunk ──submit──► workers ──► Gather ──take, decode──► the caller
//!     ▲                                                                               │
//!     └──── no more than a window ahead of what was taken ◄───────────────────────────┘
//! ```

use std::{collections::VecDeque, fmt, marker::PhantomData, sync::Arc, time::Duration};

use super::{
    chunk::{Chunk, Filled, fill},
    gather::{Gather, Order, Piece},
    handle::{Pool, PoolParts},
    options::{MakeHook, Options},
    pace::Pace,
};
use crate::{
    codec::{ChunkWriter, IntoArgs, Values},
    error::{EncodeError, TaskError, TaskErrorKind},
    future::{Hooks, ResultReader, SharedOutcome},
    ids::WorkId,
    queue_manager::{Cargo, Refusal},
    task::Task,
};

/// How long one who waits for results in a burst sleeps between two looks.
const NAP: Duration = Duration::from_micros(200);
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
    pub(super) pool: Arc<PoolParts>,
    task: PhantomData<T>,
    pub(super) options: Options<T::Output>,
    /// `None` once they have ended, or the pool takes no more.
    pub(super) inputs: Option<I>,
    pub(super) gather: Arc<Gather>,
    /// The index of the next input.
    pulled: u64,
    taken: u64,
    /// The values that came together with the one that was taken last.
    pub(super) values: Values,
    pace: Arc<Pace>,
    workers: usize,
    /// The least window.
    least_window: usize,
    in_flight: VecDeque<(WorkId, Arc<Chunk<Gather>>)>,
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
            reader: ResultReader::new(WorkId::default(), T::entry(), T::output_lane())
                .labelled(options.label),
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
            self.take_together(&mut results)?;
        }
        Ok(results)
    }

    /// Takes the values that came together with the one that was taken last, if they are of a fixed form.
    fn take_together(&mut self, results: &mut Vec<T::Output>) -> Result<(), TaskError> {
        let lane = T::output_lane();
        let left = self.values.left();
        if let Some(bytes) = lane.fixed_len().and_then(|len| self.values.take_all(len)) {
            self.taken += u64::from(left);
            self.reader.decode_each(&lane, bytes, left, results)?;
        }
        Ok(())
    }

    /// The next result; with `fail_fast`, the first failure of any input as soon as it has come.
    fn next_result(&mut self, fail_fast: bool) -> Option<Result<T::Output, TaskError>> {
        loop {
            if let Some(value) = self.next_value() {
                return Some(value);
            }
            self.feed();
            if self.open() == 0 {
                return None;
            }
            let piece = self.next_piece(fail_fast);
            if let Some(error) = self.holds(piece) {
                return Some(Err(error));
            }
        }
    }

    /// Waits for the next outcomes.
    fn next_piece(&self, fail_fast: bool) -> Piece {
        loop {
            if let Some(piece) = self.gather.try_take(fail_fast) {
                return piece;
            }
            let patience = self.pool.manager.look_in_burst().then_some(NAP);
            if let Some(piece) = self.gather.take(fail_fast, patience) {
                return piece;
            }
        }
    }

    /// The next of the values that came together.
    pub(super) fn next_value(&mut self) -> Option<Result<T::Output, TaskError>> {
        let value = self.values.take()?;
        self.taken += 1;
        Some(self.reader.decode(value))
    }

    /// Holds what has come, for `next_value`; a failure is given at once.
    pub(super) fn holds(&mut self, piece: Piece) -> Option<TaskError> {
        match piece {
            Piece::Values(values) => {
                self.values = values;
                None
            }
            Piece::Error(error) => {
                self.taken += 1;
                Some(self.reader.error(error))
            }
        }
    }

    /// How many results are still to be taken.
    pub(super) fn open(&self) -> u64 {
        self.pulled - self.taken
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
        if self.pool.manager.runs_here() {
            // What is pulled ahead would run ahead too.
            return chunk_size;
        }
        if let Some(window) = self.options.window {
            return window as u64;
        }
        let chunks = self.pace.chunks_in_flight(chunk_size) * self.workers as u64;
        let window = chunks.saturating_mul(chunk_size);
        match self.options.chunk_size {
            Some(_) => window.max(self.least_window as u64),
            None => window,
        }
    }

    /// How many inputs to pull and send together now; `None` when enough are under way.
    pub(super) fn wants(&self) -> Option<u64> {
        let size = self.chunk_size();
        let room = self.window(size).saturating_sub(self.open());
        // A small rest of room is left until it is a chunk, or nothing else is to be done.
        let enough = room == 0 || (room < size && self.open() > 0);
        (!enough).then(|| size.min(room))
    }

    /// Pulls and submits inputs until the window is full.
    fn feed(&mut self) {
        while let Some(size) = self.wants() {
            let Some(mut inputs) = self.inputs.take() else {
                return;
            };
            if self.feed_chunk(&mut inputs, size) {
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
        } = fill::<T, _>(
            &self.pool.manager,
            inputs,
            size,
            self.options.chunk_size.is_some(),
        );
        if chunk.count() > 0 && !self.submit(chunk) {
            more = false;
        }
        if let Some(error) = failed {
            self.refuse(error);
        }
        more
    }

    fn hook(&self) -> Option<MakeHook> {
        self.options.hooks(&self.pool.callbacks, self.reader)
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
        let payload = chunk.into_payload().into();
        let chunk = Chunk::new(&self.gather, self.pulled, count, &self.pace, self.hook());
        self.pulled += u64::from(count);
        let cargo = Cargo {
            entry: T::entry(),
            payload,
            sink: Arc::clone(&chunk) as _,
        };
        Parcel { chunk, cargo }
    }

    /// Submits what was made ready; when the queue is full and `wait` is not set, gives it back.
    pub(super) fn try_send(&mut self, parcel: Parcel, wait: bool) -> Sent {
        let Parcel { chunk, cargo } = parcel;
        let terms = self.pool.terms(T::entry(), &self.options, chunk.count());
        match self.pool.manager.submit(cargo.clone(), terms, wait) {
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
                Sent::Yes
            }
            Err(why) => {
                let kind = match why {
                    Refusal::Full if !wait => return Sent::Full(Parcel { chunk, cargo }),
                    why => TaskErrorKind::from(why),
                };
                let error = TaskError::new(T::entry().name, WorkId::default(), false, kind);
                chunk.refuse(&error, self.pool.manager.callbacks());
                Sent::Refused
            }
        }
    }

    /// An input can't be encoded: it fails in its place; its neighbours don't.
    pub(super) fn refuse(&mut self, error: EncodeError) {
        let kind = TaskErrorKind::Encode(error);
        let error = TaskError::new(T::entry().name, WorkId::default(), false, kind);
        let index = self.pulled;
        self.pulled += 1;
        let waker = self.gather.put(index, Piece::Error(error.clone()));
        // It is whoever pulls that would be woken.
        drop(waker);
        if let Some(hook) = self.hook() {
            let hooks = Hooks::callback(hook.make(), SharedOutcome::Error(error));
            hooks.run(self.pool.manager.callbacks());
        }
    }
}

/// A chunk that is ready to be sent.
pub(super) struct Parcel {
    chunk: Arc<Chunk<Gather>>,
    cargo: Cargo,
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
