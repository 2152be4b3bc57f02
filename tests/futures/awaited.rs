//! A `TaskFuture` is a `std::future::Future` for any executor.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use crate::common::{
    busy_pool, pool_of,
    tasks::{End, end, square},
    until, watchdog,
};

/// Wakes a thread, and counts how often.
struct Unparker {
    thread: Thread,
    wakes: AtomicUsize,
}

impl Unparker {
    fn of_this_thread() -> Arc<Self> {
        Arc::new(Unparker {
            thread: thread::current(),
            wakes: AtomicUsize::new(0),
        })
    }
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Unparker::of_this_thread());
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_future_can_be_awaited_by_any_executor() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let sum = block_on(async {
        let (one, other) = (pool.submit(square, 3), pool.submit(square, 4));
        Ok::<u64, ppool::TaskError>(one.await? + other.await?)
    });
    assert_eq!(sum.unwrap(), 25);
    let error = block_on(pool.submit(end, End::Abort)).unwrap_err();
    assert!(error.is_worker_lost());
}

#[test]
fn many_futures_can_be_awaited_at_once() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let mut futures: Vec<_> = (0..50)
        .map(|n| Some(Box::pin(pool.submit(square, n))))
        .collect();
    let mut sum = 0;
    block_on(poll_fn(|context| {
        for slot in &mut futures {
            let Some(future) = slot else { continue };
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                sum += value.unwrap();
                *slot = None;
            }
        }
        match futures.iter().all(Option::is_none) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }));
    assert_eq!(sum, (0..50).map(|n| n * n).sum::<u64>());
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let mut running = pin!(busy.running);
    let first = Unparker::of_this_thread();
    let last = Unparker::of_this_thread();
    for unparker in [&first, &last] {
        let waker = Waker::from(unparker.clone());
        let polled = running.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    busy.held.release.raise();
    until(|| last.wakes.load(Ordering::SeqCst) > 0);
    assert!(
        running
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    );
}
