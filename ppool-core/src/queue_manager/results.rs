//! Results on their way from the workers' links to those who wait for them.
//!
//! Values of one item that come one after the other are told together: the reactor, the sink and its
//! lock then have the work of one result for many.

use super::{
    QueueManager,
    core::Core,
    outcome::outcome_of,
    reactor::{Accepted, Calls},
};
use crate::{
    codec::Values,
    ids::{WorkId, WorkerId},
    wire::{CallOutcome, ResultItem},
};

/// Values of calls of one item that follow each other.
#[derive(Debug)]
pub(super) struct Run {
    work_id: WorkId,
    attempt: u32,
    index: u32,
    values: Values,
}

impl Run {
    /// Takes the value in, if it is the next one.
    fn append(&mut self, result: &ResultItem, bytes: &[u8]) -> bool {
        let follows = self.work_id == result.work_id
            && self.attempt == result.attempt
            && self.index.checked_add(self.values.count()) == Some(result.index);
        if follows {
            self.values.push(bytes);
        }
        follows
    }
}

impl QueueManager {
    /// A call has ended. A value is held back in `run` for those that may follow it.
    pub(super) fn result(
        &self,
        core: &mut Core,
        worker: WorkerId,
        run: &mut Option<Run>,
        mut result: ResultItem,
    ) {
        if let CallOutcome::Value(bytes) = &mut result.outcome {
            let bytes = std::mem::take(bytes);
            if run.as_mut().is_some_and(|run| run.append(&result, &bytes)) {
                return;
            }
            let before = run.replace(Run {
                work_id: result.work_id,
                attempt: result.attempt,
                index: result.index,
                values: Values::from(bytes),
            });
            self.values(core, worker, before);
            return;
        }
        self.values(core, worker, run.take());
        let calls = Calls {
            index: result.index,
            count: 1,
        };
        let now = self.now();
        let Core {
            reactor, effects, ..
        } = &mut *core;
        let accepted = reactor.result(worker, result.work_id, result.attempt, calls, now, effects);
        if let Some(Accepted::Value { cargo, index, ran }) = accepted {
            let outcome = outcome_of(cargo.entry, result.work_id, result.outcome);
            cargo.sink.resolve(index, outcome, &mut core.hooks);
            if let Some(time) = ran {
                cargo.sink.ran(time);
            }
        }
    }

    /// Tells of values that were held back.
    pub(super) fn values(&self, core: &mut Core, worker: WorkerId, run: Option<Run>) {
        let Some(mut run) = run else {
            return;
        };
        let now = self.now();
        let id = run.work_id;
        let Core {
            reactor, effects, ..
        } = &mut *core;
        let mut calls = Calls {
            index: run.index,
            count: run.values.count(),
        };
        // A call that is being stopped is told alone, whatever it gave.
        let stopped = reactor.item(id).is_some_and(|item| item.stop.is_some());
        if stopped && calls.count > 1 {
            let first = Calls { count: 1, ..calls };
            let _ = reactor.result(worker, id, run.attempt, first, now, effects);
            let mut rest = Values::default();
            let _ = run.values.take();
            while let Some(bytes) = run.values.take() {
                rest.push(bytes);
            }
            run.values = rest;
            calls.index += 1;
            calls.count -= 1;
        }
        let accepted = reactor.result(worker, id, run.attempt, calls, now, effects);
        if let Some(Accepted::Value { cargo, index, ran }) = accepted {
            cargo
                .sink
                .resolve_values(index, run.values, &mut core.hooks);
            if let Some(time) = ran {
                cargo.sink.ran(time);
            }
        }
    }
}
