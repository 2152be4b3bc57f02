//! The worker's ends: two for its call thread, one for its control thread.

use std::{
    collections::VecDeque,
    io,
    ops::Range,
    os::fd::OwnedFd,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
};

use super::record::{EVEN_VALUES, STREAMED, VALUE, VALUES, head};
use crate::{
    codec::{Encoder, Places, attach::Attached, segment::Segments},
    ids::WorkId,
    link::WorkerLink,
    shm::{
        Broken, Region,
        bell::Bell,
        call_ring::{CallTaker, Claimed, Entry, Place, Taken},
        result_ring::{NoRoom, ResultWriter},
        segments::{KEPT_FOR, ResultSegments, View},
    },
    sys::{
        clock,
        futex::{self, Waited},
    },
    task::TaskKey,
    wire::{CallItem, FromWorker, ResultItem, WireError},
};

/// Attaches to the region whose descriptor came with the boot message; the rest goes by `socket`.
///
/// # Errors
/// When the descriptor is not that of such a region.
pub fn attach(
    region: OwnedFd,
    socket: Arc<dyn WorkerLink>,
) -> io::Result<(RingCalls, RingResults, Arc<RingControl>)> {
    let region = Region::attach(region)?;
    let segments = ResultSegments::new(&region);
    let control = Arc::new(RingControl {
        region: region.clone(),
        segments: segments.clone(),
        ending: AtomicBool::new(false),
        streams: Mutex::default(),
        changed: Condvar::new(),
    });
    let calls = RingCalls {
        taker: CallTaker::new(&region),
        control: control.clone(),
        socket: socket.clone(),
    };
    let results = RingResults {
        writer: ResultWriter::new(&region),
        segments,
        region,
        socket,
    };
    Ok((calls, results, control))
}

/// What the control thread tells the call thread.
#[derive(Debug)]
pub struct RingControl {
    region: Region,
    /// What to free when there is nothing to do.
    segments: ResultSegments,
    /// Whether no more calls come than are in the ring.
    ending: AtomicBool,
    streams: Mutex<Streams>,
    changed: Condvar,
}

/// Calls whose arguments come by the socket, in the order of their slots.
#[derive(Debug, Default)]
struct Streams {
    /// They have come and wait for the call thread to get to their slots.
    here: VecDeque<Stream>,
    /// They were revoked before they came: to be thrown away.
    unwanted: VecDeque<(WorkId, u32)>,
}

/// The arguments of a call that came by the socket.
#[derive(Debug)]
struct Stream {
    id: (WorkId, u32),
    arguments: Arguments,
    attached: Attached,
}

/// Where they are.
#[derive(Debug)]
enum Arguments {
    OnHeap(Vec<u8>),
    InSegment(View),
}

impl RingControl {
    /// Hands over a call that came by the socket. Its slot says when it runs, or that it doesn't.
    pub fn deliver(&self, item: CallItem, payload: Vec<u8>, attached: Attached) {
        self.deliver_from(item, Arguments::OnHeap(payload), attached);
    }

    /// The same for a call whose arguments, of `len` bytes, lie in the segment that is last of what is
    /// attached.
    ///
    /// # Errors
    /// When there is no such segment.
    pub fn deliver_in_segment(
        &self,
        item: CallItem,
        len: u64,
        mut attached: Attached,
    ) -> io::Result<()> {
        let arguments = match attached.pop() {
            Some(segment) => match View::new(segment, len) {
                Ok(view) => Arguments::InSegment(view),
                // There is no room for them: without arguments, the call fails by itself.
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                    Arguments::OnHeap(Vec::new())
                }
                Err(error) => return Err(error),
            },
            // As many descriptors are open as may be: so does it then.
            None if attached.is_incomplete() => Arguments::OnHeap(Vec::new()),
            None => return Err(WireError::Descriptors.into()),
        };
        self.deliver_from(item, arguments, attached);
        Ok(())
    }

    fn deliver_from(&self, item: CallItem, arguments: Arguments, attached: Attached) {
        let id = (item.work_id, item.attempt);
        let mut streams = lock(&self.streams);
        if streams.unwanted.front() == Some(&id) {
            streams.unwanted.pop_front();
            return;
        }
        streams.here.push_back(Stream {
            id,
            arguments,
            attached,
        });
        drop(streams);
        self.changed.notify_one();
    }

    /// A call that came by the socket was revoked: its descriptors and its memory are given back before
    /// the call thread gets to its slot.
    pub fn revoked(&self, work_id: WorkId, attempt: u32) {
        let mut streams = lock(&self.streams);
        let waiting = streams.here.iter_mut();
        // It stays in the order of the slots, of which this one says that it is revoked.
        let revoked = waiting
            .filter(|stream| stream.id == (work_id, attempt))
            .map(|stream| {
                let arguments =
                    std::mem::replace(&mut stream.arguments, Arguments::OnHeap(Vec::new()));
                (arguments, std::mem::take(&mut stream.attached))
            })
            .next();
        drop(streams);
        drop(revoked);
    }

    /// Says that no more calls come than are in the ring: after the sentinel, or when the parent is
    /// gone.
    pub fn end(&self) {
        self.ending.store(true, Release);
        // Under the lock, so that it doesn't fall between a look and a sleep of the call thread.
        drop(lock(&self.streams));
        self.changed.notify_one();
        // The call thread may sleep on its bell: this side rings it as the parent does.
        wake(self.region.worker_bell());
    }

    fn is_ending(&self) -> bool {
        // Acquire: pairs with `end`; what was queued before the sentinel is seen then.
        self.ending.load(Acquire)
    }

    /// Waits for the arguments of a call; `None` when they don't come any more.
    fn take_stream(&self, entry: &Entry) -> Result<Option<Stream>, Broken> {
        let id = (WorkId(entry.work_id), entry.attempt);
        let mut streams = lock(&self.streams);
        loop {
            if let Some(stream) = streams.here.pop_front() {
                return match stream.id == id {
                    true => Ok(Some(stream)),
                    false => Err(Broken("the order of calls")),
                };
            }
            if self.is_ending() {
                return Ok(None);
            }
            streams = self
                .changed
                .wait(streams)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Throws away the arguments of a call that was revoked, now or when they come.
    fn drop_stream(&self, entry: &Entry) {
        let mut streams = lock(&self.streams);
        if streams.here.pop_front().is_none() {
            let id = (WorkId(entry.work_id), entry.attempt);
            streams.unwanted.push_back(id);
        }
    }
}

/// Where the call thread gets its calls.
#[derive(Debug)]
pub struct RingCalls {
    taker: CallTaker,
    control: Arc<RingControl>,
    socket: Arc<dyn WorkerLink>,
}

/// A call that runs.
#[derive(Debug)]
#[must_use = "its slot must be released"]
pub struct RingCall {
    claimed: Claimed,
    item: CallItem,
    /// Its arguments, if they came by the socket.
    stream: Option<Box<Stream>>,
}

impl RingCall {
    /// What the call is.
    #[must_use]
    pub fn item(&self) -> CallItem {
        self.item
    }

    /// Takes the descriptors that came with it.
    #[inline]
    pub fn take_attached(&mut self) -> Attached {
        let stream = self.stream.as_mut();
        stream.map_or_else(Attached::default, |stream| {
            std::mem::take(&mut stream.attached)
        })
    }

    /// Frees arguments that take much memory; they are not needed any more.
    pub fn free_arguments(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.arguments = Arguments::OnHeap(Vec::new());
        }
    }
}

impl RingCalls {
    /// Waits for the next call: looks for one for as long as the parent wishes, then sleeps. `None` when
    /// no more come.
    ///
    /// # Errors
    /// When the memory is damaged, or the parent is gone.
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "it is no iterator: a call must be released before the next one"
    )]
    pub fn next(&mut self) -> io::Result<Option<RingCall>> {
        loop {
            // Before the look, so that what came before the sentinel is found by it.
            let ending = self.control.is_ending();
            match self.taker.take()? {
                Some(Taken::Call(claimed)) => return self.begin(claimed),
                Some(Taken::RevokedStream(entry)) => self.control.drop_stream(&entry),
                None if ending => return Ok(None),
                None => self.wait()?,
            }
        }
    }

    /// The same without waiting; `None` when there is no call now.
    #[cfg(test)]
    pub(super) fn try_next(&mut self) -> io::Result<Option<RingCall>> {
        loop {
            match self.taker.take()? {
                Some(Taken::Call(claimed)) => return self.begin(claimed),
                Some(Taken::RevokedStream(entry)) => self.control.drop_stream(&entry),
                None => return Ok(None),
            }
        }
    }

    #[inline]
    fn begin(&mut self, claimed: Claimed) -> io::Result<Option<RingCall>> {
        let entry = claimed.entry;
        if entry.timed {
            self.taker
                .set_started_at(&claimed, clock::monotonic_nanos());
        }
        let stream = match claimed.place {
            Place::Here { .. } => None,
            Place::Stream => match self.control.take_stream(&entry)? {
                Some(stream) => Some(Box::new(stream)),
                None => return Ok(None),
            },
        };
        let item = CallItem {
            work_id: WorkId(entry.work_id),
            attempt: entry.attempt,
            task: TaskKey(entry.task),
            count: entry.count,
        };
        Ok(Some(RingCall {
            claimed,
            item,
            stream,
        }))
    }

    /// Waits until there is something to take, or the end.
    #[cold]
    fn wait(&mut self) -> io::Result<()> {
        let region = &self.control.region;
        if std::mem::take(&mut self.taker.skipped) {
            // The parent may wait for the slots of calls that it has revoked.
            ring_parent(region, &*self.socket)?;
        }
        let is_over = || self.taker.has_some() || self.control.is_ending();
        if spin(region, is_over) {
            return Ok(());
        }
        let bell = region.worker_bell();
        bell.announce();
        while !is_over() && bell.is_announced() {
            // What is kept to be warm is kept for a while only.
            let patience = self.control.segments.keeps_some().then_some(KEPT_FOR);
            if let Waited::TimedOut = futex::wait(bell.word(), bell.asleep(), patience)? {
                self.control.segments.trim();
                break;
            }
        }
        bell.withdraw();
        Ok(())
    }

    /// The arguments of a call, where they lie.
    #[inline]
    #[must_use]
    pub fn arguments<'a>(&'a self, call: &'a RingCall) -> &'a [u8] {
        match &call.stream {
            Some(stream) => match &stream.arguments {
                Arguments::OnHeap(bytes) => bytes,
                Arguments::InSegment(view) => view.bytes(),
            },
            None => self.taker.arguments(&call.claimed),
        }
    }

    /// Claims the next items of a call that has several, at most `want` of them; `None` when there
    /// are no more.
    #[inline]
    #[must_use]
    pub fn claim_items(&self, call: &RingCall, want: u32) -> Option<Range<u32>> {
        self.taker.claim_items(&call.claimed, want)
    }

    /// Ends a call: after its last result is staged, before it is published. `spent` is how long a
    /// call of several items took, in nanoseconds.
    #[inline]
    pub fn release(&self, call: RingCall, spent: u64) {
        if call.item.count > 1 {
            self.taker.set_spent(&call.claimed, spent);
        }
        self.taker.release(call.claimed);
    }
}

/// Where the call thread leaves its results.
#[derive(Debug)]
pub struct RingResults {
    writer: ResultWriter,
    segments: ResultSegments,
    region: Region,
    socket: Arc<dyn WorkerLink>,
}

impl RingResults {
    /// Where large results are written.
    #[must_use]
    pub fn segments(&self) -> Arc<dyn Segments> {
        self.segments.source()
    }

    /// Stages a value: what was encoded, and the descriptors that belong to it.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] when the parent is gone.
    #[inline]
    pub fn value(
        &mut self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        value: &mut Encoder,
    ) -> io::Result<()> {
        if value.has_descriptors() || !self.writer.takes(value.len()) {
            return self.stream_value(work_id, attempt, index, value);
        }
        let head = head(VALUE, work_id, attempt, index);
        self.write(|writer| writer.stage(head, value.bytes()))
    }

    /// Adds a value of a call of several items. Until it is published, it is lost to the parent only
    /// if the machine dies.
    ///
    /// # Errors
    /// As [`RingResults::value`].
    #[inline]
    pub fn add_value(
        &mut self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        value: &mut Encoder,
    ) -> io::Result<()> {
        let len = (value.len() as u64).to_le_bytes();
        if value.has_descriptors() || !self.writer.takes(len.len() + value.len()) {
            return self.value(work_id, attempt, index, value);
        }
        let value = value.bytes();
        let head = head(VALUES, work_id, attempt, index);
        self.add(|writer| writer.add(head, [&len, value]))
    }

    /// The places of values of `each` bytes, of a call's items from this one on: at least one. They
    /// are added as by [`add_value`](RingResults::add_value), when it is [told](RingResults::placed) how
    /// many were used. `None` when they are too large.
    ///
    /// # Errors
    /// As [`RingResults::value`].
    #[inline]
    pub fn places(
        &mut self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        each: usize,
    ) -> io::Result<Option<Places<'_>>> {
        if !self.writer.takes(each) {
            return Ok(None);
        }
        let head = head(EVEN_VALUES, work_id, attempt, index);
        self.add(|writer| writer.places(head, each).map(drop))?;
        Ok(self.writer.places(head, each).ok())
    }

    /// So many of the places were used.
    #[inline]
    pub fn placed(&mut self, count: u32, each: usize) {
        self.writer.placed(count, each);
    }

    /// Sends a value that is too large for the ring, or has descriptors.
    #[cold]
    fn stream_value(
        &mut self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        value: &mut Encoder,
    ) -> io::Result<()> {
        self.publish()?;
        let descriptors = value.take_descriptors();
        match value.take_stored() {
            Some(stored) => {
                self.segments.sent(&stored);
                self.socket
                    .send_stored(work_id, attempt, index, &stored, descriptors)?;
            }
            None => {
                self.socket
                    .send_value(work_id, attempt, index, value.bytes(), descriptors)?;
            }
        }
        self.streamed(work_id, attempt, index)
    }

    /// Stages a result that is no value. What has no place in the ring is sent by the socket.
    ///
    /// # Errors
    /// As [`RingResults::value`].
    pub fn outcome(&mut self, result: ResultItem) -> io::Result<()> {
        self.publish()?;
        let (work_id, attempt, index) = (result.work_id, result.attempt, result.index);
        self.socket.send(&FromWorker::Result(result))?;
        self.streamed(work_id, attempt, index)
    }

    /// Gives a result its place that was already sent by the socket.
    ///
    /// # Errors
    /// As [`RingResults::value`].
    pub fn streamed(&mut self, work_id: WorkId, attempt: u32, index: u32) -> io::Result<()> {
        let head = head(STREAMED, work_id, attempt, index);
        self.write(|writer| writer.stage(head, &[]))
    }

    /// Shows what was staged to the parent, and wakes it if it sleeps.
    ///
    /// # Errors
    /// As [`RingResults::value`].
    #[inline]
    pub fn publish(&mut self) -> io::Result<()> {
        self.writer.publish();
        ring_parent(&self.region, &*self.socket)
    }

    /// Publishes garbage.
    #[cfg(test)]
    pub(super) fn damage(&mut self) {
        let head = head(99, WorkId(1), 0, 0);
        self.write(|writer| writer.stage(head, b"?"))
            .expect("there is room");
        self.writer.publish();
    }

    /// Writes to the open record, or to a new one when there is room.
    #[inline]
    fn add(&mut self, add: impl Fn(&mut ResultWriter) -> Result<(), NoRoom>) -> io::Result<()> {
        if add(&mut self.writer).is_ok() {
            return Ok(());
        }
        // The record was full; the parent gets it now.
        self.publish()?;
        self.write(add)
    }

    /// Writes, when there is room.
    #[inline]
    fn write(&mut self, write: impl Fn(&mut ResultWriter) -> Result<(), NoRoom>) -> io::Result<()> {
        match write(&mut self.writer) {
            Ok(()) => Ok(()),
            Err(NoRoom) => self.write_later(write),
        }
    }

    #[cold]
    fn write_later(
        &mut self,
        write: impl Fn(&mut ResultWriter) -> Result<(), NoRoom>,
    ) -> io::Result<()> {
        self.publish()?;
        let writer = &mut self.writer;
        if spin(&self.region, || write(writer).is_ok()) {
            return Ok(());
        }
        let bell = self.region.room_bell();
        loop {
            bell.announce();
            if self.region.is_closed() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if write(&mut self.writer).is_ok() {
                bell.withdraw();
                return Ok(());
            }
            let _ = futex::wait(bell.word(), bell.asleep(), None)?;
        }
    }
}

/// Looks whether it is over, again and again for as long as the parent wishes at that moment; whether
/// it was.
#[inline]
fn spin(region: &Region, mut is_over: impl FnMut() -> bool) -> bool {
    /// How many looks are taken between two at the clock.
    const LOOKS: usize = 16;

    if region.spin() == 0 {
        return false;
    }
    let begun = clock::monotonic_nanos();
    loop {
        for _ in 0..LOOKS {
            if is_over() {
                return true;
            }
            std::hint::spin_loop();
        }
        if clock::monotonic_nanos().saturating_sub(begun) >= region.spin() {
            return false;
        }
    }
}

/// Wakes the parent if it sleeps, after something was published.
#[inline]
fn ring_parent(region: &Region, socket: &dyn WorkerLink) -> io::Result<()> {
    if region.parent_bell().must_ring() {
        socket.send(&FromWorker::Doorbell)?;
    }
    Ok(())
}

fn wake(bell: Bell<'_>) {
    if bell.must_ring() {
        futex::wake(bell.word(), 1);
    }
}

/// Locks it. Nothing that holds these locks can leave things half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
