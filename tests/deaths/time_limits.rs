//! Calls that run for too long, and workers that do not listen.

use std::{thread, time::Duration};

use nix::sys::signal::{Signal, raise};
use ppool::{Pool, TaskErrorKind, task};

use crate::{
    common::{
        Flag, Scratch, pool_of,
        processes::{state, wait_until_gone},
        tasks::{Hold, hold, run_for_ever, square, worker_pid},
        until, watchdog,
    },
    signal,
};

const LIMIT: Duration = Duration::from_millis(150);

#[test]
fn a_call_past_its_time_limit_is_stopped() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let started = scratch.flag("started");
    let pid = pool.apply(worker_pid, ()).unwrap();
    let error = pool
        .task(run_for_ever)
        .timeout(LIMIT)
        .apply(&started)
        .unwrap_err();
    assert!(
        matches!(error.kind(), TaskErrorKind::TimedOut(limit) if *limit == LIMIT),
        "{error:?}"
    );
    assert!(error.is_timeout() && error.was_started());
    wait_until_gone(&[pid]);
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
}

#[task(timeout = "150ms")]
fn run_for_at_most_150_ms() {
    loop {
        thread::park();
    }
}

#[test]
fn a_task_may_have_a_time_limit_of_its_own() {
    let _watchdog = watchdog();
    let error = pool_of(1).apply(run_for_at_most_150_ms, ()).unwrap_err();
    assert!(
        matches!(error.kind(), TaskErrorKind::TimedOut(limit) if *limit == LIMIT),
        "{error:?}"
    );
}

#[test]
fn the_time_limit_counts_from_the_start_of_the_call() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    held.started.wait();
    let limited = pool.task(square).timeout(LIMIT).submit(4);
    // It waits for longer than it may run.
    assert!(!limited.wait_timeout(3 * LIMIT));
    held.release.raise();
    assert_eq!(limited.wait().unwrap(), 16);
    first.wait().unwrap();
}

/// Stops itself, and so can't hear SIGTERM.
#[task]
fn stop_itself(started: &Flag) {
    started.raise();
    raise(Signal::SIGSTOP).expect("a process may stop itself");
}

#[test]
fn a_worker_that_does_not_hear_sigterm_is_killed_after_the_grace() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder()
        .workers(1)
        .grace(Duration::from_millis(100))
        .build()
        .unwrap();
    let pid = pool.apply(worker_pid, ()).unwrap();
    let started = scratch.flag("started");
    let error = pool
        .task(stop_itself)
        .timeout(LIMIT)
        .apply(&started)
        .unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    wait_until_gone(&[pid]);
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
}

#[test]
fn a_stopped_worker_fails_the_call_given_to_it_by_its_time_limit() {
    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(1)
        .grace(Duration::from_millis(100))
        .build()
        .unwrap();
    let pid = pool.apply(worker_pid, ()).unwrap();
    signal(pid, Signal::SIGSTOP);
    until(|| state(pid) == Some('T'));
    let error = pool.task(square).timeout(LIMIT).apply(3).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    wait_until_gone(&[pid]);
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
}

#[test]
fn calls_behind_one_that_is_stopped_run_elsewhere() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let started = scratch.flag("started");
    let stuck = pool.task(run_for_ever).timeout(LIMIT).submit(&started);
    let behind: Vec<_> = (0..10).map(|n| pool.submit(square, n)).collect();
    for (n, future) in (0..).zip(behind) {
        assert_eq!(future.wait().unwrap(), n * n);
    }
    assert!(stuck.wait().unwrap_err().is_timeout());
}
