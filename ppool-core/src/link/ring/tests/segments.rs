//! Arguments and results that lie in segments.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd},
};

use super::*;
use crate::{
    codec::{
        Payload,
        segment::{Segment, Segments},
    },
    link::SegmentPool,
    sys::memfd::Memfd,
};

/// A payload in a segment, as those are that get large.
fn in_segment(pool: &Arc<SegmentPool>, bytes: &[u8], descriptors: Vec<OwnedFd>) -> SharedPayload {
    let mut encoder = Encoder::with_segments(Some(Arc::clone(pool) as Arc<dyn Segments>));
    encoder.put(bytes).unwrap();
    encoder.set_descriptors(descriptors);
    let payload = encoder.into_payload();
    assert!(payload.stored().is_some());
    payload.into()
}

fn null() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

/// The results that come, until there is one.
fn results(parent: &mut RingLink) -> Vec<ResultItem> {
    let mut up = Vec::new();
    while up.is_empty() {
        let _ = parent.drive(&mut up).unwrap();
    }
    up.into_iter()
        .filter_map(|message| match message {
            FromWorker::Result(result) => Some(result),
            _ => None,
        })
        .collect()
}

/// Receives calls on a thread of their own, as a worker's control thread does.
fn control(socket: &Arc<WorkerSocket>, control: Arc<RingControl>) -> thread::JoinHandle<()> {
    let socket = Arc::clone(socket);
    thread::spawn(move || {
        while let Ok(Some(ToWorker::CallInSegment { item, len })) = socket.recv() {
            let attached = socket.take_descriptors();
            control.deliver_in_segment(item, len, attached).unwrap();
        }
        control.end();
    })
}

#[test]
fn values_in_segments_travel_both_ways_with_their_descriptors() {
    watched(|| {
        let (mut parent, socket, (mut calls, mut replies, ring)) = ends();
        let thread = control(&socket, ring);
        let pool = Arc::new(SegmentPool::new());
        let bytes = pattern(3_000_000);
        for (n, count) in [0, 1, 63, 64, 65, 200].into_iter().enumerate() {
            let id = WorkId(n as u64);
            let payload = in_segment(&pool, &bytes, (0..count).map(|_| null()).collect());
            parent.send_call(call(id.0), payload).unwrap();
            let mut taken = calls.next().unwrap().unwrap();
            assert!(calls.arguments(&taken) == bytes);
            let attached = taken.take_attached().into_descriptors();
            assert_eq!(attached.len(), count);

            let mut value = Encoder::with_segments(Some(replies.segments()));
            value.put(calls.arguments(&taken)).unwrap();
            value.set_descriptors(attached);
            replies.value(id, 1, 0, &mut value).unwrap();
            calls.release(taken, 0);
            replies.publish().unwrap();
            let [result] = <[_; 1]>::try_from(results(&mut parent)).unwrap();
            let CallOutcome::Value(value) = result.outcome else {
                panic!("{result:?}");
            };
            assert_eq!(value.descriptors().len(), count);
            assert!(value.stored().unwrap().to_vec().unwrap() == bytes);
        }
        drop(parent);
        thread.join().unwrap();
    });
}

/// What a worker reads in place must not be written for another call.
#[test]
fn a_segment_is_used_again_once_its_call_is_answered_or_revoked_and_not_before() {
    watched(|| {
        let (mut parent, socket, (mut calls, mut replies, ring)) = ends();
        let thread = control(&socket, ring);
        let pool = Arc::new(SegmentPool::new());
        let bytes = pattern(100_000);
        let is_free = || {
            let segment = pool.take(bytes.len()).unwrap();
            // A new one has nothing in it.
            segment.read(99_999, &mut [0]).is_ok()
        };
        for id in [1, 2] {
            let payload = in_segment(&pool, &bytes, Vec::new());
            parent.send_call(call(id), payload).unwrap();
        }
        let taken = calls.next().unwrap().unwrap();
        assert!(!is_free(), "one is read, the other one waits");
        assert!(parent.revoke(WorkId(2)));
        assert!(is_free());
        let kept = pool.take(bytes.len()).unwrap();
        assert!(calls.arguments(&taken) == bytes);
        replies
            .value(WorkId(1), 1, 0, &mut encoded(b"done"))
            .unwrap();
        calls.release(taken, 0);
        replies.publish().unwrap();
        assert_eq!(results(&mut parent).len(), 1);
        assert!(is_free());
        drop((kept, parent));
        thread.join().unwrap();
    });
}

#[test]
fn a_dead_workers_segments_are_free_when_its_link_is_dropped() {
    watched(|| {
        let (mut parent, socket, worker) = ends();
        let pool = Arc::new(SegmentPool::new());
        let bytes = pattern(100_000);
        parent
            .send_call(call(1), in_segment(&pool, &bytes, Vec::new()))
            .unwrap();
        drop((worker, socket));
        let mut up = Vec::new();
        parent.take_rest(&mut up).unwrap();
        assert!(up.is_empty());
        drop(parent);
        let segment = pool.take(bytes.len()).unwrap();
        segment.read(99_999, &mut [0]).unwrap();
    });
}

/// A descriptor that claims to be a segment.
#[derive(Debug)]
struct Lie(OwnedFd);

impl AsFd for Lie {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Segment for Lie {
    fn write(&self, _at: usize, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read(&self, _at: usize, _into: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn ticket(&self) -> Option<u64> {
        Some(u64::MAX)
    }
}

/// LINK-2.
#[test]
fn a_worker_that_lies_about_a_segment_breaks_its_link() {
    watched(|| {
        let lie = |send: &dyn Fn(&WorkerSocket)| {
            let (mut parent, socket, (_, mut replies, _)) = ends();
            send(&socket);
            replies.streamed(WorkId(1), 1, 0).unwrap();
            replies.publish().unwrap();
            let mut up = Vec::new();
            let broken = (0..10).any(|_| parent.drive(&mut up).is_err());
            assert!(broken, "{up:?}");
        };
        let with = |descriptor: OwnedFd, len| {
            let stored = Stored::new(Box::new(Lie(descriptor)), len);
            lie(&|socket| {
                socket
                    .send_stored(WorkId(1), 1, 0, &stored, Vec::new())
                    .unwrap();
            });
        };
        with(null(), 5);
        let sparse = Memfd::create("ppool-test", 1 << 40).unwrap();
        Memfd::write_at(sparse.as_fd(), 0, &[1; 4096]).unwrap();
        with(sparse.as_fd().try_clone_to_owned().unwrap(), 1 << 40);
        lie(&|socket| {
            let outcome = CallOutcome::InSegment {
                len: 5,
                ticket: 0,
                attached: Payload::default(),
            };
            let result = ResultItem {
                work_id: WorkId(1),
                attempt: 1,
                index: 0,
                outcome,
            };
            socket.send(&FromWorker::Result(result)).unwrap();
        });
    });
}
