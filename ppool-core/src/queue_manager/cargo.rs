//! What a work item carries: what is sent, and who waits for it.

use std::{sync::Arc, time::Duration};

use crate::{
    codec::{ChunkReader, SharedPayload, Values},
    future::{CallState, Hooks, Outcome},
    task::TaskEntry,
};

/// Who gets the outcome of each call of a work item.
pub(crate) trait Sink: Send + Sync + std::fmt::Debug {
    /// A worker begins with it.
    fn starts(&self);
    /// Its worker was lost, and it waits again.
    fn returns_to_pending(&self);
    /// The call at `index` of the item has ended. Each call is told of exactly once, here or in
    /// `resolve_values` (API-1). What is put into `hooks` is run outside any lock.
    fn resolve(&self, index: u32, outcome: Outcome, hooks: &mut Vec<Hooks>);
    /// Calls of the item, from the one at `index` on, have given these values.
    fn resolve_values(&self, index: u32, values: Values, hooks: &mut Vec<Hooks>);
    /// The item was so long with the worker that finished it.
    fn ran(&self, time: Duration);
}

impl Sink for CallState {
    fn starts(&self) {
        let _ = CallState::starts(self);
    }

    fn returns_to_pending(&self) {
        let _ = CallState::returns_to_pending(self);
    }

    fn resolve(&self, _index: u32, outcome: Outcome, hooks: &mut Vec<Hooks>) {
        let set_off = self.finish(outcome);
        if !set_off.is_empty() {
            hooks.push(set_off);
        }
    }

    fn resolve_values(&self, index: u32, values: Values, hooks: &mut Vec<Hooks>) {
        self.resolve(index, Outcome::Value(values.into_single()), hooks);
    }

    fn ran(&self, _time: Duration) {}
}

/// What a work item carries.
#[derive(Clone, Debug)]
pub(crate) struct Cargo {
    /// The task.
    pub(crate) entry: &'static TaskEntry,
    /// The encoded arguments of its call, or of the calls of a chunk.
    pub(crate) payload: SharedPayload,
    /// Who gets the outcomes.
    pub(crate) sink: Arc<dyn Sink>,
}

impl Cargo {
    /// The arguments of `sent` of the `count` calls from the one at `next` on: the whole payload,
    /// unless earlier calls of the chunk are done and their worker is gone, or it may not do all.
    pub(crate) fn payload_of(&self, next: u32, sent: u32, count: u32) -> SharedPayload {
        if sent == count {
            return self.payload.clone();
        }
        let mut chunk = ChunkReader::new(self.payload.bytes(), self.entry.args_spacing());
        for _ in 0..next {
            let _ = chunk.next();
        }
        let rest = chunk.rest();
        let part = if sent == 1 {
            chunk.next().unwrap_or_default()
        } else {
            for _ in 0..sent {
                let _ = chunk.next();
            }
            &rest[..rest.len() - chunk.rest().len()]
        };
        // Numbers of descriptors are those of the whole payload.
        self.payload.with_bytes(part)
    }
}
