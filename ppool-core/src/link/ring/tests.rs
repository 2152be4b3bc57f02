//! The suite of all transports, and what only rings do.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{RingCall, RingCalls, RingControl, RingLink, RingResults, attach, parent::LYING};
use crate::{
    codec::{Encoder, SharedPayload, Spacing, attach::Attached, segment::Stored},
    ids::WorkId,
    link::{
        Link, LinkState, Started, WorkerLink,
        conformance::{self, Pair, call, collect, drive, pattern, shared, value, watched},
        socket::WorkerSocket,
    },
    sys::fcntl,
    wire::{CallItem, CallOutcome, FromWorker, ResultItem, ToWorker},
};

mod segments;

/// The worker's ends as one, as the suite wants them.
#[derive(Debug)]
struct Worker {
    socket: Arc<WorkerSocket>,
    calls: Mutex<RingCalls>,
    results: Mutex<RingResults>,
    /// What came by the socket, but for calls.
    messages: Mutex<(mpsc::Receiver<ToWorker>, Option<ToWorker>)>,
    descriptors: Mutex<Attached>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Worker {
    fn new(socket: Arc<WorkerSocket>, ends: Ends) -> Self {
        let (calls, results, control) = ends;
        let (sender, receiver) = mpsc::channel();
        let receives = socket.clone();
        let thread = thread::spawn(move || {
            while let Ok(Some(message)) = receives.recv() {
                match message {
                    ToWorker::Call { item, payload } => {
                        control.deliver(item, payload, receives.take_descriptors());
                    }
                    ToWorker::CallInSegment { item, len } => {
                        let attached = receives.take_descriptors();
                        control.deliver_in_segment(item, len, attached).unwrap();
                    }
                    ToWorker::Revoked { work_id, attempt } => control.revoked(work_id, attempt),
                    other => sender.send(other).unwrap(),
                }
            }
            control.end();
        });
        Worker {
            socket,
            calls: Mutex::new(calls),
            results: Mutex::new(results),
            messages: Mutex::new((receiver, None)),
            descriptors: Mutex::default(),
            thread: Some(thread),
        }
    }

    fn try_recv(&self) -> io::Result<Option<ToWorker>> {
        let mut calls = self.calls.lock().unwrap();
        let Some(mut call) = calls.try_next()? else {
            return Ok(None);
        };
        *self.descriptors.lock().unwrap() = call.take_attached();
        let message = ToWorker::Call {
            item: call.item(),
            payload: calls.arguments(&call).to_vec(),
        };
        calls.release(call, 0);
        Ok(Some(message))
    }
}

/// A value of these bytes, as a worker leaves it.
fn encoded(bytes: &[u8]) -> Encoder {
    let mut encoder = Encoder::new();
    encoder.put(bytes).unwrap();
    encoder
}

impl WorkerLink for Worker {
    fn recv(&self) -> io::Result<Option<ToWorker>> {
        *self.descriptors.lock().unwrap() = Attached::default();
        let (receiver, pending) = &mut *self.messages.lock().unwrap();
        loop {
            let mut ended = false;
            if pending.is_none() {
                match receiver.try_recv() {
                    Ok(message) => *pending = Some(message),
                    Err(mpsc::TryRecvError::Empty) => {}
                    Err(mpsc::TryRecvError::Disconnected) => ended = true,
                }
            }
            if let Some(ToWorker::Boot(_)) = pending {
                return Ok(pending.take());
            }
            if let Some(call) = self.try_recv()? {
                return Ok(Some(call));
            }
            if pending.is_some() || ended {
                return Ok(pending.take());
            }
            thread::sleep(Duration::from_micros(100));
        }
    }

    fn take_descriptors(&self) -> Attached {
        std::mem::take(&mut self.descriptors.lock().unwrap())
    }

    fn send(&self, message: &FromWorker) -> io::Result<()> {
        match message {
            FromWorker::Result(result) => {
                let mut results = self.results.lock().unwrap();
                results.outcome(result.clone())?;
                results.publish()
            }
            _ => self.socket.send(message),
        }
    }

    fn send_value(
        &self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        value: &[u8],
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<()> {
        let mut results = self.results.lock().unwrap();
        let mut encoder = encoded(value);
        encoder.set_descriptors(descriptors);
        results.value(work_id, attempt, index, &mut encoder)?;
        results.publish()
    }

    fn send_stored(
        &self,
        work_id: WorkId,
        attempt: u32,
        index: u32,
        value: &Stored,
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<()> {
        self.socket
            .send_stored(work_id, attempt, index, value, descriptors)
    }

    fn stop_receiving(&self) -> io::Result<()> {
        self.socket.stop_receiving()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.socket.stop_receiving().unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

type Ends = (RingCalls, RingResults, Arc<RingControl>);

/// Both ends of a new link, the worker's as its threads have them.
fn ends() -> (RingLink, Arc<WorkerSocket>, Ends) {
    let (parent, worker) = UnixStream::pair().unwrap();
    let parent = RingLink::new(parent.into()).unwrap();
    let region = fcntl::duplicate(parent.descriptor(), 0).unwrap();
    let socket = Arc::new(WorkerSocket::new(worker.into()));
    let ends = attach(region, socket.clone()).unwrap();
    (parent, socket, ends)
}

fn pair() -> Pair {
    let (parent, socket, ends) = ends();
    (Box::new(parent), Arc::new(Worker::new(socket, ends)))
}

conformance::suite!(pair);

fn items(id: u64, count: u32) -> CallItem {
    CallItem { count, ..call(id) }
}

fn send(link: &mut RingLink, id: u64) {
    let payload = shared(id.to_le_bytes().to_vec());
    link.send_call(call(id), payload).unwrap();
}

fn try_next(calls: &mut RingCalls) -> Option<RingCall> {
    calls.try_next().unwrap()
}

/// Runs the next call: answers with its arguments.
fn run(calls: &mut RingCalls, results: &mut RingResults) -> Option<u64> {
    let call = try_next(calls)?;
    let item = call.item();
    results
        .value(
            item.work_id,
            item.attempt,
            0,
            &mut encoded(calls.arguments(&call)),
        )
        .unwrap();
    calls.release(call, 0);
    results.publish().unwrap();
    Some(item.work_id.0)
}

fn is_readable(link: &RingLink) -> bool {
    let mut fds = [PollFd::new(link.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
}

#[test]
fn calls_beyond_the_ring_wait_until_there_is_room() {
    let (mut parent, _socket, (mut calls, mut results, _control)) = ends();
    let all: Vec<u64> = (0..3 * SLOTS).collect();
    for id in &all {
        send(&mut parent, *id);
    }
    assert_eq!(parent.room(), 0);
    parent.send_sentinel().unwrap();
    assert_eq!(parent.started(WorkId(3 * SLOTS - 1)), Some(Started::No));
    let mut up = Vec::new();
    let mut ran = Vec::new();
    while ran.len() < all.len() {
        ran.extend(std::iter::from_fn(|| run(&mut calls, &mut results)));
        assert_eq!(parent.drive(&mut up).unwrap(), LinkState::Open);
    }
    assert_eq!(ran, all);
    assert_eq!(up, all.map(|id| value(id, &id.to_le_bytes())));
    assert!(parent.room() > 0);
}

trait Map {
    fn map<T>(self, each: impl FnMut(u64) -> T) -> Vec<T>;
}

impl Map for Vec<u64> {
    fn map<T>(self, each: impl FnMut(u64) -> T) -> Vec<T> {
        self.into_iter().map(each).collect()
    }
}

#[test]
fn a_call_can_be_revoked_until_it_starts_wherever_it_is() {
    let (mut parent, socket, (mut calls, mut results, control)) = ends();
    let big = shared(pattern(1 << 20));
    send(&mut parent, 0);
    parent.send_call(call(1), big.clone()).unwrap();
    send(&mut parent, 2);
    parent.send_call(call(3), big.clone()).unwrap();
    for id in 4..40 {
        send(&mut parent, id);
    }
    // Queued, by the socket, kept; but not what has run.
    assert_eq!(run(&mut calls, &mut results), Some(0));
    for (id, revoked) in [(0, false), (1, true), (5, true), (39, true), (77, false)] {
        assert_eq!(parent.revoke(WorkId(id)), revoked, "{id}");
        assert!(!parent.revoke(WorkId(id)), "{id}");
    }
    let receives = thread::spawn(move || {
        for _ in 0..2 {
            let Some(ToWorker::Call { item, payload }) = socket.recv().unwrap() else {
                panic!("a call is expected");
            };
            control.deliver(item, payload, Attached::default());
        }
    });
    let mut up = Vec::new();
    let mut ran = Vec::new();
    while ran.len() < 36 {
        while parent.wants_write() {
            parent.drive(&mut up).map(drop).unwrap();
        }
        while let Some(id) = run_or_drop(&mut calls, &mut results) {
            ran.push(id);
        }
        parent.drive(&mut up).map(drop).unwrap();
    }
    receives.join().unwrap();
    let expected: Vec<u64> = (2..39).filter(|id| *id != 5).collect();
    assert_eq!(ran, expected);
}

/// Runs the next call; a large value is thrown away, since nobody receives it at the same time.
fn run_or_drop(calls: &mut RingCalls, results: &mut RingResults) -> Option<u64> {
    let call = try_next(calls)?;
    let item = call.item();
    assert!(matches!(calls.arguments(&call).len(), 8 | 0x10_0000));
    results
        .value(item.work_id, 1, 0, &mut encoded(b""))
        .unwrap();
    calls.release(call, 0);
    results.publish().unwrap();
    Some(item.work_id.0)
}

#[test]
fn the_doorbell_rings_once_for_a_parent_that_sleeps_and_never_for_one_that_is_awake() {
    let (mut parent, _socket, (mut calls, mut results, _control)) = ends();
    let mut up = Vec::new();
    for id in 0..6 {
        send(&mut parent, id);
    }
    run(&mut calls, &mut results).unwrap();
    assert!(!is_readable(&parent), "it is awake");
    assert!(!parent.prepare_sleep(), "a result is there");
    parent.wake_up();
    parent.take_results(&mut up).unwrap();
    assert_eq!(up.len(), 1);

    assert!(parent.prepare_sleep());
    assert!(!is_readable(&parent));
    run(&mut calls, &mut results).unwrap();
    run(&mut calls, &mut results).unwrap();
    assert!(is_readable(&parent));
    parent.wake_up();
    parent.drive(&mut up).map(drop).unwrap();
    assert_eq!(up.len(), 3);
    assert!(!is_readable(&parent), "there was one doorbell only");
    run(&mut calls, &mut results).unwrap();
    assert!(!is_readable(&parent));
}

/// A parent that was told that a ring is full is woken when the worker has passed revoked calls,
/// although no result says so.
#[test]
fn a_parent_that_waits_for_room_is_woken_by_a_worker_that_has_nothing_to_run() {
    watched(|| {
        let (mut parent, _socket, (mut calls, _results, control)) = ends();
        for id in 0..SLOTS {
            send(&mut parent, id);
        }
        for id in 0..SLOTS {
            assert!(parent.revoke(WorkId(id)));
        }
        assert_eq!(parent.room(), 0);
        assert!(parent.prepare_sleep());
        let worker = thread::spawn(move || calls.next().unwrap().is_none());
        drive(&mut parent, &mut Vec::new()).map(drop).unwrap();
        assert_eq!(parent.room() as u64, SLOTS);
        control.end();
        assert!(worker.join().unwrap());
    });
}

#[test]
fn a_worker_that_sleeps_is_woken_by_a_call_and_by_the_end() {
    watched(|| {
        let (mut parent, _socket, (mut calls, mut results, control)) = ends();
        let worker = thread::spawn(move || {
            let mut ran = 0;
            while let Some(call) = calls.next().unwrap() {
                let item = call.item();
                results
                    .value(item.work_id, 1, 0, &mut encoded(b""))
                    .unwrap();
                calls.release(call, 0);
                results.publish().unwrap();
                ran += 1;
            }
            ran
        });
        for micros in [0, 20] {
            parent.set_spin(Duration::from_micros(micros));
            for id in 0..200 {
                send(&mut parent, id);
                collect(&mut parent, 1);
            }
        }
        control.end();
        assert_eq!(worker.join().unwrap(), 400);
    });
}

#[test]
fn calls_may_lie_before_a_worker_that_sleeps_until_they_are_some_or_it_is_woken() {
    // Nobody takes them, so that nothing but the parent takes the announcement down.
    let (mut parent, _socket, _ends) = ends();
    parent.set_lazy(true);
    parent.worker_bell().announce();
    for id in 1..u64::from(LYING) {
        send(&mut parent, id);
        assert!(parent.worker_bell().is_announced());
    }
    send(&mut parent, u64::from(LYING));
    assert!(!parent.worker_bell().is_announced());

    parent.worker_bell().announce();
    parent.ring();
    assert!(parent.worker_bell().is_announced(), "there is nothing new");
    send(&mut parent, 100);
    assert!(parent.worker_bell().is_announced());
    parent.ring();
    assert!(!parent.worker_bell().is_announced());
}

#[test]
fn a_call_says_since_when_it_runs_if_it_is_to() {
    let (mut parent, _socket, (mut calls, _results, _control)) = ends();
    parent.set_timed(true);
    send(&mut parent, 1);
    parent.set_timed(false);
    send(&mut parent, 2);
    assert_eq!(parent.started(WorkId(1)), Some(Started::No));
    let _first = try_next(&mut calls).unwrap();
    let Some(Started::Yes { since: Some(_) }) = parent.started(WorkId(1)) else {
        panic!("{:?}", parent.started(WorkId(1)));
    };
    assert_eq!(parent.started(WorkId(2)), Some(Started::No));
    let _second = try_next(&mut calls).unwrap();
    let started = parent.started(WorkId(2));
    assert_eq!(started, Some(Started::Yes { since: None }));
    assert_eq!(parent.started(WorkId(3)), None);
}

/// How many calls the ring of a worker has places for.
const SLOTS: u64 = 256;

fn values(id: u64, index: u32, values: &[&[u8]], spent: u64) -> FromWorker {
    let lengths = values
        .iter()
        .map(|value| (value.len() as u64).to_le_bytes());
    let bytes = lengths
        .zip(values)
        .flat_map(|(length, value)| [&length, *value].concat());
    FromWorker::Result(ResultItem {
        work_id: WorkId(id),
        attempt: 1,
        index,
        outcome: CallOutcome::Values {
            count: u32::try_from(values.len()).unwrap(),
            bytes: bytes.collect(),
            spacing: Spacing::Lengths,
            spent,
        },
    })
}

#[test]
fn the_values_of_a_call_of_several_items_come_together() {
    let (mut parent, _socket, (mut calls, mut results, _control)) = ends();
    parent
        .send_call(items(1, 5), SharedPayload::default())
        .unwrap();
    let call = try_next(&mut calls).unwrap();
    assert_eq!(calls.claim_items(&call, 3), Some(0..3));
    results
        .add_value(WorkId(1), 1, 0, &mut encoded(b"a"))
        .unwrap();
    results
        .add_value(WorkId(1), 1, 1, &mut encoded(b""))
        .unwrap();
    let large = pattern(200_000);
    let id = WorkId(1);
    // A large one has its place among them.
    let mut up = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            results.add_value(id, 1, 2, &mut encoded(&large)).unwrap();
            results.publish().unwrap();
        });
        while up.len() < 2 {
            drive(&mut parent, &mut up).map(drop).unwrap();
        }
    });
    assert_eq!(parent.take_back(id, 0), Some(3..5));
    assert_eq!(calls.claim_items(&call, 3), None);
    calls.release(call, 77);
    let FromWorker::Result(third) = value(1, &large) else {
        panic!("it is a result");
    };
    let third = FromWorker::Result(ResultItem { index: 2, ..third });
    assert!(up == [values(1, 0, &[b"a", b""], 0), third]);

    parent
        .send_call(items(2, 2), SharedPayload::default())
        .unwrap();
    let call = try_next(&mut calls).unwrap();
    results
        .add_value(WorkId(2), 1, 0, &mut encoded(b"x"))
        .unwrap();
    results
        .add_value(WorkId(2), 1, 1, &mut encoded(b"yz"))
        .unwrap();
    calls.release(call, 77);
    results.publish().unwrap();
    let mut up = Vec::new();
    parent.take_results(&mut up).unwrap();
    assert_eq!(up, [values(2, 0, &[b"x", b"yz"], 77)]);
}

#[test]
fn values_of_one_length_come_without_it() {
    let (mut parent, _socket, (mut calls, mut results, _control)) = ends();
    parent
        .send_call(items(1, 9), SharedPayload::default())
        .unwrap();
    let call = try_next(&mut calls).unwrap();
    let id = WorkId(1);
    let put = |results: &mut RingResults, index, values: &[&[u8]]| {
        let each = values[0].len();
        let mut places = results.places(id, 1, index, each).unwrap().unwrap();
        for value in values {
            places.put(value);
        }
        let count = u32::try_from(values.len()).unwrap();
        results.placed(count, each);
    };
    put(&mut results, 0, &[b"ab", b"cd"]);
    put(&mut results, 2, &[b"ef"]);
    results.publish().unwrap();
    put(&mut results, 3, &[b"", b""]);
    results.publish().unwrap();
    // More than a record holds.
    assert!(results.places(id, 1, 5, 1 << 20).unwrap().is_none());
    calls.release(call, 0);
    let mut up = Vec::new();
    parent.take_results(&mut up).unwrap();
    let even = |index, count, bytes: &[u8], each| {
        FromWorker::Result(ResultItem {
            work_id: id,
            attempt: 1,
            index,
            outcome: CallOutcome::Values {
                count,
                bytes: bytes.to_vec(),
                spacing: Spacing::Each(each),
                spent: 0,
            },
        })
    };
    assert_eq!(up, [even(0, 3, b"abcdef", 2), even(3, 2, b"", 0)]);
}

/// Everything a worker has finished counts, whether it came to publish it or not.
#[test]
fn after_a_death_it_is_known_what_was_done_what_ran_and_what_did_not_start() {
    let (mut parent, socket, (mut calls, mut results, control)) = ends();
    send(&mut parent, 0);
    parent
        .send_call(items(1, 9), SharedPayload::default())
        .unwrap();
    send(&mut parent, 2);
    send(&mut parent, 3);
    assert!(parent.revoke(WorkId(3)));
    run(&mut calls, &mut results).unwrap();
    let call = try_next(&mut calls).unwrap();
    assert_eq!(calls.claim_items(&call, 4), Some(0..4));
    results
        .add_value(WorkId(1), 1, 0, &mut encoded(b"a"))
        .unwrap();
    results
        .add_value(WorkId(1), 1, 1, &mut encoded(b"b"))
        .unwrap();
    drop((call, calls, results, control, socket));

    let mut up = Vec::new();
    parent.take_rest(&mut up).unwrap();
    let zero = value(0, &0_u64.to_le_bytes());
    assert_eq!(up, [zero, values(1, 0, &[b"a", b"b"], 0)]);
    assert_eq!(parent.started(WorkId(0)), None);
    let running = parent.started(WorkId(1));
    assert_eq!(running, Some(Started::Yes { since: None }));
    assert_eq!(parent.started(WorkId(2)), Some(Started::No));
    assert_eq!(parent.started(WorkId(3)), None);
    assert!(parent.is_unread());
    assert_eq!(parent.drive(&mut up).unwrap(), LinkState::Closed);
    assert_eq!(up.len(), 2);
}

/// A grandchild may hold the worker's end of the socket open.
#[test]
fn the_rest_of_a_dead_worker_is_taken_although_its_socket_stays_open() {
    let (mut parent, socket, (mut calls, mut results, _control)) = ends();
    parent
        .send_call(items(1, 9), SharedPayload::default())
        .unwrap();
    let _call = try_next(&mut calls).unwrap();
    results
        .add_value(WorkId(1), 1, 0, &mut encoded(b"a"))
        .unwrap();
    // By the socket, and not announced in the ring.
    let FromWorker::Result(second) = value(1, b"b") else {
        panic!("it is a result");
    };
    let second = FromWorker::Result(ResultItem { index: 1, ..second });
    socket.send(&second).unwrap();
    let mut up = Vec::new();
    parent.take_rest(&mut up).unwrap();
    assert_eq!(up, [values(1, 0, &[b"a"], 0), second]);
}

/// LINK-2.
#[test]
fn damaged_memory_is_an_error() {
    let (mut parent, _socket, (_calls, mut results, _control)) = ends();
    results
        .value(WorkId(1), 0, 0, &mut encoded(b"fine"))
        .unwrap();
    results.publish().unwrap();
    results.damage();
    let mut up = Vec::new();
    let error = parent.drive(&mut up).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(up.len(), 1);
}
