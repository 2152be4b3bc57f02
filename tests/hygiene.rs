//! What pools leave behind (nothing), and what an idle one does (nothing).
//!
//! Each is measured in a program of its own, so that the other tests of this binary don't count.
#![forbid(unsafe_code)]

mod common;

use std::{collections::BTreeMap, fs, thread, time::Duration};

use common::{
    Scratch,
    processes::{children_of, descriptors, family_of, status, threads},
    program::{self, Program},
    tasks::{End, Hold, end, hold, panic_with, square},
    until, watchdog,
};
use ppool::Pool;

/// What a process holds.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Holdings {
    descriptors: usize,
    threads: usize,
    children: usize,
    mappings: usize,
    shared_memory: usize,
}

impl Holdings {
    fn now() -> Self {
        let pid = std::process::id();
        let maps = fs::read_to_string("/proc/self/maps").expect("a list of mappings");
        Holdings {
            descriptors: descriptors(pid).len(),
            threads: threads(pid).len(),
            children: children_of(pid).len(),
            // The allocator maps and unmaps as it likes; files and shared memory are ours.
            mappings: maps.lines().filter(|line| line.contains('/')).count(),
            shared_memory: fs::read_dir("/dev/shm").map_or(0, Iterator::count),
        }
    }

    /// What the process holds is this again. The kernel takes a thread off its list a moment after it
    /// was joined, so there may have been one too many before, and may be for a moment now.
    fn are_not_exceeded(&self) {
        until(|| threads(std::process::id()).len() <= self.threads);
        let now = Holdings {
            threads: self.threads,
            ..Holdings::now()
        };
        assert_eq!(now, *self);
    }
}

fn one_pool_with_one_call(n: u64) {
    let pool = Pool::builder().workers(1).build().expect("a plain pool");
    assert_eq!(pool.apply(square, n).expect("a good call"), n * n);
}

#[test]
fn a_thousand_pools_leave_nothing_behind() {
    let _watchdog = watchdog();
    Program::start("program_of_a_thousand_pools").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_of_a_thousand_pools() {
    let Some(_program) = program::inside() else {
        return;
    };
    // Whatever is made once and kept, and an allocator that has seen it all.
    (0..100).for_each(one_pool_with_one_call);
    let before = Holdings::now();
    let memory = status(std::process::id(), "VmRSS");

    (0..1000).for_each(one_pool_with_one_call);

    before.are_not_exceeded();
    let grown = status(std::process::id(), "VmRSS").saturating_sub(memory);
    // A kibibyte for each pool would show; the allocator's own unrest is less.
    assert!(grown < 1000, "{grown} KiB more after 1,000 pools");
}

#[test]
fn pools_that_end_badly_leave_nothing_behind() {
    let _watchdog = watchdog();
    Program::start("program_of_pools_that_end_badly").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_of_pools_that_end_badly() {
    let Some(_program) = program::inside() else {
        return;
    };
    let scratch = Scratch::new();
    let round = |n: usize| {
        let pool = Pool::builder().workers(2).build().unwrap();
        assert!(pool.apply(end, End::Kill).is_err());
        assert!(pool.apply(panic_with, "on purpose").is_err());
        let held = Hold::new(&scratch, &n.to_string());
        let future = pool.submit(hold, &held);
        held.started.wait();
        match n % 3 {
            0 => assert!(future.kill()),
            1 => pool.terminate(),
            _ => held.release.raise(),
        }
    };
    (0..9).for_each(round);
    let before = Holdings::now();
    (9..45).for_each(round);
    before.are_not_exceeded();
}

#[test]
fn calls_that_wait_hold_no_descriptors() {
    let _watchdog = watchdog();
    Program::start("program_with_many_calls").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_many_calls() {
    let Some(_program) = program::inside() else {
        return;
    };
    let scratch = Scratch::new();
    let pool = Pool::builder()
        .workers(1)
        .queue_capacity(10_000)
        .build()
        .unwrap();
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    held.started.wait();
    let before = descriptors(std::process::id()).len();
    let futures: Vec<_> = (0..9_000).map(|n| pool.submit(square, n)).collect();
    assert_eq!(descriptors(std::process::id()).len(), before);
    held.release.raise();
    first.wait().unwrap();
    for (n, future) in (0..).zip(futures) {
        assert_eq!(future.wait().unwrap(), n * n);
    }
}

#[test]
fn a_long_stream_needs_no_more_memory_than_a_short_one() {
    let _watchdog = watchdog();
    Program::start("program_with_a_long_stream").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_a_long_stream() {
    #[ppool::task]
    fn first_of(bytes: &[u8]) -> Vec<u8> {
        bytes[..1024].to_vec()
    }

    let Some(_program) = program::inside() else {
        return;
    };
    let pool = Pool::builder().workers(2).build().unwrap();
    let stream = |count: usize| {
        let inputs = (0..count).map(|_| vec![7u8; 16 << 10]);
        pool.imap(first_of, inputs)
            .map(|result| result.unwrap().len())
            .sum::<usize>()
    };
    let family = || -> u64 {
        let pids = family_of(std::process::id());
        pids.into_iter().map(|pid| status(pid, "VmRSS")).sum()
    };
    assert_eq!(stream(1000), 1000 << 10);
    let before = family();
    assert_eq!(stream(6000), 6000 << 10);
    let grown = family().saturating_sub(before);
    // Ninety-six mebibytes of inputs have gone through.
    assert!(grown < 16 << 10, "{grown} KiB more after 6,000 calls");
}

// ------------------------------------------------------------------ idle

/// What each thread of a process and its descendants has run so far: how often it was put on a
/// core and for how long. A thread that was not put on a core has made no system call.
fn activity(root: u32) -> BTreeMap<(u32, u32), String> {
    let mut activity = BTreeMap::new();
    for pid in family_of(root) {
        for tid in threads(pid) {
            let path = |name: &str| format!("/proc/{pid}/task/{tid}/{name}");
            let switches = fs::read_to_string(path("status")).unwrap_or_default();
            let mut seen: Vec<String> = switches
                .lines()
                .filter(|line| line.contains("ctxt_switches") || line.starts_with("State"))
                .map(str::to_owned)
                .collect();
            // Where the kernel counts it: nanoseconds on a core, waiting for one, and turns.
            seen.extend(fs::read_to_string(path("schedstat")).ok());
            seen.extend(fs::read_to_string(path("comm")).ok());
            activity.insert((pid, tid), seen.join(" "));
        }
    }
    activity
}

#[test]
fn an_idle_pool_does_nothing_at_all() {
    let _watchdog = watchdog();
    let mut program = Program::start("program_with_an_idle_pool");
    program.value("idle");
    let pid = program.pid();
    assert!(family_of(pid).len() > 2, "the program and its workers");
    // Whoever has just worked may look for more for a moment before it sleeps.
    let mut before = activity(pid);
    until(|| {
        thread::sleep(Duration::from_millis(100));
        let now = activity(pid);
        std::mem::replace(&mut before, now) == before
    });
    // This is what is measured: time in which nothing is asked of the pool.
    thread::sleep(Duration::from_secs(3));
    let after = activity(pid);
    for (thread, what) in &after {
        assert_eq!(
            Some(what),
            before.get(thread),
            "(process, thread) {thread:?} has run"
        );
    }
    assert_eq!(after.len(), before.len());
    program.must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_an_idle_pool() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = Pool::builder().workers(2).callback(|_| ()).build().unwrap();
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    assert!(pool.apply(end, End::Exit(0)).is_err());
    until(|| pool.worker_pids().len() == 2);
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    program.say("idle", "now");
    program.wait();
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}
