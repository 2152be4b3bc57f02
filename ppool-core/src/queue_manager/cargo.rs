//! What a work item carries: what is sent, and who waits for it.

use std::sync::Arc;

use crate::{
    codec::ChunkReader,
    future::{CallState, Hooks, Outcome},
    link::Payload,
    task::TaskEntry,
};

/// Who gets the outcome of each call of a work item.
pub(crate) trait Sink: Send + Sync + std::fmt::Debug {
    /// A worker begins with it.
    fn starts(&self);
    /// Its worker was lost, and it waits again.
    fn returns_to_pending(&self);
    /// The call at `index` of the item has ended. Called exactly once for each call (API-1). The
    /// hooks are run outside any lock.
    #[must_use]
    fn resolve(&self, index: u32, outcome: Outcome) -> Option<Hooks>;
}

impl Sink for CallState {
    fn starts(&self) {
        let _ = CallState::starts(self);
    }

    fn returns_to_pending(&self) {
        let _ = CallState::returns_to_pending(self);
    }

    fn resolve(&self, _index: u32, outcome: Outcome) -> Option<Hooks> {
        let hooks = self.finish(outcome);
        (!hooks.is_empty()).then_some(hooks)
    }
}

/// What a work item carries.
#[derive(Clone, Debug)]
pub(crate) struct Cargo {
    /// The task.
    pub(crate) entry: &'static TaskEntry,
    /// The encoded arguments of its call; of a chunk, those of each call after their length.
    pub(crate) payload: Payload,
    /// Who gets the outcomes.
    pub(crate) sink: Arc<dyn Sink>,
}

impl Cargo {
    /// The arguments from the call at `next` of `count` on: the whole payload, unless earlier calls
    /// of the chunk are done and their worker was lost.
    pub(crate) fn payload_from(&self, next: u32, count: u32) -> Payload {
        if next == 0 {
            return Arc::clone(&self.payload);
        }
        let mut chunk = ChunkReader::new(&self.payload);
        for _ in 0..next {
            let _ = chunk.next();
        }
        let rest = match count - next {
            1 => chunk.next().unwrap_or_default(),
            _ => chunk.rest(),
        };
        Arc::new(rest.to_vec())
    }
}
