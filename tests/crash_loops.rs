//! Workers that die again and again without doing anything don't keep a pool busy for ever.
#![forbid(unsafe_code)]

mod common;

use std::{
    thread,
    time::{Duration, Instant},
};

use common::{
    Scratch, Tally,
    tasks::{End, end, square, worker_pid},
    until, watchdog,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use ppool::{Pool, TaskErrorKind, task};

/// The worker will end some time after it has become ready for calls.
#[task]
fn end_soon(starts: &Tally) {
    starts.add();
    thread::spawn(|| {
        thread::sleep(Duration::from_millis(20));
        End::Exit(41).come();
    });
}

#[test]
fn a_pool_whose_workers_die_idle_again_and_again_is_broken_and_says_how_they_end() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let starts = scratch.tally("starts");
    let pool = Pool::builder()
        .workers(1)
        .initializer(end_soon, &starts)
        .build()
        .unwrap();
    // Workers start with the first call; after it there is none.
    let _ = pool.apply(square, 3);
    let begin = Instant::now();
    until(|| pool.stats().broken.is_some());
    // Ten in a row, and perhaps one more that ended in the call.
    assert!((10..=11).contains(&starts.count()), "{:?}", starts.notes());
    // The pauses double from 10 ms, and together are longer than this.
    assert!(begin.elapsed() > Duration::from_secs(2));

    let error = pool.apply(square, 3).unwrap_err();
    let TaskErrorKind::PoolBroken(cause) = error.kind() else {
        panic!("{error:?}");
    };
    let text = cause.to_string();
    assert!(text.contains("10 workers in a row"), "{text}");
    assert!(text.contains("exited with code 41"), "{text}");
    assert_eq!(pool.stats().broken, Some(text));
    until(|| pool.worker_pids().is_empty());
    drop(pool);
}

#[test]
fn deaths_from_outside_between_calls_break_no_pool() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).build().unwrap();
    for n in 0..15 {
        let pid = pool.apply(worker_pid, ()).unwrap();
        let pid = Pid::from_raw(i32::try_from(pid).unwrap());
        kill(pid, Signal::SIGKILL).expect("the worker is ours");
        assert_eq!(pool.apply(square, n).unwrap(), n * n);
    }
    assert!(pool.stats().broken.is_none());
}

#[test]
fn deaths_in_calls_break_no_pool_however_many_there_are() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(2).build().unwrap();
    let futures: Vec<_> = (0..30).map(|_| pool.submit(end, End::Abort)).collect();
    for future in futures {
        assert!(future.wait().unwrap_err().is_worker_lost());
    }
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

/// Ends its worker whenever it is tried.
#[task]
fn poison(tries: &Tally) {
    tries.add();
    End::Segfault.come();
}

#[test]
fn a_call_that_kills_every_worker_is_tried_as_often_as_it_may_be_and_no_more() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder().workers(2).build().unwrap();
    let tries = scratch.tally("tries");
    let poisoned = pool.task(poison).retries(4).submit(&tries);
    let others: Vec<_> = (0..50).map(|n| pool.submit(square, n)).collect();
    let error = poisoned.wait().unwrap_err();
    let TaskErrorKind::WorkerLost(exit) = error.kind() else {
        panic!("{error:?}");
    };
    assert_eq!(exit.signal_name(), Some("SIGSEGV"));
    assert_eq!((tries.count(), pool.stats().retried), (5, 4));
    for (n, future) in (0..).zip(others) {
        assert_eq!(future.wait().unwrap(), n * n);
    }
}

#[task]
fn refuse() {
    panic!("there is no table for us");
}

#[test]
fn an_initializer_that_fails_fails_every_call_with_its_cause_and_starts_no_storm() {
    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(2)
        .initializer(refuse, ())
        .build()
        .unwrap();
    let futures: Vec<_> = (0..20).map(|n| pool.submit(square, n)).collect();
    for future in futures {
        let error = future.wait().unwrap_err();
        assert!(!error.was_started());
        let text = error.to_string();
        assert!(text.contains("there is no table for us"), "{text}");
    }
    let stats = pool.stats();
    assert!(stats.workers_started <= 2, "{stats:?}");
    assert!(stats.broken.unwrap().contains("no table"));
    until(|| pool.stats().workers.is_empty());
    drop(pool);
}
