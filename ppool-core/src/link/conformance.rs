//! What every transport must do: one suite, run against each by [`suite`].

use std::{
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::memfd::{MFdFlags, memfd_create},
    unistd::ftruncate,
};

use super::{Link, LinkState, WorkerLink};
use crate::{
    codec::{Payload, SharedPayload},
    error::RemotePanic,
    ids::{Generation, Slot, WorkId, WorkerId},
    output::Output,
    task::TaskKey,
    wire::{
        Boot, CallItem, CallOutcome, FromWorker, Hello, MAX_DESCRIPTORS, ResultItem, ToWorker,
        WorkerLimits,
    },
};

/// The two ends of a new link.
pub(super) type Pair = (Box<dyn Link>, Arc<dyn WorkerLink>);

/// Runs the suite: `suite!(pair)`, where `pair` makes a [`Pair`].
macro_rules! suite {
    ($pair:path: $($name:ident)*) => { $(
        #[test]
        fn $name() {
            $crate::link::conformance::watched(|| $crate::link::conformance::$name($pair()));
        }
    )* };
    ($pair:path) => {
        $crate::link::conformance::suite! { $pair:
            all_messages_arrive_in_order
            a_call_is_sent_by_reference_and_without_blocking
            large_payloads_pass_each_other
            descriptors_arrive_with_their_message_and_close_on_exec
            descriptors_that_nobody_takes_are_closed
            more_descriptors_than_go_with_one_message_arrive
            descriptors_come_back_with_their_value
            a_drive_is_bounded
            all_that_a_worker_sent_comes_before_the_close
            all_that_a_worker_sent_comes_although_it_left_calls_unread
            a_call_to_a_worker_that_is_gone_is_no_error
            all_that_a_parent_sent_comes_before_the_end
            a_receiver_can_be_stopped
            messages_of_several_threads_do_not_mix
        }
    };
}
pub(super) use suite;

/// Runs a test, and fails it when it hangs.
pub(super) fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    if finished.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("the test hangs");
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

pub(super) fn call(id: u64) -> CallItem {
    CallItem {
        work_id: WorkId(id),
        attempt: 1,
        task: TaskKey(7),
        count: 1,
    }
}

pub(super) fn value(id: u64, bytes: &[u8]) -> FromWorker {
    FromWorker::Result(ResultItem {
        work_id: WorkId(id),
        attempt: 1,
        index: 0,
        outcome: CallOutcome::Value(bytes.to_vec().into()),
    })
}

fn boot() -> Boot {
    Boot {
        pool: "pool".to_string(),
        worker: WorkerId {
            slot: Slot(3),
            generation: Generation(4),
        },
        preload: None,
        initializer: None,
        finalizer: None,
        current_dir: Some("/".into()),
        parent_pid: 5,
        output: Output::Inherit,
        limits: WorkerLimits::default(),
    }
}

/// Bytes that show when some of them are missing or misplaced.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    let blocks = (0..=u8::MAX).cycle();
    let bytes = blocks.flat_map(|block| (0..251).map(move |at| block ^ at));
    bytes.take(len).collect()
}

/// Waits until the parent's end has something to do, and does it.
pub(super) fn drive(link: &mut dyn Link, up: &mut Vec<FromWorker>) -> io::Result<LinkState> {
    let mut flags = PollFlags::POLLIN;
    flags.set(PollFlags::POLLOUT, link.wants_write());
    let timeout = match link.prepare_sleep() {
        true => PollTimeout::NONE,
        false => PollTimeout::ZERO,
    };
    let mut fds = [PollFd::new(link.as_fd(), flags)];
    poll(&mut fds, timeout).unwrap();
    link.wake_up();
    link.drive(up)
}

/// A payload, as it is sent.
pub(super) fn shared(bytes: Vec<u8>) -> SharedPayload {
    Payload::from(bytes).into()
}

/// The same with descriptors.
pub(super) fn with_fds(bytes: Vec<u8>, descriptors: Vec<OwnedFd>) -> SharedPayload {
    Payload::with_descriptors(bytes, descriptors).into()
}

/// Drives the parent's end until `count` messages are up.
pub(super) fn collect(link: &mut dyn Link, count: usize) -> Vec<FromWorker> {
    let mut up = Vec::new();
    while up.len() < count {
        assert_eq!(drive(link, &mut up).unwrap(), LinkState::Open);
    }
    up
}

/// Drives the parent's end until it is closed.
pub(super) fn collect_all(link: &mut dyn Link) -> Vec<FromWorker> {
    let mut up = Vec::new();
    while drive(link, &mut up).unwrap() == LinkState::Open {}
    up
}

pub(super) fn all_messages_arrive_in_order((mut parent, worker): Pair) {
    parent.send_boot(&boot(), Vec::new()).unwrap();
    assert_eq!(worker.recv().unwrap(), Some(ToWorker::Boot(boot())));
    let calls = || (0..30).zip((0usize..).step_by(50));
    for (id, len) in calls() {
        parent.send_call(call(id), shared(pattern(len))).unwrap();
    }
    parent.send_sentinel().unwrap();
    for (id, len) in calls() {
        let payload = pattern(len);
        let item = call(id);
        assert_eq!(
            worker.recv().unwrap(),
            Some(ToWorker::Call { item, payload })
        );
    }
    assert_eq!(worker.recv().unwrap(), Some(ToWorker::Sentinel));

    let outcome = |outcome| {
        FromWorker::Result(ResultItem {
            work_id: WorkId(1),
            attempt: 2,
            index: 3,
            outcome,
        })
    };
    let messages = [
        FromWorker::Hello(Hello {
            protocol: 1,
            fingerprint: 2,
            pid: 3,
        }),
        FromWorker::Ready,
        FromWorker::StartFailed("no disk".to_string()),
        value(1, b""),
        outcome(CallOutcome::Panicked(RemotePanic::new(
            "oh".to_string(),
            Some("src/a.rs:1:2".to_string()),
            None,
        ))),
        outcome(CallOutcome::Decode {
            parameter: 1,
            message: "bad".to_string(),
        }),
        outcome(CallOutcome::Encode {
            message: "worse".to_string(),
        }),
    ];
    for message in &messages {
        worker.send(message).unwrap();
    }
    worker
        .send_value(WorkId(9), 1, 0, b"value", Vec::new())
        .unwrap();
    worker.send(&FromWorker::Bye).unwrap();
    let up = collect(&mut *parent, messages.len() + 2);
    assert_eq!(up[..messages.len()], messages);
    assert_eq!(up[messages.len()..], [value(9, b"value"), FromWorker::Bye]);
}

/// QM-1.
pub(super) fn a_call_is_sent_by_reference_and_without_blocking((mut parent, worker): Pair) {
    let payload = shared(pattern(8 << 20));
    for id in 0..3 {
        parent.send_call(call(id), payload.clone()).unwrap();
    }
    assert!(parent.wants_write());
    assert_eq!(payload.holders(), 4);

    let expected = payload.clone();
    let reader = thread::spawn(move || {
        for _ in 0..3 {
            let Some(ToWorker::Call { payload, .. }) = worker.recv().unwrap() else {
                panic!("a call is expected");
            };
            assert!(payload == expected.bytes());
        }
    });
    while parent.wants_write() {
        let _ = drive(&mut *parent, &mut Vec::new()).unwrap();
    }
    reader.join().unwrap();
    assert_eq!(payload.holders(), 1);
}

pub(super) fn large_payloads_pass_each_other((mut parent, worker): Pair) {
    const LEN: usize = 64 << 20;

    let big = shared(pattern(LEN));
    let expected = big.clone();
    let receiver = worker.clone();
    let receives = thread::spawn(move || receiver.recv().unwrap());
    let sends =
        thread::spawn(move || worker.send_value(WorkId(2), 1, 0, expected.bytes(), Vec::new()));
    parent.send_call(call(1), big.clone()).unwrap();
    let mut up = Vec::new();
    while up.is_empty() || parent.wants_write() {
        assert_eq!(drive(&mut *parent, &mut up).unwrap(), LinkState::Open);
    }
    sends.join().unwrap().unwrap();
    let Some(ToWorker::Call { payload, .. }) = receives.join().unwrap() else {
        panic!("a call is expected");
    };
    assert!(payload == big.bytes());
    let Some(FromWorker::Result(ResultItem {
        outcome: CallOutcome::Value(result),
        ..
    })) = up.pop()
    else {
        panic!("a value is expected");
    };
    assert!(result.bytes() == big.bytes());
}

/// A pair of sockets: the end to send, and the end that sees when all copies of it are closed.
fn witness() -> (OwnedFd, UnixStream) {
    let (sent, witness) = UnixStream::pair().unwrap();
    (sent.into(), witness)
}

fn assert_all_copies_closed(mut witness: UnixStream) {
    assert_eq!(witness.read(&mut [0]).unwrap(), 0);
}

pub(super) fn descriptors_arrive_with_their_message_and_close_on_exec((mut parent, worker): Pair) {
    let file = || OwnedFd::from(File::open("/proc/self/stat").unwrap());
    let device = || OwnedFd::from(File::open("/dev/null").unwrap());
    let small = || shared(pattern(10));
    let large = shared(pattern(3 << 20));

    let reader = thread::spawn(move || {
        let mut counts = Vec::new();
        while let Some(message) = worker.recv().unwrap() {
            let descriptors = worker.take_descriptors().into_descriptors();
            for descriptor in &descriptors {
                let flags = fcntl(descriptor.as_fd(), FcntlArg::F_GETFD).unwrap();
                assert!(FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC));
            }
            if let [file, _] = &descriptors[..] {
                let mut text = String::new();
                let mut file = File::from(file.try_clone().unwrap());
                file.read_to_string(&mut text).unwrap();
                assert!(text.starts_with(&std::process::id().to_string()));
            }
            let id = match message {
                ToWorker::Call { item, .. } => item.work_id.0,
                _ => panic!("a call is expected"),
            };
            counts.push((id, descriptors.len()));
        }
        counts
    });
    // With and without descriptors, with large payloads before, in and behind.
    parent.send_call(call(0), small()).unwrap();
    parent
        .send_call(call(1), with_fds(pattern(10), vec![file(), device()]))
        .unwrap();
    parent.send_call(call(2), large.clone()).unwrap();
    parent
        .send_call(call(3), with_fds(pattern(3 << 20), vec![device()]))
        .unwrap();
    parent
        .send_call(
            call(4),
            with_fds(pattern(10), vec![device(), device(), device()]),
        )
        .unwrap();
    parent.send_call(call(5), large).unwrap();
    parent
        .send_call(call(6), with_fds(pattern(10), vec![device()]))
        .unwrap();
    let many = (0..MAX_DESCRIPTORS).map(|_| device()).collect();
    parent
        .send_call(call(7), with_fds(pattern(10), many))
        .unwrap();
    while parent.wants_write() {
        let _ = drive(&mut *parent, &mut Vec::new()).unwrap();
    }
    drop(parent);
    assert_eq!(
        reader.join().unwrap(),
        [
            (0, 0),
            (1, 2),
            (2, 0),
            (3, 1),
            (4, 3),
            (5, 0),
            (6, 1),
            (7, MAX_DESCRIPTORS)
        ]
    );
}

pub(super) fn descriptors_that_nobody_takes_are_closed((mut parent, worker): Pair) {
    // Received and not taken.
    let (sent, witness_of_received) = witness();
    parent
        .send_call(call(1), with_fds(Vec::new(), vec![sent]))
        .unwrap();
    parent.send_call(call(2), SharedPayload::default()).unwrap();
    worker.recv().unwrap();
    worker.recv().unwrap();
    assert_all_copies_closed(witness_of_received);

    // Sent and not received; not even sent.
    let (sent, witness_of_sent) = witness();
    let (kept, witness_of_kept) = witness();
    parent
        .send_call(call(3), with_fds(pattern(8 << 20), vec![sent]))
        .unwrap();
    parent
        .send_call(call(4), with_fds(Vec::new(), vec![kept]))
        .unwrap();
    assert!(parent.wants_write());
    drop(worker);
    drop(parent);
    assert_all_copies_closed(witness_of_sent);
    assert_all_copies_closed(witness_of_kept);
}

pub(super) fn more_descriptors_than_go_with_one_message_arrive((mut parent, worker): Pair) {
    // In the order of their numbers, each of which is the length of what can be read from it.
    let count = 2 * MAX_DESCRIPTORS + 3;
    let files = || -> Vec<OwnedFd> {
        let file = |number| {
            let file = memfd_create("number", MFdFlags::MFD_CLOEXEC).unwrap();
            ftruncate(&file, number).unwrap();
            file
        };
        (0..).take(count).map(file).collect()
    };
    let check = |descriptors: Vec<OwnedFd>| {
        assert_eq!(descriptors.len(), count);
        for (number, descriptor) in (0..).zip(descriptors) {
            assert_eq!(File::from(descriptor).metadata().unwrap().len(), number);
        }
    };
    parent
        .send_call(call(1), with_fds(pattern(100), files()))
        .unwrap();
    parent.send_sentinel().unwrap();
    let payload = pattern(100);
    let item = call(1);
    let expected = ToWorker::Call { item, payload };
    assert_eq!(worker.recv().unwrap(), Some(expected));
    check(worker.take_descriptors().into_descriptors());
    assert_eq!(worker.recv().unwrap(), Some(ToWorker::Sentinel));
    assert!(worker.take_descriptors().is_empty());

    worker
        .send_value(WorkId(1), 1, 0, b"value", files())
        .unwrap();
    worker.send(&FromWorker::Ready).unwrap();
    let mut up = collect(&mut *parent, 2);
    assert_eq!(up.pop(), Some(FromWorker::Ready));
    check(
        value_of(up.pop().unwrap())
            .take_attached()
            .into_descriptors(),
    );
}

pub(super) fn descriptors_come_back_with_their_value((mut parent, worker): Pair) {
    let (sent, witness_of_sent) = witness();
    let (kept, witness_of_kept) = witness();
    let large = pattern(3 << 20);
    let sender = worker.clone();
    let sends = thread::spawn(move || {
        let send =
            |id, bytes: &[u8], descriptors| sender.send_value(WorkId(id), 1, 0, bytes, descriptors);
        send(1, b"bare", Vec::new()).unwrap();
        send(2, &large, vec![sent]).unwrap();
        send(3, b"bare", Vec::new()).unwrap();
        send(4, b"small", vec![kept]).unwrap();
        large
    });
    let mut up = collect(&mut *parent, 4).into_iter().map(value_of);
    let large = sends.join().unwrap();
    assert_eq!(up.next(), Some(b"bare".to_vec().into()));
    let mut second = up.next().unwrap();
    assert!(second.bytes() == large);
    let received = second.take_attached().into_descriptors();
    let flags = fcntl(received[0].as_fd(), FcntlArg::F_GETFD).unwrap();
    assert!(FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC));
    drop(received);
    assert_all_copies_closed(witness_of_sent);
    assert_eq!(up.next(), Some(b"bare".to_vec().into()));
    // Nobody takes the last one.
    drop(up);
    assert_all_copies_closed(witness_of_kept);
}

fn value_of(message: FromWorker) -> Payload {
    match message {
        FromWorker::Result(ResultItem {
            outcome: CallOutcome::Value(value),
            ..
        }) => value,
        other => panic!("a value is expected, not {other:?}"),
    }
}

/// One turn ends even when the worker sends as fast as it can.
pub(super) fn a_drive_is_bounded((mut parent, worker): Pair) {
    let sender = worker.clone();
    let sends = thread::spawn(move || {
        let bytes = pattern(100_000);
        while sender
            .send_value(WorkId(1), 1, 0, &bytes, Vec::new())
            .is_ok()
        {}
    });
    for _ in 0..20 {
        let mut up = Vec::new();
        assert_eq!(drive(&mut *parent, &mut up).unwrap(), LinkState::Open);
        assert!(up.len() < 100, "{} messages in one turn", up.len());
    }
    drop(parent);
    sends.join().unwrap();
}

pub(super) fn all_that_a_worker_sent_comes_before_the_close((mut parent, worker): Pair) {
    let sends = thread::spawn(move || {
        for id in 0..200 {
            worker
                .send_value(WorkId(id), 1, 0, &pattern(10_000), Vec::new())
                .unwrap();
        }
    });
    let up = collect_all(&mut *parent);
    sends.join().unwrap();
    assert_eq!(up.len(), 200);
    assert_eq!(up[199], value(199, &pattern(10_000)));
    // And the close stays.
    assert_eq!(parent.drive(&mut Vec::new()).unwrap(), LinkState::Closed);
}

/// The kernel then says "connection reset" instead of "end".
pub(super) fn all_that_a_worker_sent_comes_although_it_left_calls_unread(
    (mut parent, worker): Pair,
) {
    parent.send_call(call(1), shared(pattern(8 << 20))).unwrap();
    for id in 0..10 {
        worker
            .send_value(WorkId(id), 1, 0, b"done", Vec::new())
            .unwrap();
    }
    drop(worker);
    assert_eq!(collect_all(&mut *parent).len(), 10);
    assert!(!parent.wants_write());
}

pub(super) fn a_call_to_a_worker_that_is_gone_is_no_error((mut parent, worker): Pair) {
    drop(worker);
    parent.send_call(call(1), shared(pattern(100))).unwrap();
    parent.send_sentinel().unwrap();
    assert!(!parent.wants_write());
    assert_eq!(collect_all(&mut *parent), []);
}

pub(super) fn all_that_a_parent_sent_comes_before_the_end((mut parent, worker): Pair) {
    parent.send_call(call(1), SharedPayload::default()).unwrap();
    parent.send_call(call(2), SharedPayload::default()).unwrap();
    drop(parent);
    assert!(worker.recv().unwrap().is_some());
    assert!(worker.recv().unwrap().is_some());
    assert_eq!(worker.recv().unwrap(), None);
    assert_eq!(worker.recv().unwrap(), None);
    let error = worker.send(&FromWorker::Ready).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

pub(super) fn a_receiver_can_be_stopped((mut parent, worker): Pair) {
    let receiver = worker.clone();
    let receives = thread::spawn(move || receiver.recv().unwrap());
    worker.stop_receiving().unwrap();
    assert_eq!(receives.join().unwrap(), None);
    worker.send(&FromWorker::Bye).unwrap();
    assert_eq!(collect(&mut *parent, 1), [FromWorker::Bye]);
}

pub(super) fn messages_of_several_threads_do_not_mix((mut parent, worker): Pair) {
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let worker = worker.clone();
            thread::spawn(move || {
                for len in 0..50 {
                    let bytes = vec![thread; len * 1000];
                    worker
                        .send_value(WorkId(thread.into()), 1, 0, &bytes, Vec::new())
                        .unwrap();
                }
            })
        })
        .collect();
    drop(worker);
    let up = collect_all(&mut *parent);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(up.len(), 200);
    let mut sorted: [Vec<Payload>; 4] = Default::default();
    for message in up {
        let FromWorker::Result(ResultItem {
            work_id,
            outcome: CallOutcome::Value(bytes),
            ..
        }) = message
        else {
            panic!("a value is expected");
        };
        sorted[usize::try_from(work_id.0).unwrap()].push(bytes);
    }
    for (thread, values) in (0..).zip(sorted) {
        let sent = (0..50).map(|len| vec![thread; len * 1000].into());
        let sent: Vec<Payload> = sent.collect();
        assert!(values == sent);
    }
}
