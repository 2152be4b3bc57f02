//! Finalizers that fail: no call is the worse for it, and the pool can say what happened.
#![forbid(unsafe_code)]

mod common;

use std::time::Duration;

use common::{
    Flag, Scratch,
    tasks::{End, run_for_ever, square},
    until, watchdog,
};
use ppool::{Pool, PoolBuilder, RemoteError, StartMethod, task};
use serde::{Deserialize, Serialize};

const TIME: Duration = Duration::from_secs(60);

/// What goes wrong in a finalizer.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Wrong {
    Nothing,
    Panic,
    Error,
    End(End),
}

#[task]
fn tidy_up(wrong: &Wrong) -> Result<(), RemoteError> {
    match wrong {
        Wrong::Nothing => Ok(()),
        Wrong::Panic => panic!("the index is not written"),
        Wrong::Error => Err(std::io::Error::other("the disk is full").into()),
        Wrong::End(end) => end.come(),
    }
}

fn one_worker(wrong: &Wrong) -> PoolBuilder {
    Pool::builder().workers(1).finalizer(tidy_up, wrong)
}

#[test]
fn what_went_wrong_is_in_the_report_of_the_end() {
    let _watchdog = watchdog();
    for (wrong, parts) in [
        (
            Wrong::Panic,
            ["the finalizer `", "panicked", "the index is not written"],
        ),
        (
            Wrong::Error,
            ["the finalizer `", "failed", "the disk is full"],
        ),
        (
            Wrong::End(End::Exit(3)),
            ["worker process", "3", "before its finalizer was done"],
        ),
        (
            Wrong::End(End::Segfault),
            ["worker process", "SIGSEGV", "before its finalizer was done"],
        ),
    ] {
        for method in [StartMethod::Exec, StartMethod::Template] {
            let pool = one_worker(&wrong).start_method(method).build().unwrap();
            assert_eq!(pool.apply(square, 3).unwrap(), 9);
            let pid = pool.worker_pids()[0];
            let report = pool.finalize(TIME);
            let [failure] = &report.finalizer_failures[..] else {
                panic!("{report:?} after {wrong:?}");
            };
            assert_eq!((failure.pid, failure.slot), (pid, 0));
            for part in parts {
                assert!(failure.message.contains(part), "no `{part}` in {failure:?}");
            }
            assert!(report.ended && report.lost.is_empty(), "{report:?}");
            assert!(!report.is_clean());
            assert_eq!(pool.stats().finalizers_failed, 1);
        }
    }
}

#[test]
fn a_finalizer_that_works_is_not_mentioned() {
    let _watchdog = watchdog();
    let pool = one_worker(&Wrong::Nothing).build().unwrap();
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    let report = pool.finalize(TIME);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(pool.stats().finalizers_failed, 0);
}

#[test]
fn those_of_workers_that_were_recycled_are_counted_and_the_calls_go_on() {
    let _watchdog = watchdog();
    let pool = one_worker(&Wrong::Panic)
        .max_tasks_per_worker(1)
        .build()
        .unwrap();
    for n in 0..5 {
        assert_eq!(pool.apply(square, n).unwrap(), n * n);
    }
    until(|| pool.stats().finalizers_failed >= 5);
    let report = pool.finalize(TIME);
    let failed = report.finalizer_failures.len();
    assert!((5..=6).contains(&failed), "{report:?}");
    assert_eq!(pool.stats().finalizers_failed, failed as u64);

    // The next report is about the next life of the pool.
    pool.start_processing();
    assert_eq!(pool.apply(square, 9).unwrap(), 81);
    let report = pool.finalize(TIME);
    assert!(
        (1..=2).contains(&report.finalizer_failures.len()),
        "{report:?}"
    );
}

#[test]
fn one_that_does_not_end_is_named_with_the_signal_that_ended_it() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let started: Flag = scratch.flag("started");
    let pool = Pool::builder()
        .workers(1)
        .grace(Duration::from_millis(50))
        .finalizer(run_for_ever, &started)
        .build()
        .unwrap();
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    let report = pool.finalize(Duration::from_millis(500));
    assert_eq!(report.terminated + report.killed, 1, "{report:?}");
    let [failure] = &report.finalizer_failures[..] else {
        panic!("{report:?}");
    };
    assert!(failure.message.contains("SIG"), "{failure:?}");
}

#[test]
fn without_workers_it_is_told_alike() {
    let _watchdog = watchdog();
    let pool = one_worker(&Wrong::Error).in_process().build().unwrap();
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    let report = pool.finalize(TIME);
    let [failure] = &report.finalizer_failures[..] else {
        panic!("{report:?}");
    };
    assert_eq!(failure.pid, std::process::id());
    assert!(failure.message.contains("the disk is full"), "{failure:?}");
}

#[task]
fn exit_on_request(code: i32) {
    std::process::exit(code);
}

/// A worker that dies in a call had no finalizer to fail.
#[test]
fn a_worker_that_dies_in_a_call_is_none_of_them() {
    let _watchdog = watchdog();
    let pool = one_worker(&Wrong::Nothing).build().unwrap();
    assert!(pool.apply(exit_on_request, 3).is_err());
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    let report = pool.finalize(TIME);
    assert!(report.is_clean(), "{report:?}");
}
