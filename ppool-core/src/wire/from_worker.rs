//! The worker's messages.

use super::{
    Encoded, Head, Message, WireError,
    message::{Fields, MAX_TEXT_LEN, Shape, from_cbor, text, to_cbor},
};
use crate::{
    codec::{MAX_PAYLOAD_LEN, Payload, Spacing},
    error::RemotePanic,
    ids::WorkId,
};

/// What a worker tells its parent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FromWorker {
    /// It runs, and is the same program; the first message.
    Hello(Hello),
    /// Its initializer has run: calls can start.
    Ready,
    /// It can't start, the text says why, and ends with [`START_FAILED_EXIT`](super::START_FAILED_EXIT).
    StartFailed(String),
    /// One item of a call is done.
    Result(ResultItem),
    /// Its finalizer failed, for this reason. It ends all the same.
    FinalizerFailed(String),
    /// It has finished all that came before the sentinel and ends now; the last message.
    Bye,
    /// A template has forked a worker; the answer to [`ToWorker::Fork`](super::ToWorker::Fork), of
    /// which each has one, in order.
    Forked {
        /// Its process id.
        pid: u32,
    },
    /// A template could not fork; the other answer.
    NotForked {
        /// The kernel's number of the error, or 0 when it was not the kernel.
        errno: i32,
    },
    /// There is something in the shared memory, and the parent sleeps. No link hands it on.
    Doorbell,
    /// Descriptors of the next message, which has more than go with one. No link hands it on.
    Descriptors,
}

/// The worker's half of the handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Which [`PROTOCOL`](super::PROTOCOL) it speaks.
    pub protocol: u32,
    /// The [fingerprint](crate::task::Registry::fingerprint) of its tasks.
    pub fingerprint: u64,
    /// Its process id, as it sees it.
    pub pid: u32,
}

/// What became of one item of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResultItem {
    /// Which call.
    pub work_id: WorkId,
    /// Which try of it.
    pub attempt: u32,
    /// Which of its items.
    pub index: u32,
    /// What became of it.
    pub outcome: CallOutcome,
}

/// How one item of a call ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallOutcome {
    /// The task returned; this is its result. (Its descriptors are the business of the link.)
    Value(Payload),
    /// The task returned, for this item and those that follow it.
    Values {
        /// How many items these are.
        count: u32,
        /// The results in the form of a chunk, as the arguments are (see
        /// [`ChunkReader`](crate::codec::ChunkReader)).
        bytes: Vec<u8>,
        /// How they are told apart.
        spacing: Spacing,
        /// How long the worker took for all items of the call, in nanoseconds, with the last of
        /// them; else zero.
        spent: u64,
    },
    /// The task returned; its result is in a segment, whose descriptor is the last one of `attached`. A
    /// link makes a `Value` of it.
    InSegment {
        /// How many bytes it has.
        len: u64,
        /// What the worker knows the segment by.
        ticket: u64,
        /// Descriptors, and no bytes.
        attached: Payload,
    },
    /// The task panicked.
    Panicked(RemotePanic),
    /// An argument could not be decoded, or decoding it panicked.
    Decode {
        /// Which parameter, or [`NO_PARAMETER`](super::NO_PARAMETER) when the worker has no such task.
        parameter: u32,
        /// Why.
        message: String,
    },
    /// The result could not be encoded, or encoding it panicked.
    Encode {
        /// Why.
        message: String,
    },
}

const HELLO: u8 = 64;
const READY: u8 = 65;
const START_FAILED: u8 = 66;
const VALUE: u8 = 67;
const PANICKED: u8 = 68;
const DECODE: u8 = 69;
const ENCODE: u8 = 70;
const BYE: u8 = 71;
const VALUES: u8 = 72;
const DOORBELL: u8 = 73;
const DESCRIPTORS: u8 = 74;
const FORKED: u8 = 75;
const NOT_FORKED: u8 = 76;
const FINALIZER_FAILED: u8 = 77;
const VALUE_IN_SEGMENT: u8 = 78;

const MAGIC: [u8; 8] = *b"ppool\0\r\n";

/// Later protocols may append to their greeting; what they append is skipped, so that even they can
/// be told apart by their version.
const MAX_LATER_HELLO_LEN: u64 = 4096;

impl ResultItem {
    /// The head of the message that brings the value of an item, before `len` bytes of value.
    #[must_use]
    pub fn value_head(work_id: WorkId, attempt: u32, index: u32, len: usize) -> Head {
        result_head(VALUE, work_id, attempt, index).tail(len)
    }

    /// The message that says that the value of an item, of `len` bytes, lies in a segment.
    #[must_use]
    pub fn value_in_segment(
        work_id: WorkId,
        attempt: u32,
        index: u32,
        len: usize,
        ticket: u64,
    ) -> Head {
        result_head(VALUE_IN_SEGMENT, work_id, attempt, index)
            .field((len as u64).to_le_bytes())
            .field(ticket.to_le_bytes())
            .tail(0)
    }

    fn encode(&self) -> Encoded<'_> {
        let head = |kind| result_head(kind, self.work_id, self.attempt, self.index);
        match &self.outcome {
            CallOutcome::Value(value) => Encoded::new(head(VALUE), value.bytes()),
            CallOutcome::Values {
                count,
                bytes,
                spacing,
                spent,
            } => Encoded::new(
                head(VALUES)
                    .field(count.to_le_bytes())
                    .field(spent.to_le_bytes())
                    .field(spacing_field(*spacing).to_le_bytes()),
                bytes,
            ),
            CallOutcome::InSegment { len, ticket, .. } => Encoded::bare(
                head(VALUE_IN_SEGMENT)
                    .field(len.to_le_bytes())
                    .field(ticket.to_le_bytes()),
            ),
            CallOutcome::Panicked(panic) => Encoded::new(head(PANICKED), to_cbor(panic)),
            CallOutcome::Decode { parameter, message } => Encoded::new(
                head(DECODE).field(parameter.to_le_bytes()),
                message.as_bytes(),
            ),
            CallOutcome::Encode { message } => Encoded::new(head(ENCODE), message.as_bytes()),
        }
    }

    fn decode(kind: u8, mut fields: Fields<'_>, tail: Vec<u8>) -> Result<Self, WireError> {
        Ok(ResultItem {
            work_id: WorkId(fields.u64()),
            attempt: fields.u32(),
            index: fields.u32(),
            outcome: match kind {
                VALUE => CallOutcome::Value(tail.into()),
                VALUES => CallOutcome::Values {
                    count: fields.u32(),
                    spent: fields.u64(),
                    spacing: spacing_of(fields.u64()),
                    bytes: tail,
                },
                VALUE_IN_SEGMENT => CallOutcome::InSegment {
                    len: fields.u64(),
                    ticket: fields.u64(),
                    attached: Payload::default(),
                },
                PANICKED => CallOutcome::Panicked(from_cbor(&tail)?),
                DECODE => CallOutcome::Decode {
                    parameter: fields.u32(),
                    message: text(tail)?,
                },
                ENCODE => CallOutcome::Encode {
                    message: text(tail)?,
                },
                _ => return Err(WireError::Kind(kind)),
            },
        })
    }
}

/// In the place of the length of each: each says its own.
const LENGTHS: u64 = u64::MAX;

fn spacing_field(spacing: Spacing) -> u64 {
    match spacing {
        Spacing::Lengths => LENGTHS,
        Spacing::Each(len) => len as u64,
    }
}

fn spacing_of(field: u64) -> Spacing {
    // What this machine can't address is no length: the results end at once then.
    Spacing::of((field != LENGTHS).then(|| usize::try_from(field).unwrap_or(usize::MAX)))
}

fn result_head(kind: u8, work_id: WorkId, attempt: u32, index: u32) -> Head {
    Head::new(kind)
        .field(work_id.0.to_le_bytes())
        .field(attempt.to_le_bytes())
        .field(index.to_le_bytes())
}

impl FromWorker {
    /// The message that brings descriptors of the next one.
    #[must_use]
    pub fn descriptors() -> Head {
        Head::new(DESCRIPTORS).tail(0)
    }
}

impl Message for FromWorker {
    fn shape(kind: u8) -> Result<Shape, WireError> {
        match kind {
            HELLO => Ok(Shape::with_tail(24, MAX_LATER_HELLO_LEN)),
            READY | BYE | DOORBELL | DESCRIPTORS => Ok(Shape::fixed(0)),
            FORKED | NOT_FORKED => Ok(Shape::fixed(4)),
            START_FAILED | FINALIZER_FAILED => Ok(Shape::with_tail(0, MAX_TEXT_LEN)),
            VALUE => Ok(Shape::with_tail(16, MAX_PAYLOAD_LEN)),
            VALUES => Ok(Shape::with_tail(36, MAX_PAYLOAD_LEN)),
            VALUE_IN_SEGMENT => Ok(Shape::fixed(32)),
            PANICKED | ENCODE => Ok(Shape::with_tail(16, MAX_TEXT_LEN)),
            DECODE => Ok(Shape::with_tail(20, MAX_TEXT_LEN)),
            _ => Err(WireError::Kind(kind)),
        }
    }

    fn decode(kind: u8, fixed: &[u8], tail: Vec<u8>) -> Result<Self, WireError> {
        let mut fields = Fields::new(fixed);
        match kind {
            HELLO => {
                if fields.take() != MAGIC {
                    return Err(WireError::Magic);
                }
                Ok(FromWorker::Hello(Hello {
                    protocol: fields.u32(),
                    fingerprint: fields.u64(),
                    pid: fields.u32(),
                }))
            }
            READY => Ok(FromWorker::Ready),
            START_FAILED => text(tail).map(FromWorker::StartFailed),
            FINALIZER_FAILED => text(tail).map(FromWorker::FinalizerFailed),
            BYE => Ok(FromWorker::Bye),
            DOORBELL => Ok(FromWorker::Doorbell),
            DESCRIPTORS => Ok(FromWorker::Descriptors),
            FORKED => Ok(FromWorker::Forked { pid: fields.u32() }),
            NOT_FORKED => Ok(FromWorker::NotForked {
                errno: i32::from_le_bytes(fields.take()),
            }),
            _ => ResultItem::decode(kind, fields, tail).map(FromWorker::Result),
        }
    }

    fn encode(&self) -> Encoded<'_> {
        match self {
            FromWorker::Hello(hello) => Encoded::bare(
                Head::new(HELLO)
                    .field(MAGIC)
                    .field(hello.protocol.to_le_bytes())
                    .field(hello.fingerprint.to_le_bytes())
                    .field(hello.pid.to_le_bytes()),
            ),
            FromWorker::Ready => Encoded::bare(Head::new(READY)),
            FromWorker::StartFailed(message) => {
                Encoded::new(Head::new(START_FAILED), message.as_bytes())
            }
            FromWorker::FinalizerFailed(message) => {
                Encoded::new(Head::new(FINALIZER_FAILED), message.as_bytes())
            }
            FromWorker::Result(result) => result.encode(),
            FromWorker::Bye => Encoded::bare(Head::new(BYE)),
            FromWorker::Doorbell => Encoded::bare(Head::new(DOORBELL)),
            FromWorker::Descriptors => Encoded::bare(FromWorker::descriptors()),
            FromWorker::Forked { pid } => Encoded::bare(Head::new(FORKED).field(pid.to_le_bytes())),
            FromWorker::NotForked { errno } => {
                Encoded::bare(Head::new(NOT_FORKED).field(errno.to_le_bytes()))
            }
        }
    }
}
