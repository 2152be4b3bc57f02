//! One call in every worker.
#![forbid(unsafe_code)]

mod common;

use std::collections::HashSet;

use common::{
    Scratch, Tally, pool_of,
    tasks::{End, Hold, hold, panic_with, square, worker_pid},
    until, watchdog,
};
use ppool::{Pool, TaskError, task, worker};

/// The slot and the process of the worker that runs it.
#[task]
fn slot_and_pid() -> (u32, u32) {
    let info = worker::current().expect("a task runs in a worker");
    (info.slot, info.pid)
}

#[test]
fn it_runs_once_in_each_worker_and_gives_results_in_order_of_the_slots() {
    let _watchdog = watchdog();
    let pool = pool_of(4);
    let mut all = HashSet::new();
    for _ in 0..3 {
        // The first one starts the workers.
        let results = pool.broadcast(slot_and_pid, ());
        let results: Vec<(u32, u32)> = results.into_iter().collect::<Result<_, _>>().unwrap();
        let (slots, pids): (Vec<u32>, HashSet<u32>) = results.into_iter().unzip();
        assert_eq!(slots, [0, 1, 2, 3]);
        assert_eq!(pids.len(), 4);
        all.extend(pids);
    }
    assert_eq!(all.len(), 4);
}

#[test]
fn what_it_sets_is_there_for_the_calls_to_come() {
    struct Factor(u64);

    #[task]
    fn set_factor(factor: u64) {
        worker::set_state(Factor(factor));
    }

    #[task]
    fn times_factor(n: u64) -> u64 {
        worker::with_state(|factor: &mut Factor| factor.0 * n)
    }

    let _watchdog = watchdog();
    let pool = pool_of(3);
    for factor in [2, 5] {
        assert_eq!(pool.broadcast(set_factor, factor).len(), 3);
        let products = pool.map(times_factor, 0..30).unwrap();
        assert_eq!(products, (0..30).map(|n| factor * n).collect::<Vec<_>>());
    }
}

#[test]
fn it_goes_before_calls_that_wait_and_waits_for_those_that_run() {
    #[task]
    fn note(tally: &Tally, what: &str) {
        tally.note(what);
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (notes, held) = (scratch.tally("notes"), Hold::new(&scratch, "held"));
    // The queue is full, too: a broadcast doesn't take a place in it.
    let pool = Pool::builder()
        .workers(1)
        .queue_capacity(2)
        .build()
        .unwrap();
    let running = pool.submit(hold, &held);
    held.started.wait();
    let waiting = [1, 2].map(|_| pool.task(note).priority(9).submit((&notes, "call")));
    assert!(pool.is_full());
    std::thread::scope(|scope| {
        let broadcast = scope.spawn(|| pool.broadcast(note, (&notes, "broadcast")));
        until(|| pool.stats().pending == 3);
        held.release.raise();
        for result in broadcast.join().unwrap() {
            result.unwrap();
        }
    });
    running.wait().unwrap();
    for call in waiting {
        call.wait().unwrap();
    }
    assert_eq!(notes.notes(), ["broadcast", "call", "call"]);
}

#[test]
fn an_elastic_pool_runs_it_in_the_workers_that_it_has() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder().workers(1..=4).build().unwrap();
    assert_eq!(pool.broadcast(worker_pid, ()).len(), 1);
    let held = Hold::new(&scratch, "held");
    let running: Vec<_> = (0..3).map(|_| pool.submit(hold, &held)).collect();
    until(|| pool.busy_workers() == 3);
    held.release.raise();
    for call in running {
        call.wait().unwrap();
    }
    let pids: HashSet<u32> = pool
        .broadcast(worker_pid, ())
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(pids, pool.worker_pids().into_iter().collect());
    assert_eq!(
        pids.len(),
        3,
        "a broadcast starts no worker that nobody wants"
    );
}

#[test]
fn a_worker_that_fails_costs_its_own_result_only() {
    #[task]
    fn end_in(slot: u32, how: Option<End>) -> u32 {
        let here = worker::current().expect("a task runs in a worker").slot;
        match how {
            Some(how) if here == slot => how.come(),
            None if here == slot => panic!("not here"),
            _ => here,
        }
    }

    let _watchdog = watchdog();
    let pool = pool_of(3);
    for how in [None, Some(End::Kill), Some(End::Exit(3))] {
        let results = pool.broadcast(end_in, (1, how));
        assert_eq!(results.len(), 3);
        assert_eq!(results[0].as_ref().unwrap(), &0);
        assert_eq!(results[2].as_ref().unwrap(), &2);
        let error = results[1].as_ref().unwrap_err();
        assert_eq!(
            (error.is_panic(), error.is_worker_lost()),
            (how.is_none(), how.is_some())
        );
    }
    // All three are there again, the replacement in its slot.
    let slots = pool.broadcast(slot_and_pid, ()).into_iter();
    let slots: Vec<u32> = slots.map(|result| result.unwrap().0).collect();
    assert_eq!(slots, [0, 1, 2]);
}

#[test]
fn recycled_workers_get_it_each_once() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder()
        .workers(2)
        .max_tasks_per_worker(2)
        .build()
        .unwrap();
    for round in 0..10 {
        let notes = scratch.tally(&format!("round-{round}"));
        let results = pool.broadcast(common::tasks::count, (&notes, round));
        assert_eq!(results.len(), 2);
        assert!(results.into_iter().all(|result| result.is_ok()));
        assert_eq!(notes.count(), 2);
        pool.apply(square, 2).unwrap();
    }
}

#[test]
fn a_pool_that_takes_no_calls_gives_one_error() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    pool.close();
    let only = |results: Vec<Result<(), TaskError>>| {
        assert_eq!(results.len(), 1);
        results.into_iter().next().unwrap().unwrap_err()
    };
    let error = only(pool.task(panic_with).id(4).broadcast("oh"));
    assert!(matches!(error.kind(), ppool::TaskErrorKind::PoolClosed));
    assert_eq!(error.id(), 4);
}

#[test]
fn a_broadcast_to_a_pool_that_is_terminated_ends() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(2);
    let held = Hold::new(&scratch, "held");
    let running = pool.submit(hold, &held);
    held.started.wait();
    std::thread::scope(|scope| {
        let broadcast = scope.spawn(|| pool.broadcast(worker_pid, ()));
        until(|| pool.stats().submitted == 3);
        pool.terminate();
        let results = broadcast.join().unwrap();
        assert!(results.iter().flatten().count() <= 1);
        assert_eq!(results.len(), 2);
    });
    assert!(running.wait().unwrap_err().is_cancelled());
}
