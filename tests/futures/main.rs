//! The future of a call: waiting, asking, cancelling, awaiting, and many of them at once.
#![forbid(unsafe_code)]

mod awaited;
#[path = "../common/mod.rs"]
mod common;
mod many;

use std::{sync::mpsc::channel, time::Duration};

use common::{
    Scratch, busy_pool, pool_of,
    processes::is_alive,
    tasks::{End, Hold, count, end, hold, panic_with, run_for_ever, square},
    until, watchdog,
};
use ppool::{TaskErrorKind, TaskFuture, TaskState};

const SOON: Duration = Duration::from_millis(20);

#[test]
fn a_call_killed_behind_another_leaves_that_one_alone() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "held");
    let running = pool.submit(hold, &held);
    held.started.wait();
    let behind: Vec<_> = (0..10).map(|n| pool.submit(square, n)).collect();
    assert!(behind[4].kill());
    held.release.raise();
    running.wait().unwrap();
    for (n, future) in behind.into_iter().enumerate() {
        match future.wait() {
            Ok(value) => assert_eq!(value, (n * n) as u64),
            Err(error) => assert!(n == 4 && error.is_cancelled(), "{n}: {error:?}"),
        }
    }
}

#[test]
fn calls_behind_a_killed_one_run_all_the_same() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "held");
    let running = pool.submit(hold, &held);
    held.started.wait();
    let behind: Vec<_> = (0..10).map(|n| pool.submit(square, n)).collect();
    assert!(running.kill());
    assert!(running.wait().unwrap_err().is_cancelled());
    for (n, future) in behind.into_iter().enumerate() {
        assert_eq!(future.wait().unwrap(), (n * n) as u64);
    }
}

#[test]
fn a_future_tells_how_far_its_call_is() {
    let _watchdog = watchdog();
    let mut busy = busy_pool();
    let mut waiting: Vec<_> = (0..5).map(|n| busy.pool.submit(square, n)).collect();
    let last = waiting.last_mut().unwrap();
    assert_eq!(last.state(), TaskState::Pending);
    assert!(!last.is_done() && !last.is_running() && !last.is_cancelled());
    assert!(last.try_result().is_none());
    // What runs was given to a worker, and that is all a parent knows at once.
    until(|| busy.running.state() == TaskState::Running);
    assert!(busy.running.is_running() && !busy.running.is_done());
    assert!(busy.running.try_result().is_none());
    assert!(!busy.running.wait_timeout(SOON));

    busy.held.release.raise();
    while !busy.running.wait_timeout(SOON) {}
    assert_eq!(busy.running.state(), TaskState::Finished);
    assert!(busy.running.is_done() && !busy.running.is_running() && !busy.running.is_cancelled());
    assert!(is_alive(busy.running.try_result().unwrap().unwrap()));
    // It is given once.
    assert!(busy.running.try_result().is_none());
    for (n, future) in (0..).zip(waiting) {
        assert_eq!(future.wait().unwrap(), n * n);
    }
}

#[test]
fn a_call_that_failed_is_finished_too() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let mut future = pool.submit(panic_with, "on purpose");
    while !future.wait_timeout(SOON) {}
    assert_eq!(future.state(), TaskState::Finished);
    assert!(future.try_result().unwrap().unwrap_err().is_panic());
}

#[test]
fn a_call_that_has_not_started_can_be_cancelled() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    // The first of them may lie in the worker's queue already; that makes no difference.
    let waiting: Vec<_> = (0..5)
        .map(|n| busy.pool.submit(count, (&busy.ran, n)))
        .collect();
    for future in &waiting {
        assert!(future.cancel());
        assert_eq!(future.state(), TaskState::Cancelled);
        assert!(future.is_cancelled() && future.is_done());
        assert!(future.cancel(), "it stays cancelled");
    }
    for future in waiting {
        let error = future.wait().unwrap_err();
        assert!(
            matches!(error.kind(), TaskErrorKind::Cancelled),
            "{error:?}"
        );
        assert!(error.task().contains("count") && !error.was_started());
    }
    busy.held.release.raise();
    busy.running.wait().unwrap();
    assert_eq!(busy.pool.apply(square, 5).unwrap(), 25);
    drop(busy.pool);
    assert_eq!(busy.ran.count(), 0);
}

#[test]
fn a_call_that_runs_can_not_be_cancelled() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    assert!(!busy.running.cancel());
    assert!(!busy.running.is_cancelled());
    busy.held.release.raise();
    assert!(busy.running.wait().is_ok());
}

#[test]
fn a_call_that_runs_can_be_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(2);
    let started = scratch.flag("started");
    let future = pool.submit(run_for_ever, &started);
    started.wait();
    let before = pool.worker_pids();
    assert!(future.kill());
    let error = future.wait().unwrap_err();
    assert!(error.is_cancelled() && error.was_started(), "{error:?}");
    assert_eq!(pool.map(square, 0..20).unwrap().len(), 20);
    until(|| pool.worker_pids().len() == 2 && pool.worker_pids() != before);
}

#[test]
fn a_call_that_waits_can_be_killed() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.pool.submit(count, (&busy.ran, 1));
    assert!(waiting.kill());
    let error = waiting.wait().unwrap_err();
    assert!(error.is_cancelled() && !error.was_started(), "{error:?}");
    busy.held.release.raise();
    // The worker that busy.ran another call is none the worse for it.
    assert!(busy.running.wait().is_ok());
    drop(busy.pool);
    assert_eq!(busy.ran.count(), 0);
}

#[test]
fn a_call_that_is_done_can_be_neither_cancelled_nor_killed() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let future = pool.submit(square, 4);
    while !future.wait_timeout(SOON) {}
    assert!(!future.cancel() && !future.kill());
    assert_eq!(future.wait().unwrap(), 16);
}

#[test]
fn cancels_and_results_may_race() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let ran = scratch.tally("ran");
    let pool = pool_of(2);
    let futures: Vec<_> = (0..300).map(|n| pool.submit(count, (&ran, n))).collect();
    let cancelled: Vec<bool> = futures.iter().rev().map(TaskFuture::cancel).collect();
    let mut values = 0;
    for (future, cancelled) in futures.into_iter().rev().zip(cancelled) {
        match future.wait() {
            Ok(_) => assert!(!cancelled),
            Err(error) => assert!(cancelled && error.is_cancelled() && !error.was_started()),
        };
        values += usize::from(!cancelled);
    }
    drop(pool);
    // What was cancelled has not run, and what has run was not cancelled.
    assert_eq!(ran.count(), values);
}

#[test]
fn a_dropped_future_detaches_its_call() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    for n in 0..5 {
        drop(busy.pool.submit(count, (&busy.ran, n)));
    }
    drop(busy.running);
    busy.held.release.raise();
    drop(busy.pool);
    assert_eq!(busy.ran.count(), 5);
}

#[test]
fn a_future_outlives_its_pool() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let futures: Vec<_> = (0..5).map(|n| pool.submit(square, n)).collect();
    let failed = pool.submit(end, End::Exit(2));
    drop(pool);
    assert!(futures.iter().all(TaskFuture::is_done));
    assert!(!futures[0].cancel() && !futures[0].kill());
    for (n, future) in (0..).zip(futures) {
        assert_eq!(future.wait().unwrap(), n * n);
    }
    assert!(failed.wait().unwrap_err().is_worker_lost());
}

#[test]
fn on_done_is_called_once_with_the_value_or_the_error() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let (sender, outcomes) = channel();
    let good = busy.pool.submit(square, 7);
    let bad = busy.pool.submit(panic_with, "on purpose");
    let (of_good, of_bad) = (sender.clone(), sender.clone());
    good.on_done(move |outcome| of_good.send(format!("{:?}", outcome.ok())).unwrap());
    bad.on_done(move |outcome| of_bad.send(outcome.unwrap_err().to_string()).unwrap());
    busy.held.release.raise();
    assert_eq!(outcomes.recv().unwrap(), "Some(49)");
    assert!(outcomes.recv().unwrap().contains("on purpose"));
    assert_eq!(good.wait().unwrap(), 49);
    // The calls are done by now, so a later one is called at once.
    busy.running.wait().unwrap();
    bad.on_done(move |outcome| sender.send(outcome.is_err().to_string()).unwrap());
    assert_eq!(outcomes.recv().unwrap(), "true");
    assert!(outcomes.recv().is_err(), "each was called once");
}

#[test]
fn an_on_done_that_panics_harms_nobody() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for n in 0..5 {
        let future = pool.submit(square, n);
        future.on_done(|_| panic!("on_done panics, on purpose"));
        assert_eq!(future.wait().unwrap(), n * n);
    }
    assert_eq!(pool.apply(square, 9).unwrap(), 81);
}

#[test]
fn on_done_is_called_though_the_future_is_dropped() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let (sender, outcomes) = channel();
    let future = pool.submit(square, 7);
    future.on_done(move |outcome| sender.send(*outcome.unwrap()).unwrap());
    drop(future);
    assert_eq!(outcomes.recv().unwrap(), 49);
}
