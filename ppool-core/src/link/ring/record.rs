//! What the records of the result ring mean.

use crate::{
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
/// A result that is sent by the socket, and was sent before this record was published.
pub(super) const STREAMED: u8 = 3;

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
        VALUE => CallOutcome::Value(bytes.into()),
        VALUES => CallOutcome::Values {
            count,
            bytes,
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
