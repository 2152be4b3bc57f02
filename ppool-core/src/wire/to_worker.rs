//! The parent's messages.

use super::{
    Boot, Encoded, Head, Message, ProcessBoot, WireError,
    message::{Fields, Shape, from_cbor, to_cbor},
    process::PROCESS,
};
use crate::{
    codec::MAX_PAYLOAD_LEN,
    ids::{ItemId, WorkId},
    task::TaskKey,
};

/// What the parent tells a worker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ToWorker {
    /// Who it is and how it starts; the first message.
    Boot(Boot),
    /// The same for a process that runs one task.
    Process(ProcessBoot),
    /// The same for a process that is to be the template of workers: it runs the preload, and then
    /// forks for as long as it is asked to.
    Template(Boot),
    /// Fork a worker, whose end of a link comes with this message. For a template.
    Fork,
    /// Something to run.
    Call {
        /// What.
        item: CallItem,
        /// The encoded arguments of all its items, one after the other.
        payload: Vec<u8>,
    },
    /// Stop this item, if it still runs.
    Stop(ItemId),
    /// The same, with the arguments in a segment, whose descriptor is the last one that comes with it.
    CallInSegment {
        /// What.
        item: CallItem,
        /// How many bytes the arguments have.
        len: u64,
    },
    /// A call that was sent with descriptors, and which the worker will find revoked: they can go.
    Revoked {
        /// Which.
        work_id: WorkId,
        /// Which attempt at it.
        attempt: u32,
    },
    /// Finish what came before this and end; the last message.
    Sentinel,
    /// Descriptors of the next message, which has more than go with one. No link hands it on.
    Descriptors,
}

/// One call, or several calls of one task that travel as one: what the worker is told of them
/// beside their arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallItem {
    /// Comes back with each result.
    pub work_id: WorkId,
    /// How often the call was tried before.
    pub attempt: u32,
    /// What to run.
    pub task: TaskKey,
    /// How many times: how many items the payload holds, 1 or more.
    pub count: u32,
}

const BOOT: u8 = 1;
const CALL: u8 = 2;
const SENTINEL: u8 = 3;
const DESCRIPTORS: u8 = 4;
const TEMPLATE: u8 = 6;
const FORK: u8 = 7;
const STOP: u8 = 9;
const CALL_IN_SEGMENT: u8 = 8;
const REVOKED: u8 = 10;

/// The arguments of an initializer may be as large as any, and some bytes come on top.
const MAX_BOOT_LEN: u64 = 2 * MAX_PAYLOAD_LEN + (1 << 20);

impl CallItem {
    /// The head of the call's message, before a payload of this length.
    #[must_use]
    pub fn head(&self, payload_len: usize) -> Head {
        self.head_of(CALL).tail(payload_len)
    }

    /// The message of a call whose payload has this length and lies in a segment.
    #[must_use]
    pub fn head_in_segment(&self, payload_len: usize) -> Head {
        self.head_of(CALL_IN_SEGMENT)
            .field((payload_len as u64).to_le_bytes())
            .tail(0)
    }

    fn head_of(&self, kind: u8) -> Head {
        Head::new(kind)
            .field(self.work_id.0.to_le_bytes())
            .field(self.task.0.to_le_bytes())
            .field(self.attempt.to_le_bytes())
            .field(self.count.to_le_bytes())
    }
}

impl Boot {
    /// The message, for a sender that has the boot by reference.
    #[must_use]
    pub fn encode(&self) -> Encoded<'static> {
        Encoded::new(Head::new(BOOT), to_cbor(self))
    }

    /// The same for the message that makes a process a template.
    #[must_use]
    pub fn encode_template(&self) -> Encoded<'static> {
        Encoded::new(Head::new(TEMPLATE), to_cbor(self))
    }
}

impl ToWorker {
    /// The message that says: stop this item.
    #[must_use]
    pub fn stop(item: ItemId) -> Head {
        Head::new(STOP)
            .field(item.work_id.0.to_le_bytes())
            .field(item.attempt.to_le_bytes())
            .field(item.index.to_le_bytes())
            .tail(0)
    }

    /// The message that says: the descriptors of this call can go.
    #[must_use]
    pub fn revoked(work_id: WorkId, attempt: u32) -> Head {
        Head::new(REVOKED)
            .field(work_id.0.to_le_bytes())
            .field(attempt.to_le_bytes())
            .tail(0)
    }

    /// The message that says: finish and end.
    #[must_use]
    pub fn sentinel() -> Encoded<'static> {
        Encoded::bare(Head::new(SENTINEL))
    }

    /// The message that brings descriptors of the next one.
    #[must_use]
    pub fn descriptors() -> Head {
        Head::new(DESCRIPTORS).tail(0)
    }

    /// The message that asks a template for a worker; a descriptor has to go with it.
    #[must_use]
    pub fn fork() -> Encoded<'static> {
        Encoded::bare(Head::new(FORK))
    }
}

impl Message for ToWorker {
    fn shape(kind: u8) -> Result<Shape, WireError> {
        match kind {
            BOOT | PROCESS | TEMPLATE => Ok(Shape::with_tail(0, MAX_BOOT_LEN)),
            CALL => Ok(Shape::with_tail(24, MAX_PAYLOAD_LEN)),
            STOP => Ok(Shape::fixed(16)),
            REVOKED => Ok(Shape::fixed(12)),
            CALL_IN_SEGMENT => Ok(Shape::fixed(32)),
            SENTINEL | DESCRIPTORS | FORK => Ok(Shape::fixed(0)),
            _ => Err(WireError::Kind(kind)),
        }
    }

    fn decode(kind: u8, fixed: &[u8], tail: Vec<u8>) -> Result<Self, WireError> {
        let mut fields = Fields::new(fixed);
        match kind {
            BOOT => from_cbor(&tail).map(ToWorker::Boot),
            PROCESS => from_cbor(&tail).map(ToWorker::Process),
            TEMPLATE => from_cbor(&tail).map(ToWorker::Template),
            FORK => Ok(ToWorker::Fork),
            CALL | CALL_IN_SEGMENT => {
                let item = CallItem {
                    work_id: WorkId(fields.u64()),
                    task: TaskKey(fields.u64()),
                    attempt: fields.u32(),
                    count: fields.u32(),
                };
                match (item.count, kind) {
                    (0, _) => Err(WireError::NoItems),
                    (_, CALL) => Ok(ToWorker::Call {
                        item,
                        payload: tail,
                    }),
                    _ => Ok(ToWorker::CallInSegment {
                        item,
                        len: fields.u64(),
                    }),
                }
            }
            STOP => Ok(ToWorker::Stop(ItemId {
                work_id: WorkId(fields.u64()),
                attempt: fields.u32(),
                index: fields.u32(),
            })),
            REVOKED => Ok(ToWorker::Revoked {
                work_id: WorkId(fields.u64()),
                attempt: fields.u32(),
            }),
            SENTINEL => Ok(ToWorker::Sentinel),
            DESCRIPTORS => Ok(ToWorker::Descriptors),
            _ => Err(WireError::Kind(kind)),
        }
    }

    fn encode(&self) -> Encoded<'_> {
        match self {
            ToWorker::Boot(boot) => boot.encode(),
            ToWorker::Process(boot) => boot.encode(),
            ToWorker::Template(boot) => boot.encode_template(),
            ToWorker::Fork => ToWorker::fork(),
            ToWorker::Call { item, payload } => Encoded {
                head: item.head(payload.len()),
                tail: payload.into(),
            },
            ToWorker::Stop(item) => Encoded::bare(ToWorker::stop(*item)),
            ToWorker::CallInSegment { item, len } => {
                let len = usize::try_from(*len).unwrap_or(usize::MAX);
                Encoded::bare(item.head_in_segment(len))
            }
            ToWorker::Revoked { work_id, attempt } => {
                Encoded::bare(ToWorker::revoked(*work_id, *attempt))
            }
            ToWorker::Sentinel => ToWorker::sentinel(),
            ToWorker::Descriptors => Encoded::bare(ToWorker::descriptors()),
        }
    }
}
