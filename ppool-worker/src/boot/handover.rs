//! The two threads' ends of the link: where the call thread gets calls and gives results, and how the
//! control thread hands on to it what it receives.

use std::{
    io,
    sync::{Arc, mpsc},
};

use ppool_core::{
    codec::attach::Attached,
    ids::WorkId,
    link::{
        WorkerLink,
        ring::{self, RingCalls, RingControl, RingResults},
    },
    wire::CallItem,
};

use super::NotSettled;
use crate::ends::{QueuedCall, QueuedCalls, SocketResults, Work};

/// Where calls come from and results go, and how the control thread gets at the call thread.
pub(super) struct Ends {
    pub(super) calls: CallEnds,
    pub(super) handover: Handover,
}

/// The call thread's ends of its link.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, and it lives as long as the process"
)]
pub(super) enum CallEnds {
    Socket(QueuedCalls, SocketResults),
    Ring(RingCalls, RingResults),
}

/// How the control thread hands on what it receives.
pub(super) enum Handover {
    Queue(mpsc::Sender<Work>),
    Ring(Arc<RingControl>),
}

impl Handover {
    pub(super) fn call(&self, item: CallItem, payload: Vec<u8>, attached: Attached) {
        match self {
            // The call thread may have ended, and then stops the control thread next.
            Handover::Queue(queue) => {
                let call = QueuedCall::new(item, payload, attached);
                let _ = queue.send(Work::Call(call));
            }
            Handover::Ring(control) => control.deliver(item, payload, attached),
        }
    }

    pub(super) fn call_in_segment(
        &self,
        item: CallItem,
        len: u64,
        attached: Attached,
    ) -> io::Result<()> {
        match self {
            // A pool that speaks through sockets alone sends the bytes.
            Handover::Queue(_) => Err(io::ErrorKind::Unsupported.into()),
            Handover::Ring(control) => control.deliver_in_segment(item, len, attached),
        }
    }

    /// A call that was sent before is not to be run.
    pub(super) fn revoked(&self, work_id: WorkId, attempt: u32) {
        match self {
            // Nothing is revoked that went through a socket alone.
            Handover::Queue(_) => {}
            Handover::Ring(control) => control.revoked(work_id, attempt),
        }
    }

    pub(super) fn sentinel(&self) {
        match self {
            Handover::Queue(queue) => {
                let _ = queue.send(Work::Sentinel);
            }
            Handover::Ring(control) => control.end(),
        }
    }
}

/// The ends of the link that the boot message, just received, has set up: those of a ring if it
/// brought one.
pub(super) fn ends(link: &Arc<dyn WorkerLink>, mut own: Attached) -> Result<Ends, NotSettled> {
    let Some(region) = own.pop() else {
        let (queue, calls) = mpsc::channel();
        let results = SocketResults(link.clone());
        return Ok(Ends {
            calls: CallEnds::Socket(QueuedCalls(calls), results),
            handover: Handover::Queue(queue),
        });
    };
    let attached = ring::attach(region, link.clone());
    let (calls, results, control) = attached.map_err(|error| match error.raw_os_error() {
        // What the system says is that it has no more memory or descriptors for this.
        Some(_) => NotSettled::Shortage,
        None => NotSettled::Failed(format!("could not share memory with the parent: {error}")),
    })?;
    Ok(Ends {
        calls: CallEnds::Ring(calls, results),
        handover: Handover::Ring(control),
    })
}
