use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize};

use super::{super::*, support::*};
use crate::{codec::Lane, error::TaskErrorKind};

#[derive(Default)]
struct CountWakes(AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn poll<R>(future: &mut TaskFuture<R>, waker: &Waker) -> Poll<<TaskFuture<R> as Future>::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// What a callback of `future` got, once it runs.
fn heard(future: &TaskFuture<u64>) -> mpsc::Receiver<Result<u64, String>> {
    let (said, heard) = mpsc::channel();
    future.on_done(move |result| {
        let _ = said.send(result.copied().map_err(ToString::to_string));
    });
    heard
}

#[test]
fn a_future_can_be_shared_and_moved_whatever_its_result_is() {
    fn check<T: Send + Sync + Unpin>() {}
    check::<TaskFuture<Rc<Cell<u8>>>>();
    check::<TaskFuture<std::marker::PhantomPinned>>();
    check::<CallState>();
}

#[test]
fn wait_gives_the_value_or_the_error() {
    let pool = TestPool::new();
    let (state, future) = pool.number();
    assert_eq!((future.id(), future.task()), (7, "tests::double"));
    pool.finish(&state, value(5));
    assert_eq!(future.wait().unwrap(), 5);

    let (state, future) = pool.number();
    pool.finish(&state, Outcome::Error(panicked()));
    assert!(future.wait().unwrap_err().is_panic());
}

#[test]
fn wait_blocks_until_another_thread_finishes_the_call() {
    guarded(|| {
        let pool = TestPool::new();
        for n in 0..200 {
            let (state, future) = pool.number();
            let pool = Arc::clone(&pool);
            let finisher = thread::spawn(move || pool.finish(&state, value(n)));
            assert_eq!(future.wait().unwrap(), n);
            finisher.join().unwrap();
        }
    });
}

#[test]
fn wait_timeout_says_whether_the_call_is_done() {
    let pool = TestPool::new();
    let (state, future) = pool.number();
    assert!(!future.wait_timeout(Duration::ZERO));
    assert!(!future.wait_timeout(Duration::from_millis(1)));
    pool.finish(&state, value(5));
    assert!(future.wait_timeout(Duration::ZERO));
    assert!(future.wait_timeout(Duration::MAX));
    assert_eq!(future.wait().unwrap(), 5);
}

#[test]
fn the_longest_timeout_is_for_ever() {
    guarded(|| {
        let pool = TestPool::new();
        let (state, future) = pool.number();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| future.wait_timeout(Duration::MAX));
            pool.finish(&state, value(5));
            assert!(waiter.join().unwrap());
        });
    });
}

#[test]
fn the_result_is_given_once() {
    let pool = TestPool::new();
    let (state, mut future) = pool.number();
    assert!(future.try_result().is_none());
    pool.finish(&state, value(5));
    assert_eq!(future.try_result().unwrap().unwrap(), 5);
    assert!(future.try_result().is_none());
    assert!(future.is_done());
    let error = future.wait().unwrap_err();
    assert!(error.to_string().contains("already taken"), "{error}");
}

#[test]
fn an_error_can_be_had_again() {
    let pool = TestPool::new();
    let (state, mut future) = pool.number();
    pool.finish(&state, Outcome::Error(panicked()));
    assert!(future.try_result().unwrap().unwrap_err().is_panic());
    assert!(future.try_result().is_none());
    assert!(future.wait().unwrap_err().is_panic());
}

#[test]
fn callbacks_and_wait_get_the_value_in_any_order() {
    guarded(|| {
        let pool = TestPool::new();
        let (state, future) = pool.number();
        let before = heard(&future);
        pool.finish(&state, value(5));
        let after = heard(&future);
        assert_eq!(future.wait().unwrap(), 5);
        assert_eq!(before.recv().unwrap(), Ok(5));
        assert_eq!(after.recv().unwrap(), Ok(5));
    });
}

#[test]
fn a_callback_can_be_added_after_the_end_before_the_value_is_taken() {
    guarded(|| {
        let pool = TestPool::new();
        let (state, mut future) = pool.number();
        pool.finish(&state, value(5));
        let before = heard(&future);
        assert_eq!(future.try_result().unwrap().unwrap(), 5);
        let late = heard(&future);
        assert_eq!(before.recv().unwrap(), Ok(5));
        let error = late.recv().unwrap().unwrap_err();
        assert!(error.contains("already taken"), "{error}");
    });
}

#[test]
fn callbacks_run_in_order_on_their_thread_even_when_the_future_is_gone() {
    guarded(|| {
        let pool = TestPool::new();
        let (state, future) = pool.number();
        let (said, heard) = mpsc::channel();
        for n in 0..10 {
            let said = said.clone();
            future.on_done(move |result| {
                let thread = thread::current().name().unwrap_or_default().to_owned();
                said.send((n, result.is_ok(), thread)).unwrap();
            });
        }
        drop((future, said));
        pool.finish(&state, value(5));
        let expected = (0..10).map(|n| (n, true, "ppool-callbacks".to_owned()));
        assert!(heard.iter().eq(expected));
    });
}

#[test]
fn a_callback_may_wait_for_another_call_of_the_pool() {
    guarded(|| {
        let pool = TestPool::new();
        let (first, future) = pool.number();
        let (second, other) = pool.number();
        let (said, heard) = mpsc::channel();
        future.on_done(move |_| said.send(other.wait().unwrap()).unwrap());
        pool.finish(&first, value(1));
        pool.finish(&second, value(2));
        assert_eq!(heard.recv().unwrap(), 2);
    });
}

#[test]
fn a_callback_or_waker_that_panics_harms_nobody() {
    struct PanicWaker;
    impl Wake for PanicWaker {
        fn wake(self: Arc<Self>) {
            panic!("expected in this test: a waker");
        }
    }
    guarded(|| {
        let pool = TestPool::new();
        let (state, mut future) = pool.number();
        assert!(poll(&mut future, &Waker::from(Arc::new(PanicWaker))).is_pending());
        future.on_done(|_| panic!("expected in this test: a callback"));
        let next = heard(&future);
        pool.finish(&state, value(5));
        assert_eq!(next.recv().unwrap(), Ok(5));
        assert_eq!(future.wait().unwrap(), 5);
    });
}

#[test]
fn a_future_can_be_awaited() {
    guarded(|| {
        let pool = TestPool::new();
        for n in 0..200 {
            let (state, future) = pool.number();
            let pool = Arc::clone(&pool);
            let finisher = thread::spawn(move || pool.finish(&state, value(n)));
            assert_eq!(block_on(future).unwrap(), n);
            finisher.join().unwrap();
        }
    });
}

#[test]
fn only_the_last_waker_is_woken_and_once() {
    let pool = TestPool::new();
    let (state, mut future) = pool.number();
    let [old, new] = [(), ()].map(|()| Arc::new(CountWakes::default()));
    assert!(poll(&mut future, &Waker::from(old.clone())).is_pending());
    let waker = Waker::from(new.clone());
    assert!(poll(&mut future, &waker).is_pending());
    assert!(poll(&mut future, &waker).is_pending());
    assert_eq!(Arc::strong_count(&old), 1, "a replaced waker is kept");
    pool.finish(&state, value(5));
    assert_eq!((old.0.load(SeqCst), new.0.load(SeqCst)), (0, 1));
    assert!(matches!(poll(&mut future, &waker), Poll::Ready(Ok(5))));
    assert!(matches!(poll(&mut future, &waker), Poll::Ready(Err(_))));
    assert!(future.try_result().is_none());
}

#[test]
fn a_dropped_future_keeps_no_waker() {
    let pool = TestPool::new();
    let (state, mut future) = pool.number();
    let wakes = Arc::new(CountWakes::default());
    assert!(poll(&mut future, &Waker::from(wakes.clone())).is_pending());
    drop(future);
    assert_eq!(Arc::strong_count(&wakes), 1);
    pool.finish(&state, value(5));
    assert_eq!(wakes.0.load(SeqCst), 0);
    assert_eq!(Arc::strong_count(&state), 1);
}

#[test]
fn cancel_says_whether_the_call_will_not_run() {
    let pool = TestPool::new();
    let (_, future) = pool.number();
    assert!(future.cancel());
    assert!(future.cancel(), "it was cancelled before");
    assert!(future.is_cancelled() && future.is_done() && !future.is_running());
    assert!(future.wait().unwrap_err().is_cancelled());

    let (state, future) = pool.number();
    assert_eq!(state.starts(), Starts::Running);
    assert!(future.is_running());
    assert!(!future.cancel());
    assert!(future.kill());
    let error = future.wait().unwrap_err();
    assert!(error.is_cancelled() && error.was_started());

    let (state, future) = pool.number();
    pool.finish(&state, value(5));
    assert!(!future.cancel() && !future.kill());
    assert_eq!(future.wait().unwrap(), 5);
}

#[test]
fn a_future_born_with_its_error_is_done() {
    let mut future = failed(Err(error(TaskErrorKind::PoolClosed, false)));
    assert_eq!(future.state(), TaskState::Finished);
    assert!(!future.cancel() && !future.kill());
    let said = heard(&future);
    assert!(
        said.try_recv().unwrap().is_err(),
        "the callback runs in place"
    );
    future.on_done(|_| panic!("expected in this test: a callback in place"));
    assert!(future.try_result().unwrap().is_err());
    assert!(matches!(
        block_on(future).unwrap_err().kind(),
        TaskErrorKind::PoolClosed
    ));
}

#[test]
fn a_result_that_cannot_be_decoded_is_an_error_that_names_the_task() {
    #[derive(Debug, Serialize)]
    struct Bomb;
    impl<'de> Deserialize<'de> for Bomb {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("expected in this test: a Deserialize");
        }
    }
    let pool = TestPool::new();
    let lane = Lane::cbor();
    let (state, future) = pool.call(lane);
    pool.finish(&state, encoded(&lane, &Bomb));
    let error = future.wait().unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::Decode(_)));
    let message = error.to_string();
    assert!(message.contains("`tests::double`"), "{message}");
    assert!(
        message.contains("expected in this test: a Deserialize"),
        "{message}"
    );

    let (state, future) = pool.number();
    pool.finish(&state, Outcome::Value(vec![1, 2].into()));
    let error = future.wait().unwrap_err();
    assert!(error.to_string().contains("cut short"), "{error}");
    assert!(error.was_started());
}

#[test]
fn debug_names_the_call_and_its_state() {
    let pool = TestPool::new();
    let (_state, future) = pool.number();
    assert_eq!(
        format!("{future:?}"),
        r#"TaskFuture { id: 7, task: "tests::double", state: Pending }"#
    );
}
