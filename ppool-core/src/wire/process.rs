//! The message down to a process that runs one task and no calls: what it needs to know.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{BootCall, Encoded, Head, boot::path, message::to_cbor};

/// Who a process is, and the task that it is there for. It comes in the place of
/// [`Boot`](super::Boot), and nothing but [`Sentinel`](super::ToWorker::Sentinel) comes after it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProcessBoot {
    /// Its name, for people and for the task.
    pub name: String,
    /// Which child of which child it is: `1:2` is the second that the first one started.
    pub identity: String,
    /// Whether it is killed when its parent exits, rather than waited for.
    pub daemon: bool,
    /// The process that started it.
    pub parent_pid: u32,
    /// Where it works; `None` is where its parent was.
    #[serde(with = "path")]
    pub current_dir: Option<PathBuf>,
    /// What it runs. When one descriptor more comes than belongs to the call, its payload lies in
    /// that one; see [`parcel`](crate::link::parcel).
    pub call: BootCall,
    /// Which of the descriptors is the task's channel, for its error.
    pub channel: Option<u32>,
}

pub(super) const PROCESS: u8 = 5;

impl ProcessBoot {
    /// The message, for a sender that has the boot by reference.
    #[must_use]
    pub fn encode(&self) -> Encoded<'static> {
        Encoded::new(Head::new(PROCESS), to_cbor(self))
    }
}
