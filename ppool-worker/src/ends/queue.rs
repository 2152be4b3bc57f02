//! A socket: the control thread receives calls and queues them; results are sent at once.

use std::{
    cell::Cell,
    io,
    ops::Range,
    sync::{Arc, mpsc::Receiver},
};

use ppool_core::{
    codec::{Encoder, attach::Attached},
    link::WorkerLink,
    wire::{CallItem, FromWorker, ResultItem},
};

use super::{Calls, ItemId, Results};

/// Arguments with more room than this are freed before the result is sent.
const LARGE: usize = 1 << 20;

/// What the control thread hands to the call thread.
#[derive(Debug)]
pub(crate) enum Work {
    /// A call to run.
    Call(QueuedCall),
    /// Nothing comes after this.
    Sentinel,
}

/// A call that came by the socket.
#[derive(Debug)]
pub(crate) struct QueuedCall {
    item: CallItem,
    payload: Vec<u8>,
    /// Descriptors that its arguments may refer to.
    attached: Attached,
    /// How many of its items were claimed.
    claimed: Cell<u32>,
}

impl QueuedCall {
    pub(crate) fn new(item: CallItem, payload: Vec<u8>, attached: Attached) -> Self {
        QueuedCall {
            item,
            payload,
            attached,
            claimed: Cell::new(0),
        }
    }
}

/// The calls that the control thread queues.
#[derive(Debug)]
pub(crate) struct QueuedCalls(pub(crate) Receiver<Work>);

impl Calls for QueuedCalls {
    type Call = QueuedCall;

    fn next(&mut self) -> io::Result<Option<QueuedCall>> {
        match self.0.recv() {
            Ok(Work::Call(call)) => Ok(Some(call)),
            Ok(Work::Sentinel) | Err(_) => Ok(None),
        }
    }

    fn item(call: &QueuedCall) -> CallItem {
        call.item
    }

    fn take_attached(call: &mut QueuedCall) -> Attached {
        std::mem::take(&mut call.attached)
    }

    fn arguments<'a>(&'a self, call: &'a QueuedCall) -> &'a [u8] {
        &call.payload
    }

    fn free_arguments(call: &mut QueuedCall) {
        if call.payload.capacity() > LARGE {
            call.payload = Vec::new();
        }
    }

    fn claim_items(&self, call: &QueuedCall, want: u32) -> Option<Range<u32>> {
        let start = call.claimed.get();
        let end = start.saturating_add(want).min(call.item.count);
        call.claimed.set(end);
        (start < end).then_some(start..end)
    }

    fn release(&self, call: QueuedCall, _spent: u64) {
        drop(call);
    }
}

/// Sends each result as it is made.
#[derive(Debug)]
pub(crate) struct SocketResults(pub(crate) Arc<dyn WorkerLink>);

impl Results for SocketResults {
    fn value(&mut self, id: ItemId, value: &mut Encoder) -> io::Result<()> {
        let descriptors = value.take_descriptors();
        let ItemId {
            work_id,
            attempt,
            index,
        } = id;
        self.0
            .send_value(work_id, attempt, index, value.bytes(), descriptors)
    }

    fn add_value(&mut self, id: ItemId, value: &mut Encoder) -> io::Result<()> {
        self.value(id, value)
    }

    fn outcome(&mut self, result: ResultItem) -> io::Result<()> {
        self.0.send(&FromWorker::Result(result))
    }

    fn reported(&mut self, _id: ItemId) -> io::Result<()> {
        Ok(())
    }

    fn publish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
