//! How the end of a call becomes what its caller gets.

use super::{Cargo, effect::Failure};
use crate::{
    error::{DecodeError, EncodeError, TaskError, TaskErrorKind, WorkerExit},
    future::Outcome,
    ids::WorkId,
    task::TaskEntry,
    wire::CallOutcome,
};

pub(super) fn task_error(cargo: &Cargo, id: WorkId, failure: Failure) -> TaskError {
    let task = cargo.entry.name;
    let (started, kind) = match failure {
        Failure::Cancelled { started } => (started, TaskErrorKind::Cancelled),
        Failure::Lost(exit) => (
            true,
            TaskErrorKind::WorkerLost(WorkerExit {
                task: Some(task),
                ..exit
            }),
        ),
        Failure::TimedOut(limit) => (true, TaskErrorKind::TimedOut(limit)),
        Failure::CpuTimedOut(limit) => {
            let kind = TaskErrorKind::TimedOut(limit);
            return TaskError::new(task, id, true, kind).of_cpu_time();
        }
        Failure::MemoryLimit => (true, TaskErrorKind::MemoryLimit),
        Failure::Broken(cause) => (false, TaskErrorKind::PoolBroken(cause)),
    };
    TaskError::new(task, id, started, kind)
}

pub(super) fn outcome_of(entry: &'static TaskEntry, id: WorkId, outcome: CallOutcome) -> Outcome {
    let kind = match outcome {
        CallOutcome::Value(payload) => return Outcome::Value(payload),
        // One by one before they come here (see `results`).
        CallOutcome::Values { bytes, .. } => return Outcome::Value(bytes.into()),
        // The link has taken the bytes of it.
        CallOutcome::InSegment { attached, .. } => return Outcome::Value(attached),
        CallOutcome::Panicked(panic) => TaskErrorKind::Panicked(panic),
        CallOutcome::Decode { parameter, message } => {
            let parameter = entry.parameter(parameter as usize).unwrap_or("?");
            TaskErrorKind::Decode(DecodeError::new(entry.name, Some(parameter), &message))
        }
        CallOutcome::Encode { message } => {
            TaskErrorKind::Encode(EncodeError::new(entry.name, None, &message))
        }
    };
    Outcome::Error(TaskError::new(entry.name, id, true, kind))
}
