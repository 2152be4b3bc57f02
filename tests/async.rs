//! Futures and maps awaited by async code: by tokio, by hand, raced, and dropped midway.
#![forbid(unsafe_code)]

mod common;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use common::{
    Scratch, busy_pool, pool_of,
    tasks::{End, Hold, count, end, hold, square},
    until, watchdog,
};
use ppool::{Pool, TaskError};
use tokio::{
    runtime::{Builder, Runtime},
    time::{sleep, timeout},
};

const LONG: Duration = Duration::from_secs(3600);

/// Runtimes as programs have them.
fn runtimes() -> [Runtime; 2] {
    let mut many = Builder::new_multi_thread();
    let many = many.worker_threads(2).enable_all().build();
    let one = Builder::new_current_thread().enable_all().build();
    [one.expect("a runtime"), many.expect("a runtime")]
}

#[test]
fn tokio_awaits_calls() {
    let _watchdog = watchdog();
    for runtime in runtimes() {
        let pool = pool_of(2);
        let sum: Result<u64, TaskError> = runtime.block_on(async {
            let (one, other) = tokio::join!(pool.submit(square, 3), pool.submit(square, 4));
            Ok(one? + other?)
        });
        assert_eq!(sum.unwrap(), 25);
        let error = runtime.block_on(pool.submit(end, End::Abort)).unwrap_err();
        assert!(error.is_worker_lost());
    }
}

#[test]
fn futures_can_be_awaited_by_spawned_tasks() {
    let _watchdog = watchdog();
    for runtime in runtimes() {
        let pool = Arc::new(pool_of(2));
        let sum = runtime.block_on(async {
            let tasks: Vec<_> = (0..100)
                .map(|n| {
                    let pool = Arc::clone(&pool);
                    tokio::spawn(async move { pool.submit(square, n).await })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap().unwrap();
            }
            sum
        });
        assert_eq!(sum, (0..100).map(|n| n * n).sum::<u64>());
    }
}

#[test]
fn the_executor_is_free_while_calls_run() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "call");
    let [runtime, _] = runtimes();
    runtime.block_on(async {
        let call = tokio::spawn(pool.submit(hold, &held));
        // This would never come if the one thread waited for the call.
        sleep(Duration::from_millis(1)).await;
        held.release.raise();
        assert!(call.await.unwrap().is_ok());
    });
}

#[test]
fn a_map_can_be_awaited() {
    let _watchdog = watchdog();
    for runtime in runtimes() {
        let pool = pool_of(2);
        let squares = runtime.block_on(pool.map_async(square, 0..100)).unwrap();
        assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<_>>());
        let failed = runtime.block_on(pool.map_async(end, [End::Kill]));
        assert!(failed.unwrap_err().is_worker_lost());
    }
}

#[test]
fn a_call_that_loses_a_race_against_a_timeout_still_runs() {
    let _watchdog = watchdog();
    for runtime in runtimes() {
        let scratch = Scratch::new();
        let pool = pool_of(1);
        let held = Hold::new(&scratch, "call");
        runtime.block_on(async {
            let mut call = pool.submit(hold, &held);
            assert!(timeout(Duration::from_millis(5), &mut call).await.is_err());
            assert!(!call.is_done());
            tokio::select! {
                _ = &mut call => panic!("nobody has released it"),
                () = sleep(Duration::from_millis(5)) => {}
            }
            held.release.raise();
            assert!(timeout(LONG, call).await.unwrap().is_ok());
        });
    }
}

#[test]
fn a_future_dropped_midway_detaches_its_call() {
    let _watchdog = watchdog();
    for runtime in runtimes() {
        let busy = busy_pool();
        let ran = busy.ran.clone();
        runtime.block_on(async {
            let call = busy.pool.submit(count, (&ran, 1));
            // The future is polled, then dropped by the timeout.
            assert!(timeout(Duration::from_millis(5), call).await.is_err());
            let map = busy.pool.map_async(count, [(&ran, 2), (&ran, 3)]);
            assert!(timeout(Duration::from_millis(5), map).await.is_err());
        });
        busy.held.release.raise();
        busy.pool.join();
        assert_eq!(ran.notes(), ["1", "2", "3"]);
    }
}

#[test]
fn an_aborted_tokio_task_harms_nobody() {
    let _watchdog = watchdog();
    let [_, runtime] = runtimes();
    let busy = busy_pool();
    runtime.block_on(async {
        let waiting = tokio::spawn(busy.pool.submit(square, 3));
        tokio::task::yield_now().await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
    });
    busy.held.release.raise();
    assert_eq!(runtime.block_on(busy.pool.submit(square, 4)).unwrap(), 16);
}

#[test]
fn a_cancelled_call_wakes_who_awaits_it() {
    let _watchdog = watchdog();
    let [runtime, _] = runtimes();
    let busy = busy_pool();
    let pool = &busy.pool;
    runtime.block_on(async {
        let mut waiting = pin!(pool.submit(square, 3));
        let pending = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending()));
        assert!(pending.await);
        pool.shutdown_later(&busy.held);
        assert!(waiting.await.unwrap_err().is_cancelled());
    });
}

trait ShutdownLater {
    fn shutdown_later(&self, held: &Hold);
}

impl ShutdownLater for Pool {
    /// Cancels what waits from another thread, which then lets the running call end.
    fn shutdown_later(&self, held: &Hold) {
        thread::scope(|scope| {
            scope.spawn(|| {
                held.release.raise();
                self.terminate();
            });
        });
    }
}

/// Wakes a thread, and counts how often.
struct Unparker {
    thread: Thread,
    wakes: AtomicUsize,
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

#[test]
fn a_map_wakes_a_bare_executor_once() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    let unparker = Arc::new(Unparker {
        thread: thread::current(),
        wakes: AtomicUsize::new(0),
    });
    let waker = Waker::from(Arc::clone(&unparker));
    let mut context = Context::from_waker(&waker);
    let mut map = pin!(pool.map_async(square, 0..20));
    assert!(map.as_mut().poll(&mut context).is_pending());
    held.release.raise();
    until(|| unparker.wakes.load(Ordering::SeqCst) > 0);
    let Poll::Ready(squares) = map.as_mut().poll(&mut context) else {
        panic!("it was woken before it was done");
    };
    assert_eq!(squares.unwrap().len(), 20);
    assert_eq!(unparker.wakes.load(Ordering::SeqCst), 1);
    first.wait().unwrap();
}

#[test]
fn an_in_process_pool_can_be_awaited() {
    let _watchdog = watchdog();
    let pool = Pool::builder().in_process().build().unwrap();
    for runtime in runtimes() {
        assert_eq!(runtime.block_on(pool.submit(square, 3)).unwrap(), 9);
        let squares = runtime.block_on(pool.map_async(square, 0..3));
        assert_eq!(squares.unwrap(), [0, 1, 4]);
    }
}
