//! A map that is not waited for: one future for all results.
#![forbid(unsafe_code)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use common::{
    Flag, Scratch, Tally, busy_pool, pool_of,
    tasks::{Hold, count, end, hold, square},
    until, watchdog,
};
use ppool::{Callbacks, Pool, TaskErrorKind, task};
use serde::Serialize;

use crate::common::tasks::End;

fn squares(to: u64) -> Vec<u64> {
    (0..to).map(|n| n * n).collect()
}

#[test]
fn the_results_come_in_order_of_the_inputs() {
    let _watchdog = watchdog();
    let pool = pool_of(3);
    assert_eq!(pool.map_async(square, 0..500).wait().unwrap(), squares(500));
    for size in [1, 7, 500, 5000] {
        let future = pool.task(square).chunk_size(size).map_async(0..500);
        assert_eq!(future.wait().unwrap(), squares(500), "in chunks of {size}");
    }
}

#[test]
fn no_inputs_are_done_at_once_and_start_no_worker() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let mut future = pool.map_async(square, 0..0);
    assert!(future.is_done() && !future.is_cancelled());
    assert_eq!(future.try_result().unwrap().unwrap(), []);
    assert_eq!(pool.worker_pids(), []);
}

#[test]
fn the_caller_goes_on_while_the_calls_run() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(2);
    let holds = [Hold::new(&scratch, "one"), Hold::new(&scratch, "other")];
    let mut future = pool.map_async(hold, &holds);
    for held in &holds {
        held.started.wait();
    }
    assert!(!future.is_done());
    assert!(future.try_result().is_none());
    assert!(!future.wait_timeout(Duration::from_millis(1)));
    let shown = format!("{future:?}");
    assert!(
        shown.contains("::hold") && shown.contains("missing: 2"),
        "{shown}"
    );
    for held in &holds {
        held.release.raise();
    }
    assert!(future.wait_timeout(Duration::from_secs(3600)));
    let pids = future.try_result().unwrap().unwrap();
    assert_eq!(pids.len(), 2);
    assert!(future.try_result().is_none(), "results are given once");
    let error = future.wait().unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::Decode(_)), "{error}");
}

/// Counts itself, or fails.
#[task]
fn count_or_die(tally: &Tally, n: u64) -> u64 {
    if n == 0 {
        std::process::exit(3);
    }
    tally.note(&n.to_string());
    n
}

#[test]
fn the_first_failure_ends_the_map_and_cancels_what_waits() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let future = busy
        .pool
        .map_async(count_or_die, (0..100).map(|n| (busy.ran.clone(), n)));
    assert!(!future.is_done());
    busy.held.release.raise();
    let error = future.wait().unwrap_err();
    assert!(error.is_worker_lost(), "{error:?}");
    busy.pool.join();
    // The only worker died with the first call: none of the others has run.
    assert_eq!(busy.ran.count(), 0);
}

#[test]
fn a_failure_cancels_the_rest_also_when_callbacks_wait_to_be_asked_for() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder().workers(1).callbacks(Callbacks::Polled);
    let pool = pool.build().unwrap();
    let ran = scratch.tally("ran");
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    held.started.wait();
    let errors = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&errors);
    let future = pool
        .task(count_or_die)
        .exception_callback(move |_| {
            seen.fetch_add(1, Ordering::SeqCst);
        })
        .map_async((0..10).map(|n| (ran.clone(), n)));
    held.release.raise();
    first.wait().unwrap();
    assert!(future.wait().unwrap_err().is_worker_lost());
    pool.close();
    pool.join();
    assert_eq!(ran.count(), 0);
    assert_eq!(errors.load(Ordering::SeqCst), 10, "each input has its own");
}

#[test]
fn callbacks_run_for_each_input() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let (sender, values) = channel();
    let future = pool
        .task(square)
        .chunk_size(3)
        .callback(move |value| sender.send(*value).unwrap())
        .map_async(0..10);
    assert_eq!(future.wait().unwrap(), squares(10));
    drop(pool);
    let mut values: Vec<u64> = values.into_iter().collect();
    values.sort_unstable();
    assert_eq!(values, squares(10));
}

#[test]
fn a_cancelled_map_does_not_start_what_waits() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let future = busy
        .pool
        .map_async(count, (0..50).map(|n| (busy.ran.clone(), n)));
    assert!(future.cancel() && future.is_cancelled() && future.is_done());
    assert!(future.cancel(), "cancelled before");
    assert!(future.wait().unwrap_err().is_cancelled());
    busy.held.release.raise();
    drop(busy.pool);
    assert_eq!(busy.ran.count(), 0);
}

#[test]
fn what_runs_can_not_be_cancelled_but_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let one = Hold::new(&scratch, "one");
    let future = pool.map_async(hold, [&one]);
    one.started.wait();
    assert!(!future.cancel() && !future.is_done());
    one.release.raise();
    assert_eq!(future.wait().unwrap().len(), 1);

    let other = Hold::new(&scratch, "other");
    let future = pool.map_async(hold, [&other]);
    other.started.wait();
    assert!(future.kill());
    assert!(future.wait().unwrap_err().is_cancelled());
    // The worker was replaced.
    assert_eq!(pool.map_async(square, 0..3).wait().unwrap(), [0, 1, 4]);
}

#[test]
fn a_dropped_map_is_detached() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    drop(
        busy.pool
            .map_async(count, (0..20).map(|n| (busy.ran.clone(), n))),
    );
    busy.held.release.raise();
    drop(busy.pool);
    assert_eq!(busy.ran.count(), 20);
}

#[test]
fn a_full_queue_holds_the_caller_up_until_there_is_room() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder().workers(1).queue_capacity(3);
    let pool = pool.build().unwrap();
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    held.started.wait();
    let pulled = AtomicUsize::new(0);
    thread::scope(|scope| {
        let mapping = scope.spawn(|| {
            let inputs = (0..1000).inspect(|_| {
                pulled.fetch_add(1, Ordering::SeqCst);
            });
            pool.map_async(square, inputs).wait()
        });
        until(|| pulled.load(Ordering::SeqCst) >= 3);
        let waiting = pulled.load(Ordering::SeqCst);
        held.release.raise();
        assert_eq!(mapping.join().unwrap().unwrap(), squares(1000));
        // What waits, and what lies with the worker.
        assert!(waiting < 100, "{waiting} inputs for a queue of 3");
    });
    first.wait().unwrap();
}

#[test]
fn a_failure_ends_the_pulling_of_inputs() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).queue_capacity(2);
    let pool = pool.build().unwrap();
    // Endless: only the failure of the first call ends it.
    let future = pool.map_async(end, std::iter::repeat(End::Exit(3)));
    assert!(future.wait().unwrap_err().is_worker_lost());
}

/// A number that serde can't carry when it is odd.
#[derive(Clone, Copy)]
struct Even(u64);

impl Serialize for Even {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % 2 {
            0 => serializer.serialize_u64(self.0),
            _ => Err(serde::ser::Error::custom("odd")),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Even {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Even)
    }
}

#[task]
fn half(even: Even) -> u64 {
    even.0 / 2
}

#[test]
fn an_input_that_can_not_be_encoded_fails_the_map() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for size in [1, 10] {
        let map = |inputs: &[u64]| {
            let task = pool.task(half).chunk_size(size);
            let inputs: Vec<_> = inputs.iter().map(|n| (Even(*n),)).collect();
            task.map_async(inputs).wait()
        };
        let error = map(&[0, 2, 3, 4]).unwrap_err();
        assert!(matches!(error.kind(), TaskErrorKind::Encode(_)), "{error}");
        assert_eq!(map(&[0, 2, 4]).unwrap(), [0, 1, 2]);
    }
}

#[test]
fn a_closed_pool_fails_the_map() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    pool.close();
    let error = pool.map_async(square, 0..).wait().unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::PoolClosed));
}

#[test]
fn a_map_outlives_its_pool() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let mut future = pool.map_async(square, 0..100);
    drop(pool);
    assert_eq!(future.try_result().unwrap().unwrap(), squares(100));
    assert!(!future.cancel());
}

/// Waits for the flag.
#[task]
fn after(flag: &Flag, n: u64) -> u64 {
    flag.wait();
    n
}

#[test]
fn terminate_ends_a_map() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(2);
    let never = scratch.flag("never");
    let future = pool.map_async(after, (0..20).map(|n| (never.clone(), n)));
    pool.terminate();
    assert!(future.wait().unwrap_err().is_cancelled());
}
