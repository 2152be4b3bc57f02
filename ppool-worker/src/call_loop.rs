//! What the call thread does between its initializer and its finalizer: one call at a time.
//!
//! Each item of a call gives exactly one result, in order (API-1). The result is sent before what
//! the call held is freed, since the parent is waiting; except for a large payload, which is freed
//! first, since sending a large result may take long. Buffers are used again, but large ones are
//! given back to the system: a worker must not sit on the memory of the largest call that it has
//! ever had.

use std::{io, os::fd::OwnedFd, sync::mpsc::Receiver};

use ppool_core::{
    codec::{ChunkReader, Encoder},
    ids::WorkId,
    link::WorkerLink,
    task::{Registry, TaskEntry},
    wire::{CallItem, CallOutcome, FromWorker, NO_PARAMETER, ResultItem},
};

use crate::{
    invoke::invoke,
    panic::{self, Running},
    state,
};

/// A buffer with more room than this is not kept.
const KEEP: usize = 1 << 20;

/// What the control thread hands to the call thread.
#[derive(Debug)]
pub(crate) enum Work {
    /// A call to run.
    Call {
        item: CallItem,
        payload: Vec<u8>,
        /// Descriptors that its arguments may refer to; those that no argument took are closed when
        /// the call is done.
        descriptors: Vec<OwnedFd>,
    },
    /// Nothing comes after this.
    Sentinel,
}

/// Runs calls until the sentinel.
///
/// # Errors
/// When a result could not be sent: the parent is gone.
pub(crate) fn run(
    queue: &Receiver<Work>,
    registry: &Registry,
    link: &dyn WorkerLink,
) -> io::Result<()> {
    let mut output = Vec::new();
    while let Ok(Work::Call {
        item,
        payload,
        descriptors,
    }) = queue.recv()
    {
        match registry.find(item.task) {
            Some(entry) => run_call(entry, item, payload, link, &mut output)?,
            None => refuse(item, link)?,
        }
        drop(descriptors);
        if output.capacity() > KEEP {
            output = Vec::new();
        }
    }
    Ok(())
}

/// Runs all items of a call.
fn run_call(
    entry: &TaskEntry,
    item: CallItem,
    mut payload: Vec<u8>,
    link: &dyn WorkerLink,
    output: &mut Vec<u8>,
) -> io::Result<()> {
    let CallItem {
        work_id, attempt, ..
    } = item;
    let mut position = 0;
    for index in 0..item.count {
        panic::now(Running::Call {
            work_id,
            attempt,
            index,
        });
        state::call_begins(attempt);
        let mut encoder = Encoder::reuse(std::mem::take(output));
        let (args, next) = arguments(&payload, item.count, position);
        position = next;
        let result = invoke(entry, args, &mut encoder);
        *output = encoder.into_bytes();
        state::call_ends();
        let reported = panic::now(Running::Nothing);

        if index + 1 == item.count && payload.capacity() > KEEP {
            payload = Vec::new();
        }
        match result {
            Ok(()) => link.send_value(work_id, attempt, index, output)?,
            Err(_) if reported => {}
            Err(outcome) => send(link, work_id, attempt, index, outcome)?,
        }
    }
    Ok(())
}

/// The arguments of the next call of the payload, and where those of the one after it begin.
fn arguments(payload: &[u8], count: u32, position: usize) -> (&[u8], usize) {
    if count == 1 {
        return (payload, payload.len());
    }
    let mut chunk = ChunkReader::new(&payload[position..]);
    // A chunk that is cut short, which the parent doesn't send, decodes to errors.
    let args = chunk.next().unwrap_or_default();
    (args, payload.len() - chunk.rest().len())
}

/// Answers a call of a task that this program doesn't have. The handshake makes that impossible
/// between a parent and a worker of the same program.
fn refuse(item: CallItem, link: &dyn WorkerLink) -> io::Result<()> {
    (0..item.count).try_for_each(|index| {
        let outcome = CallOutcome::Decode {
            parameter: NO_PARAMETER,
            message: format!("the worker has no task with the key {:#018x}", item.task.0),
        };
        send(link, item.work_id, item.attempt, index, outcome)
    })
}

fn send(
    link: &dyn WorkerLink,
    work_id: WorkId,
    attempt: u32,
    index: u32,
    outcome: CallOutcome,
) -> io::Result<()> {
    link.send(&FromWorker::Result(ResultItem {
        work_id,
        attempt,
        index,
        outcome,
    }))
}
