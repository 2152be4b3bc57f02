//! What the call thread does between its initializer and its finalizer: one call at a time.
//!
//! Each item of a call gives exactly one result, in order (API-1). Values are encoded into a buffer
//! that is used again, but a large one is given back to the system: a worker must not sit on the
//! memory of the largest call that it has ever had.
//!
//! The items of a call of several are run in groups: the parent may take back those of groups that
//! have not begun, and is told of the results when a group is done. Groups are as long as takes about
//! [`GROUP_NANOS`], by the last group's time, so that a clock is read, and the parent told, rarely for
//! short items and for each of the long ones.

use std::{io, ops::Range, time::Instant};

use ppool_core::{
    codec::{ChunkReader, Decoder, Encoder, Spacing, attach::Attached},
    ids::ItemId,
    sys::huge_pages,
    task::{Form, Invocations, Registry, TaskEntry, TaskKey},
    wire::{CallItem, CallOutcome, NO_PARAMETER, ResultItem},
};

use crate::{
    ends::{Calls, Results},
    invoke::{invoke, invoke_each},
    limits, output,
    panic::{self, Running},
    state, stopping,
};

/// A buffer with more room than this is not kept.
const KEEP: usize = 1 << 20;

/// How long a group of items should take.
const GROUP_NANOS: u64 = 20_000;

/// The most items of a group.
const LONGEST_GROUP: u32 = 4096;

/// Runs calls until no more come.
///
/// # Errors
/// When a result could not be sent: the parent is gone.
pub(crate) fn run<C: Calls>(
    calls: &mut C,
    results: &mut impl Results,
    registry: &Registry,
) -> io::Result<()> {
    let mut output = Encoder::with_segments(results.segments());
    let mut last: Option<Known> = None;
    while let Some(call) = calls.next()? {
        let item = C::item(&call);
        // Most calls are of the same task as the one before.
        let known = match last {
            Some(known) if known.key == item.task => Some(known),
            _ => registry.find(item.task).map(Known::new),
        };
        match known {
            None => refuse(calls, call, results)?,
            Some(known) if item.count == 1 => {
                run_one(known.entry, calls, call, results, &mut output)?;
                last = Some(known);
            }
            Some(mut known) => {
                known.group = run_several(known, calls, call, results, &mut output)?;
                last = Some(known);
            }
        }
        output.clear(KEEP);
    }
    Ok(())
}

/// The task that was run last.
#[derive(Clone, Copy, Debug)]
struct Known {
    key: TaskKey,
    entry: &'static TaskEntry,
    form: Form,
    /// How many of its items make a group.
    group: u32,
}

impl Known {
    fn new(entry: &'static TaskEntry) -> Self {
        Known {
            key: entry.key(),
            entry,
            form: entry.form(),
            group: 1,
        }
    }
}

/// Runs a call of one item.
fn run_one<C: Calls>(
    entry: &TaskEntry,
    calls: &C,
    mut call: C::Call,
    results: &mut impl Results,
    output: &mut Encoder,
) -> io::Result<()> {
    let id = item_id(C::item(&call), 0);
    let attached = C::take_attached(&mut call);
    begin(entry, id, true);
    let ended = run_item(entry, id.index, calls.arguments(&call), &attached, output);
    end();
    // What no argument took is closed before the parent hears of the end.
    drop(attached);
    C::free_arguments(&mut call);
    match ended {
        Ended::Value => results.value(id, output)?,
        other => other.tell(id, results)?,
    }
    calls.release(call, 0);
    results.publish()
}

/// Runs the items of a call that has several; returns how long a group should be.
fn run_several<C: Calls>(
    known: Known,
    calls: &C,
    mut call: C::Call,
    results: &mut impl Results,
    output: &mut Encoder,
) -> io::Result<u32> {
    let item = C::item(&call);
    let mut group = known.group;
    let mut spent = 0;
    // For all items: the numbers of descriptors are those of the whole call.
    let attached = C::take_attached(&mut call);
    let mut chunk = ChunkReader::new(calls.arguments(&call), Spacing::of(known.form.args));
    let mut items = calls.claim_items(&call, group);
    while let Some(range) = items {
        let begun = Instant::now();
        let count = range.len() as u64;
        begin(known.entry, item_id(item, range.start), count == 1);
        for index in run_even(known, item, range, &mut chunk, results, output)? {
            // A chunk that is cut short, which the parent doesn't send, decodes to errors.
            let args = chunk.next().unwrap_or_default();
            match run_item(known.entry, index, args, &attached, output) {
                Ended::Value => results.add_value(item_id(item, index), output)?,
                other => other.tell(item_id(item, index), results)?,
            }
        }
        end();
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        spent += took;
        group = next_group(group, took / count.max(1));
        // Before the results are seen: who sees the last one may rely on the call's end.
        items = calls.claim_items(&call, group);
        if items.is_some() {
            results.publish()?;
        }
    }
    drop(attached);
    calls.release(call, spent);
    results.publish()?;
    Ok(group)
}

/// Runs the items of a group in one go, if they are of a fixed form; returns those that are to be run one
/// by one.
fn run_even(
    known: Known,
    item: CallItem,
    range: Range<u32>,
    chunk: &mut ChunkReader<'_>,
    results: &mut impl Results,
    output: &mut Encoder,
) -> io::Result<Range<u32>> {
    let Form {
        args: Some(args),
        result: Some(each),
    } = known.form
    else {
        return Ok(range);
    };
    if limits::are_at_calls() {
        return Ok(range);
    }
    output.clear(KEEP);
    let Range { start, end } = range;
    let mut index = start;
    while index < end {
        let first = item_id(item, index);
        let Some(places) = results.places(first, each)? else {
            break;
        };
        let count = places.room().min(end - index);
        panic::item(index);
        let done = state::done_in_one_go();
        let invocations = Invocations::new((chunk.rest(), args), count, output, places, done);
        let ended = invoke_each(known.entry, invocations);
        let done = state::one_go_is_over();
        results.placed(done, each);
        index += done;
        chunk.skip_even(done);
        if let Err(outcome) = ended {
            chunk.skip_even(1);
            state::call_is_done();
            Ended::failed(outcome).tell(item_id(item, index), results)?;
            index += 1;
        }
    }
    Ok(index..end)
}

/// How long the next group should be, when an item took this many nanoseconds.
fn next_group(group: u32, nanos: u64) -> u32 {
    let fitting = GROUP_NANOS / nanos.max(1);
    let fitting = u32::try_from(fitting).unwrap_or(LONGEST_GROUP);
    // The first ones of a task say little, for they find cold caches.
    let longest = group.saturating_mul(8).min(LONGEST_GROUP);
    fitting.clamp(1, longest)
}

/// How an item ended.
enum Ended {
    /// With a value, which lies in the output.
    Value,
    /// With something else.
    Other(CallOutcome),
    /// With a panic of which the hook has already told.
    Reported,
}

impl Ended {
    /// An item has failed.
    #[cold]
    fn failed(outcome: CallOutcome) -> Self {
        match panic::is_reported() {
            true => Ended::Reported,
            false => Ended::Other(outcome),
        }
    }

    /// Tells of an end that is no value.
    #[cold]
    fn tell(self, id: ItemId, results: &mut impl Results) -> io::Result<()> {
        match self {
            Ended::Value => Ok(()),
            Ended::Reported => results.reported(id),
            Ended::Other(outcome) => results.outcome(ResultItem {
                work_id: id.work_id,
                attempt: id.attempt,
                index: id.index,
                outcome,
            }),
        }
    }
}

/// Items of a call begin, `first` the first of them.
fn begin(entry: &TaskEntry, first: ItemId, is_alone: bool) {
    stopping::begins(first, is_alone);
    panic::now(Running::Call {
        work_id: first.work_id,
        attempt: first.attempt,
    });
    output::call_begins(first.work_id, entry.key());
    state::calls_begin(first.attempt);
}

/// They have ended.
fn end() {
    state::calls_end();
    output::call_ends();
    panic::now(Running::Nothing);
    stopping::ends();
}

#[inline]
fn run_item(
    entry: &TaskEntry,
    index: u32,
    args: &[u8],
    attached: &Attached,
    value: &mut Encoder,
) -> Ended {
    panic::item(index);
    limits::call_begins();
    value.clear(KEEP);
    let args = Decoder::new(args)
        .with_attached(attached)
        .preparing(huge_pages::expect_all_of);
    let result = invoke(entry, args, value);
    limits::call_ends();
    state::call_is_done();
    match result {
        Ok(()) => {
            panic::is_reported();
            Ended::Value
        }
        Err(outcome) => Ended::failed(outcome),
    }
}

#[inline]
fn item_id(item: CallItem, index: u32) -> ItemId {
    ItemId {
        work_id: item.work_id,
        attempt: item.attempt,
        index,
    }
}

/// Answers a call of a task that this program doesn't have. The handshake makes that impossible
/// between a parent and a worker of the same program.
#[cold]
fn refuse<C: Calls>(calls: &C, call: C::Call, results: &mut impl Results) -> io::Result<()> {
    let item = C::item(&call);
    for index in 0..item.count {
        let outcome = CallOutcome::Decode {
            parameter: NO_PARAMETER,
            message: format!("the worker has no task with the key {:#018x}", item.task.0),
        };
        Ended::Other(outcome).tell(item_id(item, index), results)?;
    }
    calls.release(call, 0);
    results.publish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_grow_to_their_time_and_shrink_at_once() {
        let mut group = 1;
        for expected in [8, 64, 512, 2000, 2000] {
            group = next_group(group, 10);
            assert_eq!(group, expected);
        }
        assert_eq!(next_group(group, 0), LONGEST_GROUP);
        assert_eq!(next_group(group, 5_000), 4);
        assert_eq!(next_group(group, u64::MAX), 1);
    }
}
