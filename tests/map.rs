//! Many calls: in order and not, from endless inputs, with failures, in chunks.
#![forbid(unsafe_code)]

mod common;

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use common::{
    Flag, Scratch, Tally, pool_of,
    tasks::{count, square},
    watchdog,
};
use ppool::{Pool, TaskErrorKind, task};

fn squares(to: u64) -> Vec<u64> {
    (0..to).map(|n| n * n).collect()
}

#[test]
fn map_gives_the_results_in_order() {
    let _watchdog = watchdog();
    let pool = pool_of(3);
    assert_eq!(pool.map(square, 0..1000).unwrap(), squares(1000));
    // The same pool again, with a size of chunk that does not divide the number of inputs.
    for size in [1, 7, 1000, 5000] {
        let results = pool.task(square).chunk_size(size).map(0..1000).unwrap();
        assert_eq!(results, squares(1000), "in chunks of {size}");
    }
}

#[test]
fn imap_gives_the_results_in_order() {
    let _watchdog = watchdog();
    let pool = pool_of(3);
    let results: Result<Vec<u64>, _> = pool.imap(square, 0..500).collect();
    assert_eq!(results.unwrap(), squares(500));
    let results: Result<Vec<u64>, _> = pool.task(square).chunk_size(7).imap(0..500).collect();
    assert_eq!(results.unwrap(), squares(500));
}

#[test]
fn imap_unordered_gives_every_result_once() {
    let _watchdog = watchdog();
    let pool = pool_of(3);
    for size in [None, Some(7)] {
        let task = pool.task(square);
        let task = match size {
            Some(size) => task.chunk_size(size),
            None => task,
        };
        let results: Result<Vec<u64>, _> = task.imap_unordered(0..500).collect();
        let mut results = results.unwrap();
        results.sort_unstable();
        assert_eq!(results, squares(500));
    }
}

#[test]
fn no_inputs_give_no_results_and_start_no_worker() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    assert_eq!(pool.map(square, 0..0).unwrap(), []);
    assert_eq!(pool.imap(square, 0..0).count(), 0);
    assert_eq!(pool.imap_unordered(square, 0..0).count(), 0);
    assert_eq!(pool.worker_pids(), []);
}

#[task]
fn join(word: &str, times: usize) -> String {
    word.repeat(times)
}

#[task]
fn length(text: &str) -> usize {
    text.len()
}

#[test]
fn inputs_may_be_tuples_and_borrowed() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let words = ["a", "bc", "def"];
    let results = pool.map(join, words.iter().map(|word| (*word, 2)));
    assert_eq!(results.unwrap(), ["aa", "bcbc", "defdef"]);
    assert_eq!(pool.map(length, words).unwrap(), [1, 2, 3]);
    let owned = words.map(String::from);
    assert_eq!(pool.map(length, &owned).unwrap(), [1, 2, 3]);
}

/// An endless input that counts how much of it was taken.
fn counted(pulled: &Cell<u64>) -> impl Iterator<Item = u64> {
    (0u64..).inspect(|_| pulled.set(pulled.get() + 1))
}

#[test]
fn an_endless_input_is_pulled_only_a_window_ahead() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    for ordered in [true, false] {
        let pulled = Cell::new(0);
        let task = pool.task(square).chunk_size(1).window(8);
        let mut results: Box<dyn Iterator<Item = _>> = match ordered {
            true => Box::new(task.imap(counted(&pulled))),
            false => Box::new(task.imap_unordered(counted(&pulled))),
        };
        for taken in 1..=100 {
            assert!(results.next().unwrap().unwrap() < 120 * 120);
            assert!(
                pulled.get() <= taken + 8,
                "{} pulled for {taken}",
                pulled.get()
            );
        }
    }
}

#[test]
fn the_window_and_the_chunks_have_bounds_of_their_own() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let pulled = Cell::new(0);
    let mut results = pool.imap(square, counted(&pulled));
    results.next().unwrap().unwrap();
    // Other pools take 1,290 inputs for the first result, or all of them.
    assert!(
        pulled.get() <= 256,
        "{} inputs pulled for one result",
        pulled.get()
    );
    assert_eq!(
        results.by_ref().take(2000).map(Result::unwrap).last(),
        Some(2000 * 2000)
    );
}

#[test]
fn an_imap_that_is_dropped_halfway_leaves_the_pool_free() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("ran");
    let pool = pool_of(2);
    for ordered in [true, false] {
        let inputs = (0u64..).map(|n| (&tally, n));
        let task = pool.task(count).chunk_size(1).window(8);
        let taken: Vec<_> = match ordered {
            true => task.imap(inputs).take(3).collect(),
            false => task.imap_unordered(inputs).take(3).collect(),
        };
        assert!(taken.iter().all(Result::is_ok), "{taken:?}");
    }
    assert_eq!(pool.apply(square, 9).unwrap(), 81);
    // Nobody is left to run for an input without end.
    drop(pool);
    let ran = tally.count();
    assert!(
        (6..=2 * (3 + 8)).contains(&ran),
        "{ran} calls ran for two times three results"
    );
}

/// Waits for `before` when there is one, then says that it is done.
#[task]
fn after(before: &Option<Flag>, done: &Flag, n: u64) -> u64 {
    if let Some(before) = before {
        before.wait();
    }
    done.raise();
    n
}

#[test]
fn imap_waits_for_the_first_though_the_second_is_done() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (first, second) = (scratch.flag("first"), scratch.flag("second"));
    let inputs = vec![(Some(second.clone()), first, 0), (None, second, 1)];
    let pool = pool_of(2);
    let results = pool
        .task(after)
        .chunk_size(1)
        .imap(inputs)
        .map(Result::unwrap);
    assert_eq!(results.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn imap_unordered_gives_the_second_while_the_first_runs() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (release, done) = (scratch.flag("release"), scratch.flag("done"));
    let inputs = vec![(Some(release.clone()), done.clone(), 0), (None, done, 1)];
    let pool = pool_of(2);
    let mut results = pool.task(after).chunk_size(1).imap_unordered(inputs);
    assert_eq!(results.next().unwrap().unwrap(), 1);
    release.raise();
    assert_eq!(results.next().unwrap().unwrap(), 0);
    assert!(results.next().is_none());
}

#[task]
fn panic_on(bad: u64, tally: &Tally, n: u64) -> u64 {
    tally.add();
    assert!(n != bad, "{n} is not wanted");
    n
}

#[test]
fn the_first_failure_of_a_map_wins_and_the_rest_is_cancelled() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("ran");
    let pool = pool_of(1);
    let inputs = (0..5000).map(|n| (3, &tally, n));
    let task = pool.task(panic_on).chunk_size(1).window(16);
    let error = task.map(inputs).unwrap_err();
    let TaskErrorKind::Panicked(panic) = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(panic.message(), "3 is not wanted");
    drop(pool);
    // Four ran up to the failure; what had been pulled ahead by then may have run too.
    assert!(
        (4..=4 + 16).contains(&tally.count()),
        "{} calls ran",
        tally.count()
    );
}

#[test]
fn a_failure_in_an_imap_is_one_result_among_the_others() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("ran");
    let pool = pool_of(2);
    for size in [1, 4] {
        let inputs = (0..20).map(|n| (3, &tally, n));
        let results: Vec<_> = pool.task(panic_on).chunk_size(size).imap(inputs).collect();
        assert_eq!(results.len(), 20);
        for (n, result) in (0..).zip(results) {
            match n {
                3 => assert!(result.unwrap_err().is_panic()),
                _ => assert_eq!(result.unwrap(), n),
            }
        }
    }
    assert_eq!(tally.count(), 40);
}

#[task]
fn die_on(bad: u64, n: u64) -> u64 {
    if n == bad {
        common::tasks::End::Kill.come();
    }
    n
}

#[test]
fn a_worker_lost_in_a_chunk_costs_one_call_of_the_chunk() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let inputs = (0..12).map(|n| (5, n));
    let results: Vec<_> = pool.task(die_on).chunk_size(12).imap(inputs).collect();
    assert_eq!(results.len(), 12);
    for (n, result) in (0..).zip(results) {
        match n {
            5 => assert!(result.unwrap_err().is_worker_lost()),
            _ => assert_eq!(result.unwrap(), n),
        }
    }
}

#[test]
fn an_input_that_panics_harms_nothing_but_its_map() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let inputs = || (0..50u64).map(|n| if n < 20 { n } else { panic!("no more inputs") });
    let outcome = catch_unwind(AssertUnwindSafe(|| pool.map(square, inputs())));
    assert!(outcome.is_err());
    let outcome = catch_unwind(AssertUnwindSafe(|| pool.imap(square, inputs()).count()));
    assert!(outcome.is_err());
    assert_eq!(pool.map(square, 0..100).unwrap(), squares(100));
}

#[test]
fn maps_of_several_threads_share_a_pool() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(pool.map(square, 0..300).unwrap(), squares(300));
                let sum: u64 = pool
                    .imap_unordered(square, 0..300)
                    .map(Result::unwrap)
                    .sum();
                assert_eq!(sum, squares(300).iter().sum::<u64>());
            });
        }
    });
}

#[test]
fn a_map_may_have_more_inputs_than_the_queue_has_places() {
    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(2)
        .queue_capacity(2)
        .build()
        .unwrap();
    assert_eq!(pool.map(square, 0..300).unwrap(), squares(300));
    assert_eq!(
        pool.imap(square, 0..300).map(Result::unwrap).sum::<u64>(),
        squares(300).iter().sum()
    );
}
