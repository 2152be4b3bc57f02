//! What clients ask of a manager's server, and what it answers: one answer to each request, on the
//! connection that it came by.
//!
//! ```text
//!  Request ─► CBOR, descriptors ══ packet ══► Request ─► state ─► Answer ══ packet ══► Answer
//! ```
//!
//! Invariant: LINK-2. Any bytes give a message or an error, and memory is taken only for bytes that
//! are there.

use std::{os::fd::OwnedFd, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::bytes::{Blob, Bytes, Descriptor};
use crate::codec::{
    CodecError,
    attach::{self, Attached},
};

/// Names an object of one server. Numbers are not used again.
pub(super) type ObjectId = u64;

/// The manager itself: who has this can make objects.
pub(super) const ROOT: ObjectId = 0;

/// Grows with every change of a server's data, so no two states of an entry have the same one.
pub(super) type Version = u64;

/// What a client wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// The answer is [`Answer::Server`].
    Greet,
    /// The answer is [`Answer::Created`].
    Create(Seed),
    Table(ObjectId, TableRequest),
    Sequence(ObjectId, SequenceRequest),
    /// To a lock, a semaphore, or the lock of a condition.
    Gate(ObjectId, GateRequest),
    Monitor(ObjectId, MonitorRequest),
    Barrier(ObjectId, BarrierRequest),
    Flag(ObjectId, FlagRequest),
    Call(ObjectId, Call),
    /// The server ends, whoever else has handles.
    Shutdown,
}

/// An object that is to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Seed {
    Table,
    Sequence {
        elements: Vec<Blob>,
        /// Whether elements only change their values.
        fixed: bool,
    },
    Gate {
        permits: u32,
        /// The most permits that there may be at a time.
        bound: Option<u32>,
    },
    Monitor,
    Barrier {
        parties: u32,
    },
    Flag,
    /// One whose task this makes, on a thread of its own.
    Object(Call),
}

/// A call of a task in the server, which answers [`Answer::Returned`], [`Answer::Panicked`] or
/// [`Answer::Failed`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Call {
    /// The key of its name.
    pub(super) task: u64,
    /// The arguments, as tasks' arguments travel.
    pub(super) arguments: Blob,
}

/// What has to be true for a change to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Expect {
    Anything,
    Absent,
    Version(Version),
}

/// Where a new key comes in the order of a table: behind the others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum TableRequest {
    /// [`Answer::Entry`].
    Get(Bytes),
    /// [`Answer::Changed`] with what was there before, or [`Answer::Conflict`].
    Put(Bytes, Expect, Blob),
    /// As `Put`.
    Take(Bytes, Expect),
    /// [`Answer::Yes`].
    Contains(Bytes),
    /// [`Answer::Number`].
    Len,
    /// [`Answer::Blobs`].
    Keys,
    /// [`Answer::Blobs`].
    Values,
    /// [`Answer::Blobs`]: key, value, key, value.
    Items,
    /// The newest entry, as [`Answer::Blobs`]: key and value, or nothing.
    PopLast,
    /// Puts them all, whatever was there; [`Answer::Done`].
    Extend(Vec<(Bytes, Blob)>),
    /// [`Answer::Done`].
    Clear,
}

/// An index that isn't there is [`Answer::OutOfRange`], unless it is said otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum SequenceRequest {
    /// [`Answer::Entry`].
    Get(u64),
    /// [`Answer::Changed`] with what was there before, or [`Answer::Conflict`].
    Put(u64, Expect, Blob),
    /// [`Answer::Done`].
    Insert(u64, Blob),
    /// [`Answer::Changed`].
    Take(u64),
    /// [`Answer::Done`].
    Extend(Vec<Blob>),
    /// The last one, as [`Answer::Entry`].
    Pop,
    /// [`Answer::Number`].
    Len,
    /// [`Answer::Blobs`]: those from the first number to before the second, as far as they are there.
    Range(u64, u64),
    /// All, if nothing has changed since; [`Answer::Done`] or [`Answer::Outdated`].
    Replace(Version, Vec<Blob>),
    /// [`Answer::Done`].
    Clear,
}

/// A lock or a semaphore. Permits belong to the connection that acquired them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum GateRequest {
    /// [`Answer::Granted`] or [`Answer::TimedOut`]. Without a time it waits for ever.
    Acquire(Option<Duration>),
    /// Gives back what this connection has; [`Answer::Done`], or [`Answer::NotHeld`].
    Release,
    /// Keeps what this connection has taken, without an owner; [`Answer::Done`], or
    /// [`Answer::NotHeld`].
    Forget,
    /// Adds a permit; [`Answer::Done`], or [`Answer::AtBound`].
    Add,
    /// [`Answer::Number`]: the permits that are free.
    Free,
}

/// A condition, beside its lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum MonitorRequest {
    /// Gives the lock back, waits, and takes the lock again: [`Answer::Woken`]. Without the lock
    /// [`Answer::NotHeld`].
    Wait(Option<Duration>),
    /// Wakes as many of those who wait, first come, first served; [`Answer::Done`].
    Notify(u32),
}

/// A barrier.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum BarrierRequest {
    /// [`Answer::Turn`] when all are there, or [`Answer::Broken`].
    Wait(Option<Duration>),
    /// Breaks it; [`Answer::Done`].
    Abort,
    /// Lets those who wait go with [`Answer::Broken`], and begins anew; [`Answer::Done`].
    Reset,
    /// [`Answer::Barrier`].
    Look,
}

/// An event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum FlagRequest {
    /// [`Answer::Done`].
    Set,
    /// [`Answer::Done`].
    Clear,
    /// [`Answer::Yes`].
    IsSet,
    /// [`Answer::Yes`]: whether it is set now, or was within that time.
    Wait(Option<Duration>),
}

/// A value, and which state of it this is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) version: Version,
    pub(super) blob: Blob,
}

/// What the server says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Server {
        pid: u32,
    },
    Created {
        object: ObjectId,
        door: Descriptor,
    },
    Done,
    Yes(bool),
    Number(u64),
    Entry(Option<Entry>),
    Changed(Option<Blob>),
    /// What was expected isn't so; this is.
    Conflict(Option<Entry>),
    /// The content has changed.
    Outdated,
    /// Values, and the state of the whole content.
    Blobs(Version, Vec<Blob>),
    Granted {
        /// The process that died with the permit, if the last one who had it did.
        left_by: Option<u32>,
    },
    /// The lock of a condition, after a wait.
    Woken {
        left_by: Option<u32>,
        /// Whether somebody notified before the time was over.
        notified: bool,
    },
    /// How many had come to the barrier before.
    Turn(u32),
    /// The barrier is broken.
    Broken,
    Barrier {
        parties: u32,
        waiting: u32,
        is_broken: bool,
    },
    TimedOut,
    /// What a task returned, as tasks' results travel.
    Returned(Blob),
    /// A task panicked.
    Panicked {
        message: String,
        location: Option<String>,
        backtrace: Option<String>,
    },
    /// A task could not be called, or returned nothing that travels.
    Failed(String),
    OutOfRange {
        len: u64,
    },
    NotHeld,
    AtBound,
    /// The server has run out of something: the number of the system's error.
    Shortage(i32),
    /// The answer holds more handles than one message can take.
    TooManyHandles,
    /// The request makes no sense; no client of ours sends such.
    Refused(String),
}

/// A message in bytes, and the descriptors that go with it.
pub(super) fn encode<T: Serialize>(message: &T) -> Result<(Vec<u8>, Vec<OwnedFd>), CodecError> {
    let mut bytes = Vec::new();
    let (written, descriptors) = attach::collect(|| write(message, &mut bytes));
    written.map(|()| (bytes, descriptors))
}

/// Appends a value as CBOR.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    ciborium::into_writer(value, out).map_err(|error| {
        CodecError(match error {
            ciborium::ser::Error::Io(error) => error.to_string(),
            ciborium::ser::Error::Value(message) => message,
        })
    })
}

/// The message in these bytes, to which these descriptors belong.
pub(super) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    descriptors: Attached,
) -> Result<T, CodecError> {
    attach::provide_from(&descriptors, || ciborium::from_reader(bytes)).map_err(|error| {
        CodecError(match error {
            ciborium::de::Error::Io(_) => "the bytes are cut short".to_owned(),
            ciborium::de::Error::Syntax(at) => format!("the bytes are not CBOR at {at}"),
            ciborium::de::Error::Semantic(_, message) => message,
            ciborium::de::Error::RecursionLimitExceeded => {
                "the value is nested too deeply".to_owned()
            }
        })
    })
}
