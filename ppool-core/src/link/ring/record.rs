//! What the records of the result ring mean.

use crate::{
    codec::Spacing,
    ids::WorkId,
    shm::{
        Broken,
        result_ring::{Record, RecordHead},
    },
    wire::{CallOutcome, ResultItem},
};

/// One value.
pub(super) const VALUE: u8 = 1;
/// Values of a call of several items, each after its length.
pub(super) const VALUES: u8 = 2;
/// Values of a call of several items, all of one length.
pub(super) const EVEN_VALUES: u8 = 4;
/// A result that is sent by the socket, and was sent before this record was published.
pub(super) const STREAMED: u8 = 3;

/// How long each of `count` values is that take `len` bytes together.
fn even(len: usize, count: u32) -> Result<usize, Broken> {
    let count = count as usize;
    match len.is_multiple_of(count) {
        true => Ok(len / count),
        false => Err(Broken("the length of results that have one length")),
    }
}

/// The head of a record for an item of a call.
pub(super) fn head(kind: u8, work_id: WorkId, attempt: u32, index: u32) -> RecordHead {
    RecordHead {
        kind,
        work_id: work_id.0,
        attempt,
        index,
    }
}

/// The result, or results, in a record; `None` for the place of one that comes by the socket.
#[inline]
pub(super) fn result(record: Record) -> Result<Option<ResultItem>, Broken> {
    let Record { head, count, bytes } = record;
    let outcome = match head.kind {
        VALUE => CallOutcome::Value(bytes),
        VALUES => CallOutcome::Values {
            count,
            bytes: bytes.into_bytes(),
            spacing: Spacing::Lengths,
            spent: 0,
        },
        EVEN_VALUES => CallOutcome::Values {
            count,
            spacing: Spacing::Each(even(bytes.len(), count)?),
            bytes: bytes.into_bytes(),
            spent: 0,
        },
        STREAMED => return Ok(None),
        _ => return Err(Broken("the kind of a result")),
    };
    Ok(Some(ResultItem {
        work_id: WorkId(head.work_id),
        attempt: head.attempt,
        index: head.index,
        outcome,
    }))
}
