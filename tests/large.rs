//! Large arguments and results: how they arrive, what they cost in descriptors and memory, and what
//! becomes of them when their worker dies. (Over a ring they lie in segments, over a socket they
//! don't; both must do.)
#![forbid(unsafe_code)]

mod common;

use std::{fs, thread};

use common::{
    Scratch, pool_of,
    processes::descriptors,
    program::{self, Program},
    tasks::{End, Hold, end, hold, square},
    until, watchdog,
};
use nix::sys::resource::{Resource, setrlimit};
use ppool::{Pool, task, worker};
use serde::{Deserialize, Serialize};

const MIB: usize = 1 << 20;

/// Bytes of which no two pages are equal.
fn pattern(len: usize, seed: u64) -> Vec<u8> {
    (0..len as u64)
        .map(|at| (at / 4096 * 7 + at + seed).to_le_bytes()[0])
        .collect()
}

fn check_sum(bytes: &[u8]) -> u64 {
    bytes.iter().zip(1u64..).fold(0, |sum, (byte, at)| {
        sum.wrapping_add(u64::from(*byte).wrapping_mul(at))
    })
}

#[task]
fn sum_of(bytes: &[u8]) -> u64 {
    check_sum(bytes)
}

#[task]
fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[task]
fn everything(
    name: &str,
    numbers: &[f64],
    text: &str,
    more: Vec<u16>,
    words: &[String],
) -> Everything {
    Everything {
        name: name.to_owned(),
        numbers: numbers.to_vec(),
        text: text.to_owned(),
        more,
        words: words.to_vec(),
    }
}

#[derive(PartialEq, Debug, Serialize, Deserialize)]
struct Everything {
    name: String,
    #[serde(with = "ppool::raw")]
    numbers: Vec<f64>,
    text: String,
    more: Vec<u16>,
    words: Vec<String>,
}

#[test]
fn values_of_every_size_arrive_as_they_were() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let around = |len: usize| [len - 9, len - 8, len - 1, len, len + 1];
    let sizes = around(64 << 10).into_iter().chain(around(MIB));
    for (len, seed) in sizes.chain([17 * MIB]).zip(0..) {
        let bytes = pattern(len, seed);
        assert_eq!(pool.apply(sum_of, &bytes[..]).unwrap(), check_sum(&bytes));
        assert!(
            pool.apply(echo, &bytes[..]).unwrap() == bytes,
            "{len} bytes"
        );
    }
}

#[test]
fn several_large_arguments_and_a_large_structure_travel_together() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let expected = Everything {
        name: "n".into(),
        numbers: (0..300_000).map(f64::from).collect(),
        text: "grüezi ".repeat(40_000),
        more: (0..u16::MAX).collect(),
        words: (0..50_000).map(|n| format!("word {n}")).collect(),
    };
    let Everything {
        name,
        numbers,
        text,
        more,
        words,
    } = &expected;
    let arguments = (
        name.as_str(),
        &numbers[..],
        text.as_str(),
        more.clone(),
        &words[..],
    );
    assert!(pool.apply(everything, arguments).unwrap() == expected);
}

#[test]
fn a_map_over_large_items_gives_large_results_in_order() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let items: Vec<_> = (0..40).map(|n| pattern(300_000, n)).collect();
    for chunk_size in [None, Some(1), Some(7)] {
        let options = pool.task(echo);
        let options = match chunk_size {
            Some(size) => options.chunk_size(size),
            None => options,
        };
        assert!(options.map(items.clone()).unwrap() == items);
    }
    let back: Result<Vec<_>, _> = pool.imap(echo, items.clone()).collect();
    assert!(back.unwrap() == items);
}

#[test]
fn arguments_and_results_of_many_threads_are_not_mixed_up() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    thread::scope(|scope| {
        for thread in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..10 {
                    let bytes = pattern(700_000 + round * 30_000, thread * 100 + round as u64);
                    assert!(pool.apply(echo, &bytes[..]).unwrap() == bytes);
                }
            });
        }
    });
}

/// Ends its worker at the first try; then says what it was given.
#[task]
fn sum_at_the_second_try(bytes: &[u8]) -> u64 {
    let sum = check_sum(bytes);
    if worker::current().is_some_and(|info| info.attempt == 0) {
        End::Kill.come();
    }
    sum
}

#[test]
fn a_worker_that_is_killed_with_large_arguments_fails_only_its_call() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    for seed in 0..5 {
        let bytes = pattern(2 * MIB, seed);
        let lost = pool.submit(sum_at_the_second_try, &bytes[..]);
        let others: Vec<_> = (0..4)
            .map(|seed| pool.submit(echo, pattern(MIB, seed)))
            .collect();
        assert!(lost.wait().unwrap_err().is_worker_lost());
        for (other, seed) in others.into_iter().zip(0..) {
            assert!(other.wait().unwrap() == pattern(MIB, seed));
        }
        let again = pool.task(sum_at_the_second_try).retries(1);
        assert_eq!(again.apply(&bytes[..]).unwrap(), check_sum(&bytes));
    }
}

/// Gives a large result, and ends its worker when that is on its way, or half of it.
#[derive(Serialize, Deserialize)]
struct Deadly {
    before: Vec<u8>,
    bomb: Bomb,
}

struct Bomb;

impl Serialize for Bomb {
    fn serialize<S: serde::Serializer>(&self, _to: S) -> Result<S::Ok, S::Error> {
        End::Kill.come()
    }
}

impl<'de> Deserialize<'de> for Bomb {
    fn deserialize<D: serde::Deserializer<'de>>(_from: D) -> Result<Self, D::Error> {
        Ok(Bomb)
    }
}

#[task]
fn die_while_the_result_is_written(len: usize) -> Deadly {
    Deadly {
        before: pattern(len, 0),
        bomb: Bomb,
    }
}

#[test]
fn a_worker_that_is_killed_while_it_writes_a_large_result_leaves_nothing() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for _ in 0..3 {
        let lost = pool.apply(die_while_the_result_is_written, 300_000);
        assert!(lost.err().unwrap().is_worker_lost());
        let bytes = pattern(MIB, 3);
        assert!(pool.apply(echo, &bytes[..]).unwrap() == bytes);
    }
}

/// How many segments this process has.
fn segments() -> usize {
    fs::read_dir("/proc/self/fd")
        .expect("a list of descriptors")
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.to_string_lossy().contains("ppool-segment"))
        .count()
}

#[test]
fn many_large_calls_and_results_need_few_descriptors() {
    let mut program = Program::start("program_with_many_large_calls");
    let most: usize = program.value("descriptors").parse().unwrap();
    assert!(most < 200, "{most} descriptors");
    program.value("released");
    program.must_succeed();
}

#[test]
#[ignore = "run by another test, as a program of its own"]
fn program_with_many_large_calls() {
    let Some(program) = program::inside() else {
        return;
    };
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let bytes = pattern(100_000, 1);
    // While nothing goes on: as arguments.
    let first = Hold::new(&scratch, "first");
    let held = pool.submit(hold, &first);
    first.started.wait();
    let waiting: Vec<_> = (0..300).map(|_| pool.submit(echo, &bytes[..])).collect();
    let queued = descriptors(std::process::id()).len();
    first.release.raise();
    held.wait().unwrap();
    // As results that nobody takes.
    until(|| waiting.iter().all(|future| future.is_done()));
    let done = descriptors(std::process::id()).len();
    program.say("descriptors", queued.max(done));
    for future in waiting {
        assert!(future.wait().unwrap() == bytes);
    }
    // The pool lives on, and has nothing left to keep.
    until(|| segments() == 0);
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    program.say("released", true);
}

#[test]
fn what_was_kept_to_be_warm_is_released_when_the_pool_is_idle_or_gone() {
    let _watchdog = watchdog();
    let mut program = Program::start("program_that_keeps_segments");
    program.value("idle");
    program.value("gone");
    program.must_succeed();
}

#[test]
#[ignore = "run by another test, as a program of its own"]
fn program_that_keeps_segments() {
    let Some(program) = program::inside() else {
        return;
    };
    let bytes = pattern(8 * MIB, 1);
    let pool = pool_of(2);
    let in_workers = || {
        let kept = |pid: &u32| {
            let maps = fs::read_dir(format!("/proc/{pid}/fd"));
            maps.into_iter().flatten().any(|entry| {
                let target = entry.and_then(|entry| fs::read_link(entry.path()));
                target.is_ok_and(|target| target.to_string_lossy().contains("ppool-segment"))
            })
        };
        pool.worker_pids().iter().filter(|pid| kept(pid)).count()
    };
    for _ in 0..3 {
        assert!(pool.apply(echo, &bytes[..]).unwrap() == bytes);
    }
    until(|| segments() == 0 && in_workers() == 0);
    program.say("idle", true);
    let futures: Vec<_> = (0..4).map(|_| pool.submit(echo, &bytes[..])).collect();
    drop(pool);
    // Futures keep what they hold, and nothing more.
    for future in futures {
        assert!(future.wait().unwrap() == bytes);
    }
    assert_eq!(segments(), 0);
    program.say("gone", true);
}

#[test]
fn a_worker_that_dies_with_its_queue_full_of_large_calls_loses_one_of_them() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let bytes = pattern(200_000, 9);
    let dies = pool.submit(end, End::Kill);
    let others: Vec<_> = (0..100).map(|_| pool.submit(sum_of, &bytes[..])).collect();
    assert!(dies.wait().unwrap_err().is_worker_lost());
    for other in others {
        assert_eq!(other.wait().unwrap(), check_sum(&bytes));
    }
}

/// One byte of each page, for those that take too long to be looked at as a whole.
#[task]
fn len_and_last(bytes: &[u8]) -> (usize, Option<u8>) {
    (bytes.len(), bytes.last().copied())
}

#[test]
#[ignore = "takes 6 GiB of memory"]
fn three_gibibytes_arrive() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).build().unwrap();
    let mut bytes = vec![0; 3 << 30];
    bytes[(3 << 30) - 1] = 7;
    let arrived = pool.apply(len_and_last, &bytes[..]).unwrap();
    assert_eq!(arrived, (3 << 30, Some(7)));
}

/// Segments are files to the kernel; those of this process may be short.
#[test]
fn a_limit_of_the_size_of_files_is_no_limit_of_arguments() {
    let mut program = Program::start("program_with_short_files");
    program.value("done");
    program.must_succeed();
}

#[test]
#[ignore = "run by another test, as a program of its own"]
fn program_with_short_files() {
    let Some(program) = program::inside() else {
        return;
    };
    let limit = 4 * MIB as u64;
    setrlimit(Resource::RLIMIT_FSIZE, limit, limit).unwrap();
    let pool = pool_of(1);
    for len in [MIB, 9 * MIB] {
        let bytes = pattern(len, 1);
        assert!(pool.apply(echo, &bytes[..]).unwrap() == bytes);
    }
    program.say("done", true);
}
