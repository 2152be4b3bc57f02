//! The parent's side of a test: speaks to one worker, wherever that runs.

use std::{collections::VecDeque, os::fd::AsFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ppool_core::{
    codec::{ChunkReader, CodecError, Encoder, Lane, Payload},
    ids::{Generation, Slot, WorkId, WorkerId},
    link::{Link, LinkState},
    output::Output,
    task::TaskKey,
    wire::{Boot, BootCall, CallItem, CallOutcome, FromWorker, ResultItem, WorkerLimits},
};

/// Which try every call of a test is.
pub(crate) const ATTEMPT: u32 = 5;

/// The worker that every test has.
pub(crate) const WORKER: WorkerId = WorkerId {
    slot: Slot(3),
    generation: Generation(1),
};

/// The parent's end of a link, and the messages that came up and were not looked at yet.
#[derive(Debug)]
pub(crate) struct Parent {
    pub(crate) link: Box<dyn Link>,
    up: VecDeque<FromWorker>,
}

impl Parent {
    pub(crate) fn new(link: impl Link + 'static) -> Self {
        Parent {
            link: Box::new(link),
            up: VecDeque::new(),
        }
    }

    /// Hears the greeting and boots the worker, up to the message after that.
    pub(crate) fn boot(&mut self, boot: &Boot) -> FromWorker {
        assert!(matches!(self.next(), FromWorker::Hello(_)));
        self.link
            .send_boot(boot, Vec::new())
            .expect("the link works");
        self.next()
    }

    /// Sends a call of `count` items.
    pub(crate) fn call(&mut self, id: u64, task: &str, count: u32, payload: Vec<u8>) {
        self.link
            .send_call(call_item(id, task, count), Payload::from(payload).into())
            .expect("the link works");
    }

    /// The next message; fails the test when there is none.
    pub(crate) fn next(&mut self) -> FromWorker {
        self.next_or_close().expect("the worker speaks")
    }

    /// The next message, or `None` when the worker has closed its end.
    pub(crate) fn next_or_close(&mut self) -> Option<FromWorker> {
        while self.up.is_empty() {
            let may_sleep = self.link.prepare_sleep();
            let mut flags = PollFlags::POLLIN;
            flags.set(PollFlags::POLLOUT, self.link.wants_write());
            let mut fds = [PollFd::new(self.link.as_fd(), flags)];
            let timeout = PollTimeout::from(if may_sleep { 60_000u16 } else { 0 });
            let ready = poll(&mut fds, timeout).expect("poll works");
            assert!(ready > 0 || !may_sleep, "the worker hangs");
            self.link.wake_up();
            let mut up = Vec::new();
            let state = self.link.drive(&mut up).expect("the link works");
            self.up.extend(up.into_iter().flat_map(one_by_one));
            if state == LinkState::Closed && self.up.is_empty() {
                return None;
            }
        }
        self.up.pop_front()
    }

    /// The next message, which is the result of this item.
    pub(crate) fn result(&mut self, id: u64, index: u32) -> CallOutcome {
        match self.next() {
            FromWorker::Result(result) => {
                let names = (result.work_id, result.attempt, result.index);
                assert_eq!(names, (WorkId(id), ATTEMPT, index));
                result.outcome
            }
            other => panic!("a result is expected, not {other:?}"),
        }
    }

    /// Runs a call of one item.
    pub(crate) fn run(&mut self, task: &str, payload: Vec<u8>) -> CallOutcome {
        self.call(1, task, 1, payload);
        self.result(1, 0)
    }

    /// Runs a call of one item that gives a value.
    pub(crate) fn value(&mut self, task: &str, payload: Vec<u8>) -> Vec<u8> {
        match self.run(task, payload) {
            CallOutcome::Value(value) => match value.stored() {
                Some(stored) => stored.to_vec().unwrap(),
                None => value.into_bytes(),
            },
            other => panic!("a value is expected, not {other:?}"),
        }
    }
}

/// Values that came together, as if each had come alone.
fn one_by_one(message: FromWorker) -> Vec<FromWorker> {
    let FromWorker::Result(ResultItem {
        outcome:
            CallOutcome::Values {
                ref bytes,
                count,
                spacing,
                ..
            },
        ref index,
        ..
    }) = message
    else {
        return vec![message];
    };
    let one = |(index, value): (u32, &[u8])| match message.clone() {
        FromWorker::Result(result) => FromWorker::Result(ResultItem {
            index,
            outcome: CallOutcome::Value(value.to_vec().into()),
            ..result
        }),
        other => other,
    };
    let values = ChunkReader::new(bytes, spacing).take(count as usize);
    (*index..).zip(values).map(one).collect()
}

pub(crate) fn call_item(id: u64, task: &str, count: u32) -> CallItem {
    CallItem {
        work_id: WorkId(id),
        attempt: ATTEMPT,
        task: TaskKey::of(task),
        count,
    }
}

/// A boot without extras.
pub(crate) fn plain_boot() -> Boot {
    Boot {
        pool: "test".to_string(),
        worker: WORKER,
        preload: None,
        initializer: None,
        finalizer: None,
        current_dir: None,
        parent_pid: std::process::id(),
        output: Output::Inherit,
        limits: WorkerLimits::default(),
    }
}

/// A boot with this initializer, which takes a number.
pub(crate) fn boot_with_initializer(task: &str, argument: u64) -> Boot {
    let initializer = Some(BootCall {
        task: TaskKey::of(task),
        payload: number(argument),
        descriptors: 0,
    });
    Boot {
        initializer,
        ..plain_boot()
    }
}

pub(crate) fn number(number: u64) -> Vec<u8> {
    encoded(|out| Lane::raw().encode(&number, out))
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    encoded(|out| Lane::raw().encode(&text.to_string(), out))
}

pub(crate) fn encoded(encode: impl FnOnce(&mut Encoder) -> Result<(), CodecError>) -> Vec<u8> {
    let mut out = Encoder::new();
    encode(&mut out).expect("it is a value");
    out.into_bytes()
}
