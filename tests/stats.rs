//! What a pool tells of itself.
#![forbid(unsafe_code)]

mod common;

use std::{fmt::Debug, time::Duration};

use common::{
    Scratch, busy_pool, pool_of,
    tasks::{End, Hold, end, hold, panic_with, square, worker_pid},
    until, watchdog,
};
use ppool::{Pool, PoolStats, WorkerState, task};
use serde::Serialize;

/// The calls of a pool, which all have to be somewhere.
fn ends(stats: &PoolStats) -> (u64, u64, u64) {
    let open = stats.pending + stats.in_flight;
    let all = stats.finished + stats.failed + stats.cancelled + open;
    assert_eq!(stats.submitted, all, "{stats:?}");
    (stats.finished, stats.failed, stats.cancelled)
}

#[test]
fn a_pool_that_had_no_call_has_done_nothing() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(2..=3).build().unwrap();
    let stats = pool.stats();
    assert_eq!(ends(&stats), (0, 0, 0));
    assert_eq!((stats.min_workers, stats.max_workers), (2, 3));
    assert_eq!((stats.submitted, stats.workers_started), (0, 0));
    assert!(stats.workers.is_empty() && stats.broken.is_none());
    assert_eq!(
        (stats.throughput, stats.waiting, stats.running),
        (0.0, None, None)
    );
}

#[test]
fn each_call_is_counted_where_it_ended() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    assert_eq!(pool.map(square, 0..10).unwrap().len(), 10);
    assert_eq!(ends(&pool.stats()), (10, 0, 0));
    pool.task(square).chunk_size(7).map(0..20).unwrap();
    assert_eq!(ends(&pool.stats()), (30, 0, 0));
    pool.apply(panic_with, "oh").unwrap_err();
    assert_eq!(ends(&pool.stats()), (30, 1, 0));
    pool.task(end).retries(2).apply(End::Kill).unwrap_err();
    let stats = pool.stats();
    assert_eq!(ends(&stats), (30, 2, 0));
    assert_eq!((stats.retried, stats.stale_messages), (2, 0));
    until(|| pool.stats().workers_started == 2 + 3);
    assert!(stats.throughput > 0.0);
    assert!(pool.map(panic_with, ["one"]).is_err());
    assert_eq!(ends(&pool.stats()), (30, 3, 0));
}

#[test]
fn calls_that_wait_run_and_are_cancelled_are_told_apart() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(3);
    let stats = busy.pool.stats();
    assert_eq!((stats.pending, stats.in_flight), (3, 1));
    assert!(waiting[1].cancel());
    assert_eq!(ends(&busy.pool.stats()), (0, 0, 1));
    assert!(busy.running.kill());
    busy.running.wait().unwrap_err();
    for future in waiting {
        let _ = future.wait();
    }
    assert_eq!(ends(&busy.pool.stats()), (2, 0, 2));
}

#[test]
fn each_worker_says_what_it_runs_and_since_when() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(2);
    for _ in 0..5 {
        pool.apply(worker_pid, ()).unwrap();
    }
    until(|| pool.idle_workers() == 2);
    let held = Hold::new(&scratch, "held");
    let running = pool.submit(hold, &held);
    held.started.wait();

    let stats = pool.stats();
    assert_eq!(stats.workers.len(), 2);
    let slots: Vec<u32> = stats.workers.iter().map(|worker| worker.slot).collect();
    assert_eq!(slots, [0, 1]);
    let mut pids: Vec<u32> = stats
        .workers
        .iter()
        .filter_map(|worker| worker.pid)
        .collect();
    let mut known = pool.worker_pids();
    pids.sort_unstable();
    known.sort_unstable();
    assert_eq!(pids, known);
    let done: u64 = stats.workers.iter().map(|worker| worker.calls_done).sum();
    assert_eq!(done, 5);
    for worker in &stats.workers {
        assert!(worker.resident_memory.unwrap() > 100 << 10, "{worker:?}");
    }

    let of = |state| stats.workers.iter().find(|worker| worker.state == state);
    let (busy, idle) = (
        of(WorkerState::Busy).unwrap(),
        of(WorkerState::Idle).unwrap(),
    );
    assert!(busy.task.unwrap().contains("hold") && busy.idle_for.is_none());
    assert!(idle.idle_for.is_some());
    assert_eq!((idle.task, idle.running_for), (None, None));
    let before = busy.running_for.unwrap();
    let longer = || {
        let workers = pool.stats().workers;
        let running = workers.iter().find_map(|worker| worker.running_for);
        running.unwrap()
    };
    until(|| longer() >= before + Duration::from_millis(20));
    held.release.raise();
    assert_eq!(running.wait().unwrap(), busy.pid.unwrap());
}

#[test]
fn a_worker_that_starts_or_leaves_is_shown_too() {
    #[task]
    fn wait_for(held: &Hold) {
        held.started.raise();
        held.release.wait();
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (begin, finish) = (Hold::new(&scratch, "begin"), Hold::new(&scratch, "end"));
    let pool = Pool::builder()
        .workers(1)
        .initializer(wait_for, &begin)
        .finalizer(wait_for, &finish)
        .build()
        .unwrap();
    let call = pool.submit(square, 3);
    begin.started.wait();
    let only = |pool: &Pool| pool.stats().workers.remove(0);
    assert_eq!(only(&pool).state, WorkerState::Starting);
    begin.release.raise();
    call.wait().unwrap();
    pool.close();
    finish.started.wait();
    let leaving = only(&pool);
    assert_eq!(
        (leaving.state, leaving.calls_done),
        (WorkerState::Leaving, 1)
    );
    finish.release.raise();
    pool.join();
    assert!(pool.stats().workers.is_empty());
}

#[test]
fn the_numbers_are_plain_data() {
    fn plain<T: Debug + Clone + PartialEq + Serialize + Send + Sync + 'static>(_: &T) {}

    let _watchdog = watchdog();
    let pool = pool_of(1);
    pool.apply(square, 2).unwrap();
    let stats = pool.stats();
    plain(&stats);
    plain(&stats.workers[0]);
    assert_eq!(stats.clone(), stats);
}

#[cfg(feature = "stats")]
mod histograms {
    use super::*;

    #[test]
    fn they_count_how_long_calls_wait_and_run() {
        let _watchdog = watchdog();
        let scratch = Scratch::new();
        let pool = Pool::builder().workers(1).histograms(true).build().unwrap();
        let held = Hold::new(&scratch, "held");
        let first = pool.submit(hold, &held);
        held.started.wait();
        let behind = pool.submit(square, 3);
        assert!(!behind.wait_timeout(Duration::from_millis(50)));
        held.release.raise();
        first.wait().unwrap();
        behind.wait().unwrap();
        pool.task(square).chunk_size(10).map(0..98).unwrap();

        let stats = pool.stats();
        let (waiting, running) = (stats.waiting.unwrap(), stats.running.unwrap());
        assert_eq!((waiting.count, running.count), (100, 100));
        // What waited behind the first call waited, and that ran, for these 50 ms at least.
        assert!(waiting.max >= Duration::from_millis(49), "{waiting:?}");
        assert!(running.max >= Duration::from_millis(49), "{running:?}");
        for times in [&waiting, &running] {
            assert!(times.min <= times.p50 && times.p50 <= times.p90);
            assert!(times.p90 <= times.p99 && times.p99 <= times.p999);
            assert!(times.p999 <= times.max && times.mean <= times.max);
            let counts = times.buckets.iter().map(|bucket| bucket.count);
            assert_eq!(counts.sum::<u64>(), times.count);
        }
    }

    #[test]
    fn they_are_there_only_where_they_are_wanted() {
        let _watchdog = watchdog();
        let pool = Pool::builder().workers(1).build().unwrap();
        pool.apply(square, 2).unwrap();
        let stats = pool.stats();
        assert_eq!((stats.waiting, stats.running), (None, None));
    }
}
