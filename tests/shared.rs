//! Numbers in shared memory: under a lock, or as atomics, in the hands of several processes.
#![forbid(unsafe_code)]

mod common;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use common::{
    pool_of,
    processes::descriptors,
    tasks::{End, Hold},
    watchdog,
};
use ppool::{
    shared::{SharedArray, SharedValue},
    task,
};
use serde::{Deserialize, Serialize};

#[task]
fn add_one(count: &SharedValue<u64>, times: u32) {
    for _ in 0..times {
        count.with_lock(|count| *count += 1);
    }
}

#[task]
fn add_to_all(numbers: &SharedArray<f64>, number: f64) {
    numbers.with_lock(|numbers| numbers.iter_mut().for_each(|n| *n += number));
}

#[task]
fn count_in(counts: &SharedArray<AtomicU64>, index: usize, times: u32) {
    for _ in 0..times {
        counts[index].fetch_add(1, Relaxed);
        counts[0].fetch_add(1, Relaxed);
    }
}

/// Ends in the middle of a change.
#[task]
fn end_with_half(numbers: &SharedArray<u32>, how: End) {
    let mut numbers = numbers.lock();
    let half = numbers.len() / 2;
    numbers[..half].fill(7);
    how.come();
}

#[task]
fn hold_value(value: &SharedValue<i32>, hold: &Hold) {
    let mut value = value.lock();
    hold.started.raise();
    hold.release.wait();
    *value = 1;
}

#[task]
fn make_array(len: usize) -> SharedArray<usize> {
    (0..len).collect()
}

#[derive(Debug, Serialize, Deserialize)]
struct Both {
    value: SharedValue<AtomicU64>,
    arrays: Vec<SharedArray<u8>>,
}

#[task]
fn use_both(both: Both) -> Both {
    both.value.fetch_add(5, Relaxed);
    both.arrays[1].set(0, 9);
    both
}

/// It says that it is one thing, and is another.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Mistaken {
    Numbers(SharedArray<u64>),
    Counts(SharedArray<AtomicU64>),
}

#[task]
fn mistake(numbers: Mistaken) -> bool {
    matches!(numbers, Mistaken::Numbers(_))
}

#[task]
fn open_descriptors() -> usize {
    descriptors(std::process::id()).len()
}

#[test]
fn each_process_adds_to_the_same_number() {
    let _watchdog = watchdog();
    let (pool, count) = (pool_of(3), SharedValue::new(7));
    let calls: Vec<_> = (0..3)
        .map(|_| pool.submit(add_one, (&count, 2_000)))
        .collect();
    for call in calls {
        call.wait().unwrap();
    }
    assert_eq!(count.get(), 6_007);
}

#[test]
fn an_array_is_changed_in_place() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let numbers: SharedArray<f64> = (0..1_000).map(f64::from).collect();
    let calls = [0.5, 0.25].map(|number| pool.submit(add_to_all, (&numbers, number)));
    for call in calls {
        call.wait().unwrap();
    }
    assert_eq!((numbers.len(), numbers.get(999)), (1_000, Some(999.75)));
    assert_eq!(numbers.get(1_000), None);
}

#[test]
fn atomics_need_no_lock() {
    let _watchdog = watchdog();
    let (pool, counts) = (pool_of(3), SharedArray::<AtomicU64>::new(4));
    let calls = [1, 2, 3].map(|index| pool.submit(count_in, (&counts, index, 1_000)));
    for call in calls {
        call.wait().unwrap();
    }
    let counts: Vec<u64> = counts.iter().map(|count| count.load(Relaxed)).collect();
    assert_eq!(counts, [3_000, 1_000, 1_000, 1_000]);
}

#[test]
fn who_comes_after_a_death_is_told_that_the_values_may_be_half_changed() {
    let _watchdog = watchdog();
    let (pool, numbers) = (pool_of(1), SharedArray::from([0; 4]));
    for how in [End::Kill, End::Abort] {
        pool.submit(end_with_half, (&numbers, how))
            .wait()
            .unwrap_err();
        let values = numbers.lock();
        assert!(values.recovered().is_some());
        assert_eq!(*values, [7, 7, 0, 0]);
    }
    assert!(numbers.lock().recovered().is_none());
}

#[test]
fn a_value_that_another_has_is_waited_for_only_so_long() {
    let _watchdog = watchdog();
    let scratch = common::Scratch::new();
    let (pool, value) = (pool_of(1), SharedValue::new(0));
    let held = Hold::new(&scratch, "value");
    let call = pool.submit(hold_value, (&value, &held));
    held.started.wait();
    assert!(value.try_lock().is_none());
    assert!(value.lock_timeout(Duration::from_millis(2)).is_none());
    held.release.raise();
    call.wait().unwrap();
    assert_eq!(value.get(), 1);
}

#[test]
fn arrays_are_results_and_parts_of_other_values_and_leave_nothing_open() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    assert_eq!(pool.apply(make_array, 3).unwrap().to_vec(), [0, 1, 2]);
    assert!(pool.apply(make_array, 0).unwrap().is_empty());
    let before = pool.apply(open_descriptors, ()).unwrap();
    for _ in 0..10 {
        let both = Both {
            value: SharedValue::default(),
            arrays: vec![SharedArray::new(0), SharedArray::new(1)],
        };
        let back = pool.apply(use_both, &both).unwrap();
        assert_eq!(both.value.load(Relaxed), 5);
        assert_eq!(back.arrays[1].to_vec(), [9]);
    }
    assert_eq!(pool.apply(open_descriptors, ()).unwrap(), before);
}

#[test]
fn a_large_array_is_passed_without_a_copy() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    // More than a call may have as arguments; nobody touches most of it.
    let large = SharedArray::<AtomicU64>::new((20 << 30) / 8);
    let last = large.len() - 1;
    pool.apply(count_in, (&large, last, 3)).unwrap();
    assert_eq!(large[last].load(Relaxed), 3);
}

#[test]
fn plain_data_and_atomics_are_not_taken_for_each_other() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    assert!(
        pool.apply(mistake, Mistaken::Numbers(SharedArray::new(1)))
            .unwrap()
    );
    let counts = Mistaken::Counts(SharedArray::new(1));
    // It is refused as numbers; and its descriptor, which is gone by then, can't be the counts either.
    let result = pool.apply(mistake, counts);
    assert!(!matches!(result, Ok(true)), "{result:?}");
}
