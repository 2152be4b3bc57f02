//! A map that is not waited for: all inputs are submitted at once, and a future stands for all
//! results.

use std::{sync::Arc, time::Duration};

use super::{
    Pool, TaskCall,
    gather::{MakeHook, callbacks},
    handle::PoolParts,
    map::{Filled, fill},
    options::Options,
    pace::Pace,
};
use crate::{
    codec::{IntoArgs, Payload, Values},
    error::{TaskError, TaskErrorKind},
    future::{CallControl, Hooks, MapFuture, MapState, Outcome, ResultReader, SharedOutcome},
    ids::WorkId,
    queue_manager::{Cargo, Refusal, Sink},
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
                self.refuse(&self.sink(1), 1, TaskErrorKind::Encode(error));
            }
            if !more {
                break;
            }
        }
        self.run(self.state.completes());
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

    /// Who gets the outcomes of the next so many inputs.
    fn sink(&self, count: u32) -> Arc<MapChunk> {
        let callbacks = &self.options.callbacks;
        let hook = (!callbacks.is_none(&self.pool.callbacks)).then(|| {
            let callbacks = callbacks.clone();
            let pool = Arc::clone(&self.pool.callbacks);
            let reader = self.reader;
            Box::new(move || callbacks.hook(&pool, reader)) as MakeHook
        });
        Arc::new(MapChunk {
            base: self.state.expects(count),
            count,
            state: Arc::clone(&self.state),
            pace: Arc::clone(&self.pace),
            hook,
        })
    }

    fn submit(&self, count: u32, payload: Payload) {
        let sink = self.sink(count);
        let cargo = Cargo {
            entry: T::entry(),
            payload: Arc::new(payload),
            sink: Arc::clone(&sink) as _,
        };
        let terms = self.pool.terms(T::entry(), self.options, count);
        match self.pool.manager.submit(cargo, terms, true) {
            Ok(id) => {
                if !self.state.submitted(id) {
                    // Another call has failed, and did not know of this one yet.
                    self.pool.manager.cancel_all([id].into_iter());
                }
            }
            Err(refused) => {
                let kind = match refused.why {
                    Refusal::Broken(cause) => TaskErrorKind::PoolBroken(cause),
                    Refusal::Full | Refusal::Closed => TaskErrorKind::PoolClosed,
                };
                self.refuse(&sink, count, kind);
            }
        }
    }

    /// Inputs were not submitted, for this reason.
    fn refuse(&self, sink: &MapChunk, count: u32, kind: TaskErrorKind) {
        let error = TaskError::new(T::entry().name, WorkId::default(), false, kind);
        let mut hooks = Vec::new();
        for index in 0..count {
            sink.resolve(index, Outcome::Error(error.clone()), &mut hooks);
        }
        for hook in hooks {
            self.run(hook);
        }
    }

    fn run(&self, hooks: Hooks) {
        hooks.run(self.pool.manager.callbacks());
    }
}

/// Inputs of the map that travel together.
struct MapChunk {
    state: Arc<MapState>,
    /// The index of its first input.
    base: u64,
    /// How many it has.
    count: u32,
    /// Learns how long they took.
    pace: Arc<Pace>,
    hook: Option<MakeHook>,
}

impl std::fmt::Debug for MapChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MapChunk({} of {:?})", self.base, self.state)
    }
}

impl Sink for MapChunk {
    fn starts(&self) {}

    fn returns_to_pending(&self) {}

    fn resolve(&self, index: u32, outcome: Outcome, hooks: &mut Vec<Hooks>) {
        match outcome {
            Outcome::Value(payload) => {
                self.resolve_values(index, Values::one(payload), hooks);
            }
            Outcome::Error(error) => {
                if let Some(hook) = &self.hook {
                    let outcome = SharedOutcome::Error(error.clone());
                    hooks.push(Hooks::callback(hook(), outcome));
                }
                hooks.extend(self.state.fails(error).unless_empty());
            }
        }
    }

    fn resolve_values(&self, index: u32, values: Values, hooks: &mut Vec<Hooks>) {
        if let Some(hook) = &self.hook {
            hooks.extend(callbacks(&values, hook));
        }
        let ends = self.state.put(self.base + u64::from(index), values);
        hooks.extend(ends.unless_empty());
    }

    fn ran(&self, time: Duration) {
        self.pace.ran(self.count, time);
    }
}
