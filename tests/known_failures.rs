//! What has gone wrong in other pools, and is not shown by the tests of a behaviour of its own:
//! `docs/parity.md` says which of them each test is about.
#![forbid(unsafe_code)]

mod common;

use std::{hint::black_box, thread};

use common::{
    Flag, Scratch, pool_of,
    program::{self, Program},
    tasks::{End, square},
    watchdog,
};
use ppool::{Output, Pool, Shutdown, TaskErrorKind, task};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

const MIB: usize = 1 << 20;

#[task]
fn give(bytes: usize) -> Vec<u8> {
    vec![7; bytes]
}

#[task]
fn length(bytes: &[u8]) -> usize {
    bytes.len()
}

// ------------------------------------------------------------------ values

/// An error that can be sent and not received.
#[derive(Debug, Serialize)]
struct Unreadable(u32);

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: Deserializer<'de>>(_from: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("nobody can read this"))
    }
}

#[task]
fn fail_unreadably(n: u32) -> Result<(), Unreadable> {
    Err(Unreadable(n))
}

#[test]
fn an_error_that_can_not_be_decoded_fails_its_call_and_none_after_it() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for n in 0..3 {
        let error = pool.apply(fail_unreadably, n).unwrap_err();
        assert!(
            matches!(error.kind(), TaskErrorKind::Decode(_)),
            "{error:?}"
        );
        assert!(
            error.to_string().contains("nobody can read this"),
            "{error}"
        );
        assert_eq!(pool.apply(square, 3).unwrap(), 9);
    }
}

#[test]
fn a_large_result_is_there_though_the_pool_was_joined_first() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let futures: Vec<_> = (0..4).map(|_| pool.submit(give, 10 * MIB)).collect();
    pool.join();
    for future in futures {
        assert_eq!(future.wait().unwrap().len(), 10 * MIB);
    }
}

#[test]
#[ignore = "takes some 15 GiB of memory"]
fn three_gibibytes_go_there_and_back() {
    let _watchdog = watchdog();
    const LEN: usize = 3 << 30;
    let pool = pool_of(1);
    assert_eq!(pool.apply(length, &vec![1u8; LEN][..]).unwrap(), LEN);
    assert_eq!(pool.apply(give, LEN).unwrap().len(), LEN);
}

// ------------------------------------------------------------------ many calls

#[test]
fn four_threads_that_submit_as_fast_as_they_can_never_stall() {
    let _watchdog = watchdog();
    const CALLS: u64 = 50_000;
    let pool = pool_of(2);
    thread::scope(|scope| {
        for _ in 0..4 {
            // No future is kept, so nothing but the queue's bound holds them up.
            scope.spawn(|| (0..CALLS).for_each(|n| drop(pool.submit(square, n))));
        }
    });
    pool.close();
    pool.join();
    assert_eq!(pool.stats().finished, 4 * CALLS);
}

#[test]
fn a_hundred_calls_with_large_arguments_are_killed_and_the_pool_ends() {
    #[task]
    fn read_and_hang(bytes: &[u8], started: &Flag) {
        black_box(bytes);
        started.raise();
        loop {
            thread::park();
        }
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(4);
    let bytes = vec![1; 2 * MIB];
    let started = scratch.flag("started");
    let calls: Vec<_> = (0..100)
        .map(|_| pool.submit(read_and_hang, (&bytes[..], &started)))
        .collect();
    started.wait();
    for call in &calls {
        assert!(call.kill());
    }
    for call in calls {
        assert!(call.wait().unwrap_err().is_cancelled());
    }
    assert_eq!(pool.apply(square, 5).unwrap(), 25);
    pool.shutdown(Shutdown::Drain);
}

// ------------------------------------------------------------------ workers

#[test]
fn workers_that_die_for_want_of_memory_hold_up_no_large_argument() {
    #[task]
    fn take(bytes: &[u8], mebibytes: usize) -> usize {
        black_box(vec![1u8; mebibytes * MIB]).len() / MIB + bytes.len() / MIB
    }

    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(2)
        .memory_limit(64 << 20)
        .output(Output::Null)
        .build()
        .unwrap();
    let bytes = vec![1; MIB];
    let calls: Vec<_> = (0..60)
        .map(|n| {
            let mebibytes = if n % 2 == 0 { 1 } else { 1000 };
            pool.submit(take, (&bytes[..], mebibytes))
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        match call.wait() {
            Ok(sum) => assert!(sum == 2 && n % 2 == 0),
            Err(error) => assert!(error.is_memory_limit() && n % 2 == 1, "{n}: {error:?}"),
        }
    }
}

#[test]
fn a_new_worker_for_each_call_and_deaths_between_lose_only_what_died() {
    #[task]
    fn live_or_die(n: u32) -> u32 {
        match n % 7 {
            3 => End::Kill.come(),
            5 => End::Exit(3).come(),
            _ => n,
        }
    }

    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(2)
        .max_tasks_per_worker(1)
        .build()
        .unwrap();
    let results: Vec<_> = pool.task(live_or_die).chunk_size(1).imap(0..150).collect();
    assert_eq!(results.len(), 150);
    for (n, result) in (0..).zip(results) {
        match result {
            Ok(value) => assert!(value == n && !matches!(n % 7, 3 | 5)),
            Err(error) => assert!(
                error.is_worker_lost() && matches!(n % 7, 3 | 5),
                "{error:?}"
            ),
        }
    }
}

#[test]
fn a_program_ends_that_has_closed_its_pool_and_never_joined_it() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut command = program::command("program_that_closes_and_leaves");
    command.env("TALLY", scratch.path("tally"));
    let transcript = Program::run(command).must_succeed();
    let done = std::fs::read_to_string(scratch.path("tally")).unwrap();
    assert_eq!(done.len(), 10, "{transcript}");
}

#[task]
fn note(path: &str) {
    use std::io::Write;
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(b"x"));
    written.expect("the test's directory can be written");
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_closes_and_leaves() {
    if program::inside().is_none() {
        return;
    }
    let tally = std::env::var("TALLY").unwrap();
    let pool: &'static Pool = Box::leak(Box::new(pool_of(2)));
    for _ in 0..10 {
        drop(pool.submit(note, &*tally));
    }
    pool.close();
}
