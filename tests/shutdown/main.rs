//! The end of a pool: by its methods, by a drop, and with the process.
#![forbid(unsafe_code)]

mod at_exit;
#[path = "../common/mod.rs"]
mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::channel},
    thread,
};

use common::{
    Scratch, busy_pool, pool_of,
    processes::is_alive,
    tasks::{End, Hold, end, hold, run_for_ever, square},
    until, watchdog,
};
use ppool::{Pool, Shutdown, SubmitError, TaskErrorKind, TaskFuture};

#[test]
fn a_closed_pool_finishes_what_it_has_and_takes_no_more() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(10);
    busy.pool.close();

    let late = busy.pool.submit(square, 3);
    let error = late.wait().unwrap_err();
    assert!(
        matches!(error.kind(), TaskErrorKind::PoolClosed),
        "{error:?}"
    );
    assert!(!error.was_started());
    assert!(error.to_string().contains("after shutdown"), "{error}");
    let error = busy.pool.try_submit(square, 3).unwrap_err();
    assert!(matches!(error, SubmitError::Closed(3)), "{error:?}");
    assert!(busy.pool.map(square, 0..3).is_err());

    busy.held.release.raise();
    busy.pool.join();
    busy.running.wait().unwrap();
    for (n, future) in (0..).zip(waiting) {
        assert_eq!(future.wait().unwrap(), n);
    }
    assert_eq!(busy.ran.count(), 10);
    assert_eq!(busy.pool.worker_pids(), []);
}

#[test]
fn terminate_ends_running_and_waiting_calls() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(10);
    let pids = busy.pool.worker_pids();
    busy.pool.terminate();
    busy.pool.join();
    let error = busy.running.wait().unwrap_err();
    assert!(error.is_cancelled() && error.was_started(), "{error:?}");
    for future in waiting {
        let error = future.wait().unwrap_err();
        assert!(error.is_cancelled() && !error.was_started(), "{error:?}");
    }
    assert_eq!(busy.ran.count(), 0);
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    assert!(matches!(
        busy.pool.try_submit(square, 3),
        Err(SubmitError::Closed(3))
    ));
}

#[test]
fn shutdown_with_drain_finishes_everything() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(10);
    let pids = busy.pool.worker_pids();
    busy.held.release.raise();
    busy.pool.shutdown(Shutdown::Drain);
    // It has waited for the workers, so nothing is left to wait for.
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    assert!(busy.running.is_done() && waiting.iter().all(TaskFuture::is_done));
    assert_eq!(busy.ran.count(), 10);
    assert_eq!(busy.running.wait().unwrap(), pids[0]);
}

#[test]
fn shutdown_with_cancel_pending_finishes_what_runs() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(10);
    let release = thread::spawn(move || {
        // Only when the waiting calls have been cancelled is the busy.running one let go.
        for future in waiting {
            let error = future.wait().unwrap_err();
            assert!(error.is_cancelled() && !error.was_started(), "{error:?}");
        }
        busy.held.release.raise();
    });
    busy.pool.shutdown(Shutdown::CancelPending);
    release.join().unwrap();
    busy.running.wait().unwrap();
    assert_eq!(busy.ran.count(), 0);
}

#[test]
fn dropping_a_pool_drains_it() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(10);
    let pids = busy.pool.worker_pids();
    busy.held.release.raise();
    drop(busy.pool);
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    assert!(busy.running.is_done() && waiting.iter().all(TaskFuture::is_done));
    assert_eq!(busy.ran.count(), 10);
}

#[test]
fn dropping_futures_and_the_pool_still_runs_the_calls() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(10);
    drop((busy.running, waiting));
    busy.held.release.raise();
    drop(busy.pool);
    assert_eq!(busy.ran.count(), 10);
}

#[test]
fn a_pool_that_has_done_nothing_ends_at_once() {
    let _watchdog = watchdog();
    drop(Pool::new());
    let pool = Pool::new();
    pool.close();
    pool.join();
    Pool::new().terminate();
    Pool::new().shutdown(Shutdown::Drain);
    Pool::new().shutdown(Shutdown::CancelPending);
}

#[test]
fn every_way_to_end_a_pool_may_be_used_twice_and_mixed() {
    let _watchdog = watchdog();
    type Step = fn(&Pool);
    let steps: [Step; 5] = [
        |pool| pool.close(),
        |pool| {
            pool.close();
            pool.join();
        },
        |pool| pool.terminate(),
        |pool| pool.shutdown(Shutdown::Drain),
        |pool| pool.shutdown(Shutdown::CancelPending),
    ];
    for first in steps {
        for second in steps {
            let pool = pool_of(1);
            assert_eq!(pool.apply(square, 3).unwrap(), 9);
            first(&pool);
            second(&pool);
            second(&pool);
            assert!(pool.apply(square, 3).is_err());
        }
    }
}

#[test]
fn several_threads_may_end_a_pool_at_once() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(10);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| busy.pool.shutdown(Shutdown::Drain));
        }
        scope.spawn(|| {
            busy.pool.close();
            busy.held.release.raise();
            busy.pool.join();
        });
    });
    busy.running.wait().unwrap();
    assert!(waiting.iter().all(TaskFuture::is_done));
    assert_eq!(busy.ran.count(), 10);
}

#[test]
fn a_shutdown_wakes_a_submitter_that_waits_for_room() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder()
        .workers(1)
        .queue_capacity(1)
        .build()
        .unwrap();
    let held = Hold::new(&scratch, "first");
    let running = pool.submit(hold, &held);
    held.started.wait();
    let closed = thread::scope(|scope| {
        // Fills the queue, then waits in `submit` until the pool is closed under it.
        let submitter = scope.spawn(|| {
            (0..100)
                .map(|n| pool.submit(square, n))
                .filter(|future| future.is_done())
                .filter_map(|future| future.wait().err())
                .next()
        });
        until(|| {
            pool.try_submit(square, 0)
                .is_err_and(|error| error.is_full())
        });
        pool.close();
        submitter.join().unwrap()
    });
    let error = closed.expect("a call after the close");
    assert!(
        matches!(error.kind(), TaskErrorKind::PoolClosed),
        "{error:?}"
    );
    held.release.raise();
    running.wait().unwrap();
}

#[test]
fn a_pool_may_be_shut_down_from_a_callback() {
    let _watchdog = watchdog();
    for how in [Shutdown::Drain, Shutdown::CancelPending] {
        let pool = Arc::new(pool_of(1));
        let (sender, done) = channel();
        let future = pool
            .task(square)
            .callback({
                let pool = pool.clone();
                move |_: &u64| {
                    pool.shutdown(how);
                    sender.send(()).unwrap();
                }
            })
            .submit(2);
        assert_eq!(future.wait().unwrap(), 4);
        done.recv().unwrap();
        assert!(pool.apply(square, 3).is_err());
    }
}

#[test]
fn a_pool_may_be_terminated_from_a_callback() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Arc::new(pool_of(2));
    let started = scratch.flag("started");
    let for_ever = pool.submit(run_for_ever, &started);
    started.wait();
    let future = pool
        .task(square)
        .callback({
            let pool = pool.clone();
            move |_: &u64| {
                pool.terminate();
                pool.join();
            }
        })
        .submit(2);
    assert_eq!(future.wait().unwrap(), 4);
    assert!(for_ever.wait().unwrap_err().is_cancelled());
}

#[test]
fn a_pool_dropped_by_a_panic_is_drained() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(10);
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let _pool = busy.pool;
        busy.held.release.raise();
        panic!("on purpose");
    }));
    assert!(outcome.is_err());
    busy.running.wait().unwrap();
    assert!(waiting.iter().all(TaskFuture::is_done));
    assert_eq!(busy.ran.count(), 10);
}

#[test]
fn terminate_returns_with_full_queues_and_busy_workers() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    for round in 0..30 {
        let pool = pool_of(2);
        let started = scratch.flag(&format!("started-{round}"));
        let mut futures = vec![pool.submit(run_for_ever, &started)];
        started.wait();
        for n in 0..20 {
            futures.push(pool.submit(run_for_ever, scratch.flag(&format!("{round}-{n}"))));
        }
        pool.terminate();
        for future in futures {
            assert!(future.wait().unwrap_err().is_cancelled());
        }
    }
}

#[test]
fn a_worker_lost_while_the_pool_drains_is_replaced() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let lost = pool.submit(end, End::Kill);
    let futures: Vec<_> = (0..10).map(|n| pool.submit(square, n)).collect();
    drop(pool);
    assert!(lost.wait().unwrap_err().is_worker_lost());
    assert!(futures.into_iter().all(|future| future.wait().is_ok()));
}
