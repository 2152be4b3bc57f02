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

/// What came in a record.
#[derive(Debug)]
pub(super) enum Meaning {
    /// A result, or several.
    Result(ResultItem),
    /// The next result that comes by the socket has its place here.
    Streamed,
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

/// What a record means.
pub(super) fn meaning(record: Record) -> Result<Meaning, Broken> {
    let Record { head, count, bytes } = record;
    let outcome = match head.kind {
        VALUE => CallOutcome::Value(bytes),
        VALUES => CallOutcome::Values {
            count,
            bytes,
            spent: 0,
        },
        STREAMED => return Ok(Meaning::Streamed),
        _ => return Err(Broken("the kind of a result")),
    };
    Ok(Meaning::Result(ResultItem {
        work_id: WorkId(head.work_id),
        attempt: head.attempt,
        index: head.index,
        outcome,
    }))
}
