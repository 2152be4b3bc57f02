//! A map that is not waited for: all inputs are submitted at once, and a future stands for all
//! results.

use std::sync::Arc;

use super::{
    Pool, TaskCall,
    chunk::{Chunk, Filled, Gathers, fill},
    handle::PoolParts,
    options::Options,
    pace::Pace,
};
use crate::{
    codec::{IntoArgs, Payload, Values},
    error::{TaskError, TaskErrorKind},
    future::{CallControl, Hooks, MapFuture, MapState, ResultReader},
    ids::WorkId,
    queue_manager::Cargo,
    task::Task,
};

impl Pool {
    /// As [`map`](Pool::map), but returns the future of the results as soon as every input is
    /// submitted.
    ///
    /// All inputs are pulled and encoded here and now, on this thread, so they must come to an
    /// end; when as many calls wait as `queue_capacity` allows, it blocks until there is room. When
    /// a call fails meanwhile, the rest of the inputs is not pulled.
    pub fn map_async<T, I>(&self, task: T, inputs: I) -> MapFuture<T::Output>
    where
        T: Task,
        I: IntoIterator<Item: IntoArgs<T::Args>>,
    {
        self.task(task).map_async(inputs)
    }
}

impl<T: Task> TaskCall<'_, T> {
    /// As [`Pool::map_async`].
    pub fn map_async<I>(self, inputs: I) -> MapFuture<T::Output>
    where
        I: IntoIterator<Item: IntoArgs<T::Args>>,
    {
        let control = Arc::clone(&self.pool.parts.manager) as Arc<dyn CallControl>;
        let feeder = Feeder::<T> {
            pool: &self.pool.parts,
            options: &self.options,
            state: MapState::new(Arc::downgrade(&control)),
            pace: Arc::default(),
            reader: ResultReader::new(WorkId::default(), T::entry(), T::output_lane()),
        };
        feeder.feed(inputs.into_iter());
        MapFuture::new(feeder.state, control, feeder.reader)
    }
}

/// Submits the inputs of one map.
struct Feeder<'a, T: Task> {
    pool: &'a PoolParts,
    options: &'a Options<T::Output>,
    state: Arc<MapState>,
    pace: Arc<Pace>,
    reader: ResultReader<T::Output>,
}

impl<T: Task> Feeder<'_, T> {
    fn feed<I: Iterator<Item: IntoArgs<T::Args>>>(&self, mut inputs: I) {
        while !self.state.has_failed() {
            let size = self.chunk_size(inputs.size_hint().1);
            let Filled {
                chunk,
                failed,
                more,
            } = fill::<T, _>(
                &self.pool.manager,
                &mut inputs,
                size,
                self.options.chunk_size.is_some(),
            );
            if chunk.count() > 0 {
                self.submit(chunk.count(), chunk.into_payload());
            }
            if let Some(error) = failed {
                self.refuse(&self.chunk(1), TaskErrorKind::Encode(error));
            }
            if !more {
                break;
            }
        }
        self.state.completes().run(self.pool.manager.callbacks());
    }

    /// How many inputs travel together now, of so many that are left at the most.
    fn chunk_size(&self, left: Option<usize>) -> u64 {
        match self.options.chunk_size {
            Some(size) => size as u64,
            None => {
                let (_, workers) = self.pool.manager.min_and_max();
                let left = left.map(|left| left as u64);
                self.pace.chunk_size(left, workers as u64)
            }
        }
    }

    /// The next so many inputs.
    fn chunk(&self, count: u32) -> Arc<Chunk<MapState>> {
        let hook = self.options.hooks(&self.pool.callbacks, self.reader);
        Chunk::new(
            &self.state,
            self.state.expects(count),
            count,
            &self.pace,
            hook,
        )
    }

    fn submit(&self, count: u32, payload: Payload) {
        let chunk = self.chunk(count);
        let cargo = Cargo {
            entry: T::entry(),
            payload: payload.into(),
            sink: Arc::clone(&chunk) as _,
        };
        let terms = self.pool.terms(T::entry(), self.options, count);
        match self.pool.manager.submit(cargo, terms, true) {
            Ok(id) => {
                if !self.state.submitted(id) {
                    // Another call has failed, and did not know of this one yet.
                    self.pool.manager.cancel_all([id].into_iter());
                }
            }
            Err(why) => self.refuse(&chunk, why.into()),
        }
    }

    /// Inputs were not submitted, for this reason.
    fn refuse(&self, chunk: &Chunk<MapState>, kind: TaskErrorKind) {
        let error = TaskError::new(T::entry().name, WorkId::default(), false, kind);
        chunk.refuse(&error, self.pool.manager.callbacks());
    }
}

impl Gathers for MapState {
    fn values(&self, index: u64, values: Values) -> Option<Hooks> {
        self.put(index, values).unless_empty()
    }

    fn error(&self, _index: u64, error: TaskError) -> Option<Hooks> {
        self.fails(error).unless_empty()
    }
}
