//! Maps whose arguments and results always take as many bytes: they travel without their lengths, and a
//! worker runs many of them in one go. Nobody should be able to tell, but by the time they take.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "inputs are numbers of all sizes"
)]

mod common;

use std::{thread, time::Duration};

use common::{pool_of, tasks::End, watchdog};
use ppool::{Callable, Pool, task, worker};
use serde::{Deserialize, Serialize};

#[task]
fn byte(n: u8) -> u8 {
    n.wrapping_add(1)
}

#[task]
fn is_odd(n: u32) -> bool {
    n % 2 == 1
}

#[task]
fn letter(at: (u8, bool)) -> char {
    let letter = char::from(b'a' + at.0 % 26);
    if at.1 { 'ß' } else { letter }
}

/// 13 bytes there, 24 back.
#[task]
fn mixed(a: u64, b: f32, c: bool) -> (u128, i64) {
    (u128::from(a) << 64, if c { -1 } else { b as i64 })
}

#[task]
fn nothing(_n: i16) {}

#[task]
fn from_nothing() -> u32 {
    7
}

/// The result has no fixed form, the argument has.
#[task]
fn row(n: u64) -> String {
    "x".repeat(n as usize % 50)
}

/// The argument has none, the result has.
#[task]
fn length(text: &str) -> usize {
    text.len()
}

#[derive(Serialize, Deserialize)]
struct Add(u64, u64);

#[task]
impl Callable for Add {
    type Output = u64;

    fn call(self) -> u64 {
        self.0 + self.1
    }
}

/// The same results as without a pool, however the calls travel.
macro_rules! same {
    ($task:ident($inputs:expr)) => {{
        let pool = pool_of(2);
        let expected: Vec<_> = $inputs.map(|input| same!(@call $task input)).collect();
        assert!(pool.map($task, $inputs).unwrap() == expected);
        for size in [2, 1000] {
            let results = pool.task($task).chunk_size(size).map($inputs);
            assert!(results.unwrap() == expected, "in chunks of {size}");
        }
        let one_by_one: Result<Vec<_>, _> = pool.imap($task, $inputs).collect();
        assert!(one_by_one.unwrap() == expected);
        assert!(pool.map_async($task, $inputs).wait().unwrap() == expected);
        let here = Pool::builder().in_process().build().unwrap();
        assert!(here.task($task).chunk_size(9).map($inputs).unwrap() == expected);
    }};
    (@call mixed $input:ident) => { mixed($input.0, $input.1, $input.2) };
    (@call from_nothing $input:ident) => {{ let () = $input; from_nothing() }};
    (@call $task:ident $input:ident) => { $task($input) };
}

const MANY: u64 = 20_000;

#[test]
fn numbers_of_all_sizes_come_back() {
    let _watchdog = watchdog();
    same!(byte((0..MANY).map(|n| n as u8)));
    same!(is_odd(0..MANY as u32));
    same!(letter((0..MANY).map(|n| (n as u8, n % 3 == 0))));
    same!(mixed((0..MANY).map(|n| (n, n as f32 / 2.0, n % 2 == 0))));
}

#[test]
fn nothing_at_all_is_a_form_too() {
    let _watchdog = watchdog();
    same!(nothing((0..MANY).map(|n| n as i16)));
    same!(from_nothing((0..MANY).map(|_| ())));
}

#[test]
fn only_the_argument_or_only_the_result_may_have_a_form() {
    let _watchdog = watchdog();
    same!(row(0..MANY));
    let words: Vec<String> = (0..MANY).map(|n| "y".repeat(n as usize % 90)).collect();
    same!(length(words.iter().map(String::as_str)));
}

#[test]
fn objects_of_plain_fields_travel() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let sums = pool.map_objects((0..MANY).map(|n| Add(n, 2))).unwrap();
    assert!(sums.into_iter().eq(2..MANY + 2));
}

/// How the calls at these inputs end.
#[task]
fn fall(n: u64) -> u64 {
    extern "C" fn stuck() {
        panic!("it can't unwind");
    }

    match n {
        3_000 | 3_001 => panic!("{n} is not wanted"),
        7_000 => End::Kill.come(),
        7_001 => End::Exit(3).come(),
        11_000 => {
            stuck();
            0
        }
        15_000 => std::panic::catch_unwind(|| panic!("nobody hears of this")).map_or(n, |()| 0),
        15_001 => std::panic::resume_unwind(Box::new("quietly")),
        n => n,
    }
}

#[test]
fn a_call_that_fails_in_the_middle_of_many_is_the_only_one() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    for size in [None, Some(4000)] {
        let task = pool.task(fall);
        let task = match size {
            Some(size) => task.chunk_size(size),
            None => task,
        };
        let results: Vec<_> = task.imap(0..MANY).collect();
        assert_eq!(results.len() as u64, MANY);
        for (n, result) in (0..).zip(results) {
            match n {
                3_000 | 3_001 => {
                    let error = result.unwrap_err().to_string();
                    assert!(error.contains(&format!("{n} is not wanted")), "{error}");
                }
                7_000 => {
                    let error = result.unwrap_err();
                    assert!(error.to_string().contains("SIGKILL"), "{error}");
                }
                7_001 => assert!(result.unwrap_err().is_worker_lost()),
                11_000 => {
                    let error = result.unwrap_err().to_string();
                    assert!(error.contains("it can't unwind"), "{error}");
                }
                15_001 => {
                    let error = result.unwrap_err();
                    assert!(error.is_panic(), "{error}");
                    assert!(error.to_string().contains("quietly"), "{error}");
                }
                n => assert_eq!(result.ok(), Some(n)),
            }
        }
    }
}

#[test]
fn a_map_that_fails_in_the_middle_gives_the_error() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let error = pool.map(fall, 2_000..4_000).unwrap_err();
    assert!(error.is_panic(), "{error}");
    assert!(pool.map(fall, 0..3_000).unwrap().into_iter().eq(0..3_000));
}

/// How many calls the worker has done before.
#[task]
fn done_before(_n: u32) -> u64 {
    worker::current().map_or(0, |worker| worker.calls_done)
}

#[test]
fn each_call_knows_how_many_were_before_it() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let before = pool
        .task(done_before)
        .chunk_size(500)
        .map(0..2_000)
        .unwrap();
    assert!(before.into_iter().eq(0..2_000));
}

#[test]
fn limits_hold_for_each_of_many_calls() {
    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(1)
        .cpu_time_limit(Duration::from_secs(60))
        .max_tasks_per_worker(1_500)
        .build()
        .unwrap();
    let before = pool.map(done_before, 0..4_000).unwrap();
    assert_eq!(before.iter().max(), Some(&1_499));
    assert_eq!(before.iter().filter(|before| **before == 0).count(), 3);
}

/// 32 bytes.
#[task]
fn wide(n: u64) -> (u128, u128) {
    (n.into(), u128::MAX - u128::from(n))
}

#[test]
fn results_that_fill_the_ring_several_times_come_in_order() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let mut results = pool.task(wide).chunk_size(60_000).imap(0..240_000);
    assert_eq!(results.next().unwrap().unwrap(), (0, u128::MAX));
    thread::sleep(Duration::from_millis(50));
    for (n, result) in (1..).zip(results) {
        assert_eq!(result.unwrap(), (n, u128::MAX - n));
    }
}
