//! Many small calls at once, for which nobody is woken singly: none is forgotten over that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use ppool::TaskFuture;

use crate::common::{pool_of, tasks::square, watchdog};

/// How many calls make a burst for sure.
const MANY: u64 = 5_000;

#[test]
fn calls_after_a_burst_are_done_though_nobody_waits_for_them() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    for after in 0..8 {
        let burst: Vec<TaskFuture<u64>> = (0..MANY).map(|n| pool.submit(square, n)).collect();
        // In its middle, at its end, and some time after it.
        thread::sleep(Duration::from_micros(300 * after));
        let last = pool.submit(square, after);
        while !last.is_done() {
            thread::sleep(Duration::from_micros(200));
        }
        assert_eq!(last.wait().unwrap(), after * after);
        for (n, call) in (0..).zip(burst) {
            assert_eq!(call.wait().unwrap(), n * n);
        }
    }
}

#[test]
fn callbacks_of_a_burst_all_run_though_nobody_waits_for_them() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let sum = Arc::new(AtomicU64::new(0));
    for n in 0..MANY {
        let sum = Arc::clone(&sum);
        let adds = move |value: &u64| {
            sum.fetch_add(*value, Relaxed);
        };
        drop(pool.task(square).callback(adds).submit(n));
    }
    let expected = (0..MANY).map(|n| n * n).sum::<u64>();
    while sum.load(Relaxed) != expected {
        thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_full_queue_is_waited_for_in_a_burst() {
    let _watchdog = watchdog();
    let pool = ppool::Pool::builder().workers(2).queue_capacity(3).build();
    let pool = pool.unwrap();
    let calls: Vec<TaskFuture<u64>> = (0..MANY).map(|n| pool.submit(square, n)).collect();
    for (n, call) in (0..).zip(calls) {
        assert_eq!(call.wait().unwrap(), n * n);
    }
}
