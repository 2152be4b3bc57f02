//! Workers that are replaced although nothing is wrong with them.
#![forbid(unsafe_code)]

mod common;

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use common::{
    Scratch, Tally,
    processes::wait_until_gone,
    tasks::{Hold, hold, worker_pid},
    until, watchdog,
};
use ppool::{Pool, PoolBuilder, task};

const MIB: usize = 1 << 20;

/// A pool of one worker at a time.
fn one_worker() -> PoolBuilder {
    Pool::builder().workers(1)
}

/// How often each process is named.
fn calls_by_pid(pids: &[u32]) -> HashMap<u32, usize> {
    let mut calls = HashMap::new();
    for pid in pids {
        *calls.entry(*pid).or_default() += 1;
    }
    calls
}

// ------------------------------------------------------------------ after so many calls

#[test]
fn one_worker_that_may_do_two_calls_is_replaced_until_ten_are_done() {
    let _watchdog = watchdog();
    let pool = one_worker().max_tasks_per_worker(2).build().unwrap();
    let futures: Vec<_> = (0..10).map(|_| pool.submit(worker_pid, ())).collect();
    let pids: Vec<u32> = futures.into_iter().map(|pid| pid.wait().unwrap()).collect();
    assert!(pids.chunks(2).all(|pair| pair[0] == pair[1]), "{pids:?}");
    assert_eq!(calls_by_pid(&pids).len(), 5, "{pids:?}");
}

#[test]
fn workers_are_replaced_after_the_pool_was_closed_until_the_queue_is_empty() {
    let _watchdog = watchdog();
    for drops in [false, true] {
        let pool = one_worker().max_tasks_per_worker(1).build().unwrap();
        let futures: Vec<_> = (0..30).map(|_| pool.submit(worker_pid, ())).collect();
        pool.close();
        if drops {
            drop(pool);
            assert!(futures.iter().all(|future| future.is_done()));
        }
        let pids: Vec<u32> = futures.into_iter().map(|pid| pid.wait().unwrap()).collect();
        assert_eq!(calls_by_pid(&pids).len(), 30, "{pids:?}");
        wait_until_gone(&pids);
    }
}

#[test]
fn a_hundred_calls_in_three_workers_of_ten_calls_each_give_their_results() {
    #[task]
    fn square_and_pid(n: u64) -> (u64, u32) {
        (n * n, std::process::id())
    }

    let _watchdog = watchdog();
    for chunk_size in [1, 4, 25, 100] {
        let pool = Pool::builder()
            .workers(3)
            .max_tasks_per_worker(10)
            .build()
            .unwrap();
        pool.apply(worker_pid, ()).unwrap();
        until(|| pool.worker_pids().len() == 3);
        let before: HashSet<u32> = pool.worker_pids().into_iter().collect();
        let results = pool
            .task(square_and_pid)
            .chunk_size(chunk_size)
            .map(0..100)
            .unwrap();
        let (squares, pids): (Vec<u64>, Vec<u32>) = results.into_iter().unzip();
        assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<_>>());
        // Calls that travel together are counted one by one.
        let calls = calls_by_pid(&pids);
        assert!(calls.values().all(|calls| *calls <= 10), "{calls:?}");
        assert!(calls.len() >= 10);
        until(|| pool.worker_pids().len() == 3);
        let after: HashSet<u32> = pool.worker_pids().into_iter().collect();
        assert_ne!(after, before);
    }
}

#[task]
fn leave_a_note(tally: &Tally) {
    tally.note(&std::process::id().to_string());
}

#[test]
fn each_replacement_runs_the_initializer_and_each_that_leaves_the_finalizer() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (begun, ended) = (scratch.tally("begun"), scratch.tally("ended"));
    let pool = one_worker()
        .max_tasks_per_worker(3)
        .initializer(leave_a_note, &begun)
        .finalizer(leave_a_note, &ended)
        .build()
        .unwrap();
    let mut pids: Vec<u32> = (0..9)
        .map(|_| pool.apply(worker_pid, ()).unwrap())
        .collect();
    pids.dedup();
    assert_eq!(pids.len(), 3);
    pool.join();
    let named = |tally: &Tally| -> Vec<u32> {
        let notes = tally.notes();
        notes.iter().map(|pid| pid.parse().unwrap()).collect()
    };
    let (begun, ended) = (named(&begun), named(&ended));
    // The one that replaced the last may have come before the pool was closed.
    assert_eq!(begun, ended);
    assert!(begun.starts_with(&pids) && begun.len() <= 4, "{begun:?}");
}

#[test]
fn a_result_that_is_large_arrives_whole_before_its_worker_leaves() {
    #[task]
    fn large(n: u8) -> Vec<u8> {
        vec![n; 8 * MIB]
    }

    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(2)
        .max_tasks_per_worker(1)
        .build()
        .unwrap();
    for (n, result) in (0u8..).zip(pool.imap(large, 0..12)) {
        let result = result.unwrap();
        assert_eq!((result.len(), result[8 * MIB - 1]), (8 * MIB, n));
    }
}

#[test]
fn a_call_that_is_cancelled_in_time_does_not_count() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = one_worker().max_tasks_per_worker(2).build().unwrap();
    let held = Hold::new(&scratch, "held");
    let first = pool.submit(hold, &held);
    held.started.wait();
    let (cancelled, second) = (pool.submit(worker_pid, ()), pool.submit(worker_pid, ()));
    assert!(cancelled.cancel());
    held.release.raise();
    assert_eq!(first.wait().unwrap(), second.wait().unwrap());
}

#[test]
fn elastic_pools_recycle_too() {
    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(1..=3)
        .max_tasks_per_worker(4)
        .build()
        .unwrap();
    let pids = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..40 {
                    let pid = pool.apply(worker_pid, ()).unwrap();
                    pids.lock().unwrap().push(pid);
                }
            });
        }
    });
    let calls = calls_by_pid(&pids.into_inner().unwrap());
    assert!(calls.values().all(|calls| *calls <= 4), "{calls:?}");
    assert_eq!(calls.values().sum::<usize>(), 120);
}

// ------------------------------------------------------------------ after so much memory

/// Keeps so much memory for ever, and gives its process.
#[task]
fn leak(bytes: usize) -> u32 {
    vec![1u8; bytes].leak();
    std::process::id()
}

/// The same as an initializer.
#[task]
fn load(bytes: usize, starts: &Tally) {
    vec![1u8; bytes].leak();
    starts.add();
}

#[test]
fn a_worker_whose_memory_has_grown_is_replaced_after_its_call() {
    let _watchdog = watchdog();
    let pool = one_worker()
        .max_memory_growth(40 * MIB as u64)
        .build()
        .unwrap();
    let pids: Vec<u32> = (0..12)
        .map(|_| pool.apply(leak, 16 * MIB).unwrap())
        .collect();
    // After three calls it has 48 MiB more.
    assert!(pids.chunks(3).all(|pids| pids[0] == pids[2]), "{pids:?}");
    assert_eq!(calls_by_pid(&pids).len(), 4, "{pids:?}");
    wait_until_gone(&pids[..9]);
}

#[test]
fn memory_counts_from_the_start_of_the_worker() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let starts = scratch.tally("starts");
    let pool = one_worker()
        .initializer(load, (64 * MIB, &starts))
        .max_memory_growth(4 * MIB as u64)
        .build()
        .unwrap();
    let pids: Vec<u32> = (0..100)
        .map(|_| pool.apply(worker_pid, ()).unwrap())
        .collect();
    // The program and what its initializer loads are above the limit from the start.
    assert_eq!((calls_by_pid(&pids).len(), starts.count()), (1, 1));
    assert_eq!(pool.apply(leak, 8 * MIB).unwrap(), pids[0]);
    assert_ne!(pool.apply(worker_pid, ()).unwrap(), pids[0]);
    assert_eq!(starts.count(), 2);
}

#[test]
fn memory_that_a_call_gives_back_does_not_count() {
    #[task]
    fn use_for_a_while(bytes: usize) -> (u32, u8) {
        let used = vec![1u8; bytes];
        (std::process::id(), used[bytes / 2])
    }

    /// Gives back what it is given, and at its end the process.
    #[task]
    fn take_and_give(bytes: &[u8]) -> Vec<u8> {
        [bytes, &std::process::id().to_ne_bytes()].concat()
    }

    let _watchdog = watchdog();
    let pool = one_worker()
        .max_memory_growth(24 * MIB as u64)
        .build()
        .unwrap();
    let pid = pool.apply(worker_pid, ()).unwrap();
    let bytes = vec![7u8; 48 * MIB];
    for _ in 0..5 {
        assert_eq!(pool.apply(use_for_a_while, 48 * MIB).unwrap(), (pid, 1));
        let given = pool.apply(take_and_give, &bytes[..]).unwrap();
        assert_eq!(given[48 * MIB..], pid.to_ne_bytes());
    }
}

#[test]
fn a_limit_that_is_far_too_low_costs_no_more_than_a_worker_for_each_call() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let starts = scratch.tally("starts");
    let pool = one_worker()
        .initializer(load, (MIB, &starts))
        .max_memory_growth(1)
        .build()
        .unwrap();
    let pids: Vec<u32> = (0..20).map(|_| pool.apply(leak, MIB).unwrap()).collect();
    let workers = calls_by_pid(&pids).len();
    assert!(workers > 1);
    pool.join();
    // No worker was replaced that had not done a call; the last replacement may have come.
    assert!((workers..=workers + 1).contains(&starts.count()));
}

#[test]
fn limits_that_make_no_sense_are_clear_errors() {
    let _watchdog = watchdog();
    let none = one_worker().max_tasks_per_worker(0).build().unwrap_err();
    assert!(none.to_string().contains("at least 1"), "{none}");
    let none = one_worker().max_memory_growth(0).build().unwrap_err();
    assert!(none.to_string().contains("at least 1"), "{none}");
    // As good as none.
    let pool = one_worker()
        .max_tasks_per_worker(usize::MAX)
        .build()
        .unwrap();
    let pids: Vec<u32> = (0..5)
        .map(|_| pool.apply(worker_pid, ()).unwrap())
        .collect();
    assert_eq!(calls_by_pid(&pids).len(), 1);
}
