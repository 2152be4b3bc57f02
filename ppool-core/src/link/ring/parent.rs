//! The parent's end.

use std::{
    collections::VecDeque,
    io,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use super::record;
#[cfg(test)]
use crate::shm::bell::Bell;
use crate::{
    codec::{Payload, SharedPayload},
    ids::{ItemId, WorkId},
    link::{Link, LinkState, Started, socket::SocketLink},
    shm::{
        Region,
        call_ring::{self, CallQueue, Entry, Full, Source},
        result_ring::ResultReader,
        segments::Received,
    },
    sys::futex,
    wire::{Boot, CallItem, CallOutcome, FromWorker, ResultItem, WireError},
};

/// How many calls lie before a worker that sleeps at most, when they may.
pub(super) const LYING: u32 = 64;

/// How many records one turn takes at most.
const TURN: usize = 1024;

/// Arguments that a worker has in part, and not by value.
#[derive(Debug)]
struct Lent {
    work_id: WorkId,
    attempt: u32,
    has_descriptors: bool,
    /// Keeps the segment; descriptors are only kept until they are sent.
    _segment: Option<SharedPayload>,
}

/// The parent's end of a region and the socket that goes with it.
#[derive(Debug)]
pub struct RingLink {
    socket: SocketLink,
    state: LinkState,
    region: Region,
    /// The region's descriptor, until it is sent.
    descriptor: Option<OwnedFd>,
    calls: CallQueue,
    results: ResultReader,
    /// Calls that there was no room for.
    kept: VecDeque<Kept>,
    /// Calls whose arguments lie in segments or have descriptors, until the worker doesn't need these
    /// any more.
    lent: Vec<Lent>,
    /// Whether the sentinel waits for them.
    sentinel_kept: bool,
    /// Whether the calls sent now say when they started.
    timed: bool,
    /// Whether calls may lie before a worker that sleeps.
    lazy: bool,
    /// How many do, if it sleeps.
    lying: u32,
    /// Whether somebody was told that there is no room.
    room_wanted: bool,
    /// Whether the worker has said that it is ready: its results come after that.
    ready: bool,
    /// Messages of the socket, while they are sorted.
    arrived: Vec<FromWorker>,
    /// Results that came by the socket, until their place in the ring is there.
    streamed: VecDeque<ResultItem>,
    /// Whether the reader of the ring has come to such a place, and the result is not there yet.
    gap: bool,
    /// The worker's goodbye, until the ring is empty.
    bye: bool,
}

/// A call that could not be queued yet.
#[derive(Debug)]
struct Kept {
    call: CallItem,
    timed: bool,
    payload: SharedPayload,
}

impl RingLink {
    /// Takes over one end of a pair of stream sockets, and makes the region that goes with it.
    ///
    /// # Errors
    /// When memory, address space or descriptors have run out.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        let (region, descriptor) = Region::create()?;
        Ok(RingLink {
            socket: SocketLink::new(socket)?,
            state: LinkState::Open,
            descriptor: Some(descriptor),
            calls: CallQueue::new(&region),
            results: ResultReader::new(&region),
            region,
            kept: VecDeque::new(),
            lent: Vec::new(),
            sentinel_kept: false,
            timed: false,
            lazy: false,
            lying: 0,
            room_wanted: false,
            ready: false,
            arrived: Vec::new(),
            streamed: VecDeque::new(),
            gap: false,
            bye: false,
        })
    }

    #[cfg(test)]
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor
            .as_ref()
            .expect("nothing was booted")
            .as_fd()
    }

    #[cfg(test)]
    pub(super) fn worker_bell(&self) -> Bell<'_> {
        self.region.worker_bell()
    }

    /// Queues a call, unless there is no room for it.
    #[inline]
    fn queue(
        &mut self,
        call: CallItem,
        timed: bool,
        payload: &SharedPayload,
    ) -> io::Result<Result<(), Full>> {
        let entry = Entry {
            work_id: call.work_id.0,
            task: call.task.0,
            attempt: call.attempt,
            count: call.count,
            timed,
        };
        let is_bare = payload.descriptors().is_empty() && payload.stored().is_none();
        let pushed = if is_bare && self.calls.takes(payload.len()) {
            self.calls.push(&entry, Source::Bytes(payload.bytes()))
        } else {
            if self.calls.room() == 0 {
                return Ok(Err(Full));
            }
            self.socket.send_call(call, payload.clone())?;
            if !is_bare {
                self.lent.push(Lent {
                    work_id: call.work_id,
                    attempt: call.attempt,
                    has_descriptors: !payload.descriptors().is_empty(),
                    _segment: payload.stored().map(|_| payload.clone()),
                });
            }
            self.calls.push(&entry, Source::Stream)
        };
        if pushed.is_ok() {
            self.lying += 1;
            if !self.lazy || self.lying >= LYING {
                self.ring();
            }
        }
        Ok(pushed)
    }

    /// Queues calls that were kept, as far as there is room.
    fn queue_kept(&mut self) -> io::Result<()> {
        while let Some(kept) = self.kept.pop_front() {
            if self.queue(kept.call, kept.timed, &kept.payload)?.is_err() {
                self.kept.push_front(kept);
                return Ok(());
            }
        }
        if std::mem::take(&mut self.sentinel_kept) {
            self.socket.send_sentinel()?;
        }
        Ok(())
    }

    /// Receives from the socket, and sorts what came.
    fn drive_socket(&mut self, up: &mut Vec<FromWorker>) -> io::Result<()> {
        let result = self.socket.drive(&mut self.arrived);
        for message in self.arrived.drain(..) {
            match message {
                // The last two are a template's, which has no ring.
                FromWorker::Doorbell
                | FromWorker::Descriptors
                | FromWorker::Forked { .. }
                | FromWorker::NotForked { .. } => {}
                FromWorker::Bye => self.bye = true,
                FromWorker::Result(result) => self.streamed.push_back(result),
                FromWorker::Ready => {
                    self.ready = true;
                    up.push(FromWorker::Ready);
                }
                FromWorker::Hello(_)
                | FromWorker::StartFailed(_)
                | FromWorker::FinalizerFailed(_) => up.push(message),
            }
        }
        self.state = result?;
        Ok(())
    }

    /// Takes results off the ring.
    #[inline]
    fn drain(&mut self, up: &mut Vec<FromWorker>) -> io::Result<()> {
        for _ in 0..TURN {
            if self.gap {
                let Some(result) = self.streamed.pop_front() else {
                    // Its last bytes are in the socket, and make the descriptor readable.
                    break;
                };
                self.gap = false;
                self.pass_up(result, up)?;
            }
            match self.results.next()? {
                Some(record) => match record::result(record)? {
                    Some(result) => self.pass_up(result, up)?,
                    None => self.gap = true,
                },
                None => break,
            }
        }
        if self.results.give_back() && self.region.room_bell().must_ring() {
            futex::wake(self.region.room_bell().word(), 1);
        }
        if !self.kept.is_empty() {
            self.queue_kept()?;
        }
        Ok(())
    }

    /// Hands a result on, and takes note of it.
    #[inline]
    fn pass_up(&mut self, mut result: ResultItem, up: &mut Vec<FromWorker>) -> io::Result<()> {
        if let CallOutcome::InSegment { .. } = result.outcome {
            result.outcome = self.in_segment(result.outcome)?;
        }
        let count = match &result.outcome {
            CallOutcome::Values { count, .. } => *count,
            _ => 1,
        };
        let answered = self.calls.answered(result.work_id.0, result.attempt, count);
        if let (CallOutcome::Values { spent, .. }, Some(nanos)) = (&mut result.outcome, answered) {
            *spent = nanos;
        }
        if !self.lent.is_empty() {
            self.drop_lent();
        }
        up.push(FromWorker::Result(result));
        Ok(())
    }

    /// The value that lies in a segment.
    #[cold]
    fn in_segment(&self, outcome: CallOutcome) -> io::Result<CallOutcome> {
        let CallOutcome::InSegment {
            len,
            ticket,
            mut attached,
        } = outcome
        else {
            return Ok(outcome);
        };
        let mut attached = attached.take_attached();
        let Some(segment) = attached.pop() else {
            return match attached.is_incomplete() {
                // As a result without bytes it doesn't decode.
                true => Ok(CallOutcome::Value(Payload::received(Vec::new(), attached))),
                false => Err(WireError::Descriptors.into()),
            };
        };
        let stored = Received::stored(&self.region, segment, ticket, len)?;
        Ok(CallOutcome::Value(Payload::stored_with(stored, attached)))
    }

    /// Gives back the segments of calls that the worker has answered, or will never start.
    #[cold]
    fn drop_lent(&mut self) {
        let calls = &self.calls;
        self.lent
            .retain(|lent| calls.in_flight().any(|id| id == lent.work_id.0));
    }

    /// A call was revoked: the worker, which may be busy for long, is not to keep its descriptors until
    /// it gets to its slot.
    #[cold]
    fn return_lent(&mut self, work_id: WorkId) {
        let of_call = self.lent.iter().find(|lent| lent.work_id == work_id);
        if let Some(lent) = of_call.filter(|lent| lent.has_descriptors) {
            // When the worker is gone they are closed, too.
            let _ = self.socket.send_revoked(work_id, lent.attempt);
        }
        self.drop_lent();
    }

    /// Takes all that a worker has left that is not there any more.
    fn drain_rest(&mut self, up: &mut Vec<FromWorker>) -> io::Result<()> {
        loop {
            let before = up.len();
            self.drain(up)?;
            if self.gap && self.streamed.is_empty() {
                // It announced a result that it could not send any more.
                self.gap = false;
            } else if up.len() == before {
                break;
            }
        }
        if let Some(record) = self.results.take_open()?
            && let Some(result) = record::result(record)?
        {
            self.pass_up(result, up)?;
        }
        // Results that it sent, and then could not announce.
        while let Some(result) = self.streamed.pop_front() {
            self.pass_up(result, up)?;
        }
        Ok(())
    }
}

impl Link for RingLink {
    #[inline]
    fn send_call(&mut self, call: CallItem, payload: SharedPayload) -> io::Result<()> {
        let timed = self.timed;
        if self.kept.is_empty() && self.queue(call, timed, &payload)?.is_ok() {
            return Ok(());
        }
        self.kept.push_back(Kept {
            call,
            timed,
            payload,
        });
        Ok(())
    }

    fn send_boot(&mut self, boot: &Boot, mut descriptors: Vec<OwnedFd>) -> io::Result<()> {
        descriptors.extend(self.descriptor.take());
        self.socket.send_boot(boot, descriptors)
    }

    fn send_stop(&mut self, item: ItemId) -> io::Result<()> {
        self.socket.send_stop(item)
    }

    fn send_sentinel(&mut self) -> io::Result<()> {
        if self.kept.is_empty() {
            return self.socket.send_sentinel();
        }
        self.sentinel_kept = true;
        Ok(())
    }

    fn revoke(&mut self, work_id: WorkId) -> bool {
        let kept = self.kept.len();
        self.kept.retain(|kept| kept.call.work_id != work_id);
        let revoked = self.kept.len() < kept || self.calls.revoke(work_id.0);
        if revoked && !self.lent.is_empty() {
            self.return_lent(work_id);
        }
        revoked
    }

    fn take_back(&mut self, work_id: WorkId, leave: u32) -> Option<Range<u32>> {
        self.calls.take_back(work_id.0, leave)
    }

    fn started(&self, work_id: WorkId) -> Option<Started> {
        if self.kept.iter().any(|kept| kept.call.work_id == work_id) {
            return Some(Started::No);
        }
        self.calls.started(work_id.0).map(|started| match started {
            call_ring::Started::No => Started::No,
            call_ring::Started::Yes { since } => Started::Yes { since },
        })
    }

    fn room(&mut self) -> usize {
        let room = self.calls.room().saturating_sub(self.kept.len());
        self.room_wanted = room == 0;
        room
    }

    fn set_timed(&mut self, timed: bool) {
        self.timed = timed;
    }

    fn set_lazy(&mut self, lazy: bool) {
        self.lazy = lazy;
    }

    #[inline]
    fn ring(&mut self) {
        if std::mem::take(&mut self.lying) > 0 && self.region.worker_bell().must_ring() {
            futex::wake(self.region.worker_bell().word(), 1);
        }
    }

    fn set_spin(&mut self, spin: Duration) {
        let nanos = u64::try_from(spin.as_nanos()).unwrap_or(u64::MAX);
        // The word is only written when it changes: the worker looks at it while it spins.
        if self.region.spin() != nanos {
            self.region.set_spin(nanos);
        }
    }

    fn wants_write(&self) -> bool {
        self.socket.wants_write()
    }

    fn is_unread(&self) -> bool {
        let last = self.calls.in_flight().next_back();
        let started = last.and_then(|work_id| self.calls.started(work_id));
        !self.kept.is_empty() || started == Some(call_ring::Started::No)
    }

    #[inline]
    fn take_results(&mut self, up: &mut Vec<FromWorker>) -> io::Result<()> {
        if self.results.has_some()? && !self.ready {
            // It said that it is ready before it published this.
            self.drive_socket(up)?;
        }
        self.drain(up)
    }

    fn prepare_sleep(&mut self) -> bool {
        self.region.parent_bell().announce();
        // What can't be read is something to do: the next look finds the failure.
        let results = self.results.has_some().unwrap_or(true);
        let room = (self.room_wanted || !self.kept.is_empty()) && self.calls.room() > 0;
        let waits_for_socket = self.gap && self.streamed.is_empty();
        (!results || waits_for_socket) && !room
    }

    fn wake_up(&mut self) {
        self.region.parent_bell().withdraw();
    }

    fn drive(&mut self, up: &mut Vec<FromWorker>) -> io::Result<LinkState> {
        let socket = self.drive_socket(up);
        match (&socket, self.state) {
            (Ok(()), LinkState::Open) => self.drain(up)?,
            // All that was published before the end is there now.
            _ => self.drain_rest(up)?,
        }
        socket?;
        if self.bye && !self.gap && !self.results.has_some()? {
            self.bye = false;
            up.push(FromWorker::Bye);
        }
        Ok(self.state)
    }

    fn take_rest(&mut self, up: &mut Vec<FromWorker>) -> io::Result<()> {
        loop {
            let before = up.len();
            if self.drive(up)? == LinkState::Closed {
                return Ok(());
            }
            if up.len() == before {
                return self.drain_rest(up);
            }
        }
    }
}

impl AsFd for RingLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for RingLink {
    fn drop(&mut self) {
        self.region.close();
        for bell in [self.region.worker_bell(), self.region.room_bell()] {
            if bell.must_ring() {
                futex::wake(bell.word(), 1);
            }
        }
    }
}
