//! The suite of all transports, and what only a stream can do wrong.

use std::{
    io::{ErrorKind, IoSlice, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::Arc,
    thread,
};

use proptest::{collection::vec, prelude::*};

use super::{SocketLink, WorkerSocket};
use crate::{
    ids::WorkId,
    link::{
        Link, LinkState, WorkerLink,
        conformance::{self, Pair, watched},
    },
    sys::fd_passing,
    wire::{CallOutcome, FromWorker, Message, ResultItem, ToWorker},
};

fn pair() -> Pair {
    let (parent, worker) = UnixStream::pair().unwrap();
    let parent = SocketLink::new(parent.into()).unwrap();
    (Box::new(parent), Arc::new(WorkerSocket::new(worker.into())))
}

conformance::suite!(pair);

/// A parent's end, and a bare socket in the place of the worker's.
fn bare_worker() -> (SocketLink, UnixStream) {
    let (parent, worker) = UnixStream::pair().unwrap();
    (SocketLink::new(parent.into()).unwrap(), worker)
}

#[test]
fn half_a_message_of_a_worker_that_died_is_dropped() {
    let (mut parent, worker) = bare_worker();
    let whole = WorkerSocket::new(worker.try_clone().unwrap().into());
    whole.send(&FromWorker::Ready).unwrap();
    whole
        .send_value(WorkId(1), 0, 0, &[1; 20_000], Vec::new())
        .unwrap();
    // The head of a value of 100,000 bytes, and some of them.
    let head = ResultItem::value_head(WorkId(2), 0, 0, 100_000);
    (&worker).write_all(head.bytes()).unwrap();
    (&worker).write_all(&[7; 50_000]).unwrap();
    drop((whole, worker));
    let mut up = Vec::new();
    while parent.drive(&mut up).unwrap() == LinkState::Open {}
    assert_eq!(up.len(), 2);
}

/// LINK-2.
#[test]
fn what_is_no_message_is_an_error_after_the_messages_before_it() {
    let (mut parent, mut worker) = bare_worker();
    let whole = WorkerSocket::new(worker.try_clone().unwrap().into());
    whole.send(&FromWorker::Ready).unwrap();
    worker.write_all(&[0xff; 100]).unwrap();
    let mut up = Vec::new();
    let error = parent.drive(&mut up).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_eq!(up, [FromWorker::Ready]);
}

/// LINK-2: a worker can't fill its parent's table of descriptors.
#[test]
fn descriptors_that_no_message_speaks_of_are_closed() {
    watched(|| {
        let (mut parent, worker) = bare_worker();
        let (sent, mut witness) = UnixStream::pair().unwrap();
        let ready = FromWorker::Ready.encode();
        let parts = [IoSlice::new(ready.head.bytes())];
        fd_passing::send(worker.as_fd(), &parts, &[sent.as_fd()]).unwrap();
        drop(sent);
        let mut up = Vec::new();
        assert_eq!(parent.drive(&mut up).unwrap(), LinkState::Open);
        assert_eq!(up, [FromWorker::Ready]);
        assert_eq!(witness.read(&mut [0]).unwrap(), 0);
    });
}

/// A parent that says that descriptors come, and sends none.
#[test]
fn descriptors_that_do_not_come_are_an_error() {
    let (mut parent, worker) = UnixStream::pair().unwrap();
    let head = ToWorker::sentinel().head.with_descriptors(1).unwrap();
    parent.write_all(head.bytes()).unwrap();
    let worker = WorkerSocket::new(worker.into());
    let error = worker.recv().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever the sizes are, relative to the buffers on the way.
    #[test]
    fn values_of_any_size_arrive(sizes in vec((any::<u8>(), 0..200_000usize), 1..8)) {
        let (mut parent, worker) = pair();
        let values: Vec<Vec<u8>> = sizes.iter().map(|(byte, len)| vec![*byte; *len]).collect();
        let sent = values.clone();
        let sends = thread::spawn(move || {
            for value in sent {
                worker.send_value(WorkId(1), 0, 0, &value, Vec::new()).unwrap();
            }
        });
        let mut up = Vec::new();
        while parent.drive(&mut up).unwrap() == LinkState::Open {
            thread::yield_now();
        }
        sends.join().unwrap();
        let arrived: Vec<Vec<u8>> = up
            .into_iter()
            .map(|message| match message {
                FromWorker::Result(ResultItem {
                    outcome: CallOutcome::Value(bytes), ..
                }) => bytes.bytes().to_vec(),
                _ => panic!("a value is expected"),
            })
            .collect();
        prop_assert!(arrived == values);
    }
}
