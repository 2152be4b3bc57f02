//! The first message down: what a worker needs to know before its first call.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::WorkerLimits;
use crate::{
    ids::{Generation, Slot, WorkerId},
    output::Output,
    task::TaskKey,
};

/// Who a worker is and how it starts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Boot {
    /// The name of the pool; the worker is named after it.
    pub pool: String,
    /// Which worker of the pool it is.
    #[serde(with = "worker_id")]
    pub worker: WorkerId,
    /// Runs before everything else: in a template process once, else in each worker.
    pub preload: Option<BootCall>,
    /// Runs before the first call.
    pub initializer: Option<BootCall>,
    /// Runs after the last call, when the worker ends on a sentinel.
    pub finalizer: Option<BootCall>,
    /// Where the worker works; `None` is where the parent was when it started the worker.
    #[serde(with = "path")]
    pub current_dir: Option<PathBuf>,
    /// The process that started the worker.
    pub parent_pid: u32,
    /// What becomes of what it prints. Where that is captured, the message brings the two
    /// descriptors that it prints to, after those of the calls.
    pub output: Output,
    /// What it puts on itself before its first call.
    pub limits: WorkerLimits,
}

/// A call that is part of starting or ending a worker. Its value is thrown away.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BootCall {
    /// The task.
    #[serde(with = "task_key")]
    pub task: TaskKey,
    /// Its encoded arguments.
    #[serde(with = "byte_string")]
    pub payload: Vec<u8>,
    /// How many of the descriptors that come with the message belong to them: first those of the
    /// preload, then those of the initializer, then those of the finalizer.
    pub descriptors: u32,
}

impl Boot {
    /// How many descriptors belong to its preload, its initializer and its finalizer.
    #[must_use]
    pub fn descriptors(&self) -> [usize; 3] {
        [&self.preload, &self.initializer, &self.finalizer]
            .map(|call| call.as_ref().map_or(0, |call| call.descriptors as usize))
    }
}

/// `Vec<u8>` as a byte string; serde alone would make it a list of numbers.
mod byte_string {
    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;

        impl de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a byte string")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        from.deserialize_byte_buf(Bytes)
    }
}

/// A path as its bytes, which need not be UTF-8.
pub(super) mod path {
    use super::{Deserialize, OsStrExt, OsString, OsStringExt, PathBuf, Serialize, byte_string};
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Bytes(#[serde(with = "byte_string")] Vec<u8>);

    pub(in crate::wire) fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let bytes = |path: &PathBuf| Bytes(path.as_os_str().as_bytes().to_vec());
        path.as_ref().map(bytes).serialize(to)
    }

    pub(in crate::wire) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        let path = |Bytes(bytes)| PathBuf::from(OsString::from_vec(bytes));
        Ok(Option::<Bytes>::deserialize(from)?.map(path))
    }
}

mod worker_id {
    use super::{Deserialize, Generation, Serialize, Slot, WorkerId};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &WorkerId, to: S) -> Result<S::Ok, S::Error> {
        (id.slot.0, id.generation.0).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<WorkerId, D::Error> {
        let (slot, generation) = Deserialize::deserialize(from)?;
        Ok(WorkerId {
            slot: Slot(slot),
            generation: Generation(generation),
        })
    }
}

mod task_key {
    use super::{Deserialize, Serialize, TaskKey};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(key: &TaskKey, to: S) -> Result<S::Ok, S::Error> {
        key.0.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TaskKey, D::Error> {
        u64::deserialize(from).map(TaskKey)
    }
}
