//! Results on their way from the workers' links to those who wait for them.

use std::time::Duration;

use super::{
    QueueManager,
    core::Core,
    outcome::outcome_of,
    reactor::{Accepted, Calls},
};
use crate::{
    codec::Values,
    ids::{ItemId, WorkId, WorkerId},
    wire::{CallOutcome, ResultItem},
};

/// Values of calls of one item that follow each other.
#[derive(Debug)]
struct Run {
    work_id: WorkId,
    attempt: u32,
    index: u32,
    values: Values,
    /// How long the worker took for the whole item, when it says so.
    spent: Option<Duration>,
}

impl QueueManager {
    /// Calls have ended.
    pub(super) fn result(
        &self,
        core: &mut Core,
        worker: WorkerId,
        result: ResultItem,
        now: Duration,
    ) {
        let ResultItem {
            work_id,
            attempt,
            index,
            outcome,
        } = result;
        let (values, spent) = match outcome {
            CallOutcome::Value(payload) => (Values::one(payload), 0),
            CallOutcome::Values {
                count,
                bytes,
                spacing,
                spent,
            } => (Values::chunk(bytes, count, spacing), spent),
            outcome => {
                let item = ItemId {
                    work_id,
                    attempt,
                    index,
                };
                return self.failure(core, worker, item, outcome, now);
            }
        };
        let run = Run {
            work_id,
            attempt,
            index,
            values,
            spent: (spent > 0).then_some(Duration::from_nanos(spent)),
        };
        self.values(core, worker, run, now);
    }

    /// A call has ended without a value.
    fn failure(
        &self,
        core: &mut Core,
        worker: WorkerId,
        item: ItemId,
        outcome: CallOutcome,
        now: Duration,
    ) {
        let calls = Calls {
            index: item.index,
            count: 1,
        };
        let Core {
            reactor, effects, ..
        } = &mut *core;
        if matches!(&outcome, CallOutcome::Panicked(panic) if panic.fatal) {
            reactor.dying(worker, now);
        }
        let accepted = reactor.result(worker, item.work_id, item.attempt, calls, now, effects);
        if let Some(Accepted::Value { cargo, index, ran }) = accepted {
            reactor.was_error();
            let outcome = outcome_of(cargo.entry, item.work_id, outcome);
            cargo.sink.resolve(index, outcome, &mut core.hooks);
            if let Some(time) = ran {
                cargo.sink.ran(time);
            }
        }
    }

    /// Calls have ended with values.
    fn values(&self, core: &mut Core, worker: WorkerId, mut run: Run, now: Duration) {
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
            run.values.split_first();
            calls.index += 1;
            calls.count -= 1;
        }
        let accepted = reactor.result(worker, id, run.attempt, calls, now, effects);
        if let Some(Accepted::Value { cargo, index, ran }) = accepted {
            cargo
                .sink
                .resolve_values(index, run.values, &mut core.hooks);
            if let Some(time) = ran {
                cargo.sink.ran(run.spent.unwrap_or(time));
            }
        }
    }
}
