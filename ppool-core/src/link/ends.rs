//! The two ends of a link.

use std::{
    fmt, io,
    ops::Range,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use crate::{
    codec::{SharedPayload, attach::Attached, segment::Stored},
    ids::{ItemId, WorkId},
    wire::{Boot, CallItem, FromWorker, ToWorker},
};

/// The parent's end of the link to one worker. Nothing here blocks (QM-1).
///
/// Its descriptor is readable when [`Link::drive`] has something to receive; watch it for writing
/// too while [`Link::wants_write`].
pub trait Link: Send + fmt::Debug + AsFd {
    /// Sends a call: writes what fits and keeps the rest by reference until [`Link::drive`] can
    /// write it. The worker gets copies of the payload's descriptors.
    ///
    /// # Errors
    /// When the transport failed and is of no use any more. A worker that is gone is not an error
    /// here: `drive` says so.
    fn send_call(&mut self, call: CallItem, payload: SharedPayload) -> io::Result<()>;

    /// Sends the worker's first message, with the descriptors that it speaks of.
    ///
    /// # Errors
    /// As [`Link::send_call`].
    fn send_boot(&mut self, boot: &Boot, descriptors: Vec<OwnedFd>) -> io::Result<()>;

    /// Tells the worker to stop this item, if it still runs.
    ///
    /// # Errors
    /// As [`Link::send_call`].
    fn send_stop(&mut self, item: ItemId) -> io::Result<()>;

    /// Tells the worker to finish what it has and end.
    ///
    /// # Errors
    /// As [`Link::send_call`].
    fn send_sentinel(&mut self) -> io::Result<()>;

    /// Takes back a call that the worker has not started, if the transport can; `false` when it
    /// has started, or can't be taken back.
    fn revoke(&mut self, _work_id: WorkId) -> bool {
        false
    }

    /// Takes back items of a call of several that the worker has not started, from the end, all but
    /// `leave` of them: which, counted within the call. `None` when there are none, or the transport
    /// can't.
    fn take_back(&mut self, _work_id: WorkId, _leave: u32) -> Option<Range<u32>> {
        None
    }

    /// How far the worker is with a call that is not answered; `None` when the transport can't tell
    /// or there is no such call. After a death it is exact.
    fn started(&self, _work_id: WorkId) -> Option<Started> {
        None
    }

    /// How many more calls the worker's queue takes, if their payloads fit. Calls beyond are kept
    /// here, in order, until there is room. One at a time where a queued call can't be taken back.
    fn room(&mut self) -> usize {
        1
    }

    /// Whether the calls that are sent from now on say when they started.
    fn set_timed(&mut self, _timed: bool) {}

    /// For how long a worker without work looks for some before it sleeps; zero, as it is at first,
    /// when no processor is free. A worker that is looking right now hears of it, too.
    fn set_spin(&mut self, _spin: Duration) {}

    /// Whether calls that are sent from now on may lie for a while before the worker is woken for them:
    /// until some have come together, or [`Link::ring`].
    fn set_lazy(&mut self, _lazy: bool) {}

    /// Wakes the worker if it sleeps and has calls.
    fn ring(&mut self) {}

    /// Receives what can be had without a system call: nothing, for most transports.
    ///
    /// # Errors
    /// As [`Link::drive`].
    fn take_results(&mut self, _up: &mut Vec<FromWorker>) -> io::Result<()> {
        Ok(())
    }

    /// Says that nobody looks after this link until its descriptor is ready; `false` when there is
    /// something to do right now. Call it before every sleep, for each link; after a `false`, or to
    /// look without sleeping, call [`Link::wake_up`].
    fn prepare_sleep(&mut self) -> bool {
        true
    }

    /// Says that somebody looks after this link, so that the worker need not wake anybody.
    fn wake_up(&mut self) {}

    /// Receives the rest, however much, of a worker whose process has ended.
    ///
    /// # Errors
    /// As [`Link::drive`].
    fn take_rest(&mut self, up: &mut Vec<FromWorker>) -> io::Result<()> {
        loop {
            let before = up.len();
            // Others may hold the worker's end open, so its close is not waited for.
            if self.drive(up)? == LinkState::Closed || up.len() == before {
                return Ok(());
            }
        }
    }

    /// Whether something waits until it can be written.
    fn wants_write(&self) -> bool;

    /// Whether the worker has not read all that was sent; certain once the link is closed. The last
    /// call that was sent then has not started.
    fn is_unread(&self) -> bool;

    /// Writes what waits and receives what is there, each up to a bound, so that one busy worker
    /// can't keep the others waiting: what is left makes the descriptor ready again.
    ///
    /// # Errors
    /// When the transport failed, or what came is no message (LINK-2). What came before is in `up`;
    /// the link is of no use any more.
    fn drive(&mut self, up: &mut Vec<FromWorker>) -> io::Result<LinkState>;
}

/// How far a worker is with a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Started {
    /// It has not started it.
    No,
    /// It runs, or did when the worker died.
    Yes {
        /// Since when, in nanoseconds of the monotonic clock, if it was sent as one that says so. A
        /// moment passes until it has.
        since: Option<u64>,
    },
}

/// Whether more can come from a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a closed link's descriptor stays readable for ever"]
pub enum LinkState {
    /// It can.
    Open,
    /// It can't: the worker has closed its end or died, and everything it sent was delivered.
    Closed,
}

/// The worker's end of its link. It blocks: one thread receives while others send.
pub trait WorkerLink: Send + Sync + fmt::Debug {
    /// Waits for the next message; `None` when the parent is gone, or
    /// [`stop_receiving`](WorkerLink::stop_receiving) was called.
    ///
    /// # Errors
    /// When the transport failed, or what came is no message.
    fn recv(&self) -> io::Result<Option<ToWorker>>;

    /// The descriptors that came with the message that `recv` returned last; for the thread that
    /// receives. What is not taken before the next `recv` is closed.
    fn take_descriptors(&self) -> Attached;

    /// Sends a message; waits until all of it is written.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] when the parent is gone.
    fn send(&self, message: &FromWorker) -> io::Result<()>;

    /// Sends a result that is a value, from where it lies, with the descriptors that belong to it.
    /// These are closed once sent.
    ///
    /// # Errors
    /// As [`WorkerLink::send`].
    fn send_value(
        &self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        value: &[u8],
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<()>;

    /// Sends a result that lies in a segment: its descriptor, in place of its bytes.
    ///
    /// # Errors
    /// As [`WorkerLink::send`].
    fn send_stored(
        &self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        value: &Stored,
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<()>;

    /// Has `recv` return `None` from now on, also to a thread that waits in it.
    ///
    /// # Errors
    /// When the transport was taken away: a task may have closed all descriptors. A thread that
    /// waits in `recv` then waits for ever.
    fn stop_receiving(&self) -> io::Result<()>;
}
