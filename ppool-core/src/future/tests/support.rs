//! A pool of one test: calls that it hands out, and ends when it is told to.

use std::{
    pin::pin,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use super::super::{park::lock, *};
use crate::{
    codec::{Encoder, Lane},
    error::{RemotePanic, TaskError, TaskErrorKind},
    ids::WorkId,
    task::TaskEntry,
};

static DOUBLE: TaskEntry = TaskEntry::new(
    "tests::double",
    "fn(u64) -> u64",
    "tests.rs:1",
    &["n"],
    |_| Ok(()),
    || (),
);

pub(super) struct TestPool {
    callbacks: CallbackRunner,
    /// Ends one call at a time, as a queue manager does.
    manager: Mutex<()>,
    /// What `cancel_all` was asked for.
    pub(super) cancelled: Mutex<Vec<WorkId>>,
}

impl TestPool {
    pub(super) fn new() -> Arc<Self> {
        TestPool::with(CallbackRunner::new(Callbacks::Background))
    }

    pub(super) fn with(callbacks: CallbackRunner) -> Arc<Self> {
        Arc::new(TestPool {
            callbacks,
            manager: Mutex::new(()),
            cancelled: Mutex::default(),
        })
    }

    pub(super) fn call<R>(self: &Arc<Self>, lane: Lane<R>) -> (Arc<CallState>, TaskFuture<R>) {
        let state = Arc::new(CallState::new());
        let control: Arc<dyn CallControl> = self.clone();
        let future = TaskFuture::new(
            Arc::clone(&state),
            control,
            WorkId::new(7, 0),
            &DOUBLE,
            lane,
        );
        (state, future)
    }

    /// A call whose result is a number.
    pub(super) fn number(self: &Arc<Self>) -> (Arc<CallState>, TaskFuture<u64>) {
        self.call(Lane::raw())
    }

    pub(super) fn numbers(
        self: &Arc<Self>,
        count: usize,
    ) -> (Vec<Arc<CallState>>, Vec<TaskFuture<u64>>) {
        (0..count).map(|_| self.number()).unzip()
    }

    pub(super) fn finish(&self, state: &CallState, outcome: Outcome) {
        let manager = lock(&self.manager);
        let hooks = state.finish(outcome);
        drop(manager);
        hooks.run(&self.callbacks);
    }

    /// Ends the call unless it has ended; whether it did.
    pub(super) fn try_finish(&self, state: &CallState, outcome: Outcome) -> bool {
        let manager = lock(&self.manager);
        if state.is_done() {
            return false;
        }
        let hooks = state.finish(outcome);
        drop(manager);
        hooks.run(&self.callbacks);
        true
    }
}

impl CallControl for TestPool {
    fn cancel(&self, _id: WorkId, state: &CallState) -> bool {
        let manager = lock(&self.manager);
        if state.state() != TaskState::Pending {
            return false;
        }
        let hooks = state.finish(Outcome::Error(cancelled(false)));
        drop(manager);
        hooks.run(&self.callbacks);
        true
    }

    fn kill(&self, _id: WorkId, state: &CallState) -> bool {
        self.try_finish(state, Outcome::Error(cancelled(true)))
    }

    fn cancel_all(&self, ids: &[WorkId]) {
        lock(&self.cancelled).extend(ids);
    }

    fn callbacks(&self) -> &CallbackRunner {
        &self.callbacks
    }
}

pub(super) fn failed(number: Result<u64, TaskError>) -> TaskFuture<u64> {
    let error = number.unwrap_err();
    TaskFuture::failed(error, None, WorkId::new(8, 0), &DOUBLE, Lane::raw())
}

pub(super) fn value(number: u64) -> Outcome {
    encoded(&Lane::raw(), &number)
}

pub(super) fn encoded<R>(lane: &Lane<R>, value: &R) -> Outcome {
    let mut out = Encoder::new();
    lane.encode(value, &mut out).unwrap();
    Outcome::Value(out.into_payload())
}

pub(super) fn error(kind: TaskErrorKind, started: bool) -> TaskError {
    TaskError::new(DOUBLE.name(), WorkId::new(7, 0), started, kind)
}

pub(super) fn cancelled(started: bool) -> TaskError {
    error(TaskErrorKind::Cancelled, started)
}

pub(super) fn panicked() -> TaskError {
    let panic = RemotePanic::new("oh".to_owned(), None, None);
    error(TaskErrorKind::Panicked(panic), true)
}

/// Fails a test that hangs instead of letting it hang.
pub(super) fn guarded(body: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel::<()>();
    let body = thread::spawn(move || {
        let _done = done;
        body();
    });
    let hung = ended.recv_timeout(Duration::from_secs(120)) == Err(mpsc::RecvTimeoutError::Timeout);
    assert!(!hung, "the test hangs");
    if let Err(panic) = body.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A waker that unparks a thread.
pub(super) struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A job that says when it began, and then waits until it may go on.
pub(super) fn gate() -> (
    impl FnOnce() + Send + 'static,
    mpsc::Receiver<()>,
    mpsc::Sender<()>,
) {
    let (began, has_begun) = mpsc::channel();
    let (open, opened) = mpsc::channel::<()>();
    let job = move || {
        began.send(()).unwrap();
        opened.recv().unwrap();
    };
    (job, has_begun, open)
}
