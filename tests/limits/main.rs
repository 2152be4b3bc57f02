//! Pools where the system gives little: no descriptors, no processes, no standard input, no child
//! signals, no quiet moment.
#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;
mod signals;

use std::{
    env,
    fs::File,
    io::{Read, stdin},
    os::fd::AsFd,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use common::{
    Flag, Raise, Scratch,
    processes::{descriptors, threads},
    program::{self, Program},
    tasks::{End, end, square},
    until, watchdog,
};
use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::{Gid, Uid, close, geteuid, setgid, setuid},
};
use ppool::{Pool, TaskError, TaskErrorKind};

/// A call where something may be missing: it works, or says what is missing in words.
fn works_or_says(pool: &Pool, words: &[&str], where_: &str) -> bool {
    let error = match pool.apply(square, 7) {
        Ok(value) => {
            assert_eq!(value, 49);
            return true;
        }
        Err(error) => error,
    };
    assert_says(&error, words, where_);
    false
}

fn assert_says(error: &TaskError, words: &[&str], where_: &str) {
    assert!(
        matches!(error.kind(), TaskErrorKind::PoolBroken(_)),
        "{where_}: {error:?}"
    );
    let text = error.to_string();
    assert!(
        words.iter().any(|word| text.contains(word)),
        "{where_}: {text}"
    );
}

// ------------------------------------------------------------------ RLIMIT_NOFILE

/// The numbers of descriptors that a pool may find left when it starts.
const FEW: usize = 24;

#[test]
fn a_pool_without_descriptors_says_so_and_works_when_there_are_some() {
    let _watchdog = watchdog();
    Program::start("program_without_descriptors").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_without_descriptors() {
    let Some(_program) = program::inside() else {
        return;
    };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 256.min(hard), hard).unwrap();
    let (mut refused, mut worked) = (0, 0);
    for left in 0..FEW {
        let pool = Pool::builder().workers(2).build().unwrap();
        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        taken.truncate(taken.len() - left);
        let words = ["open files", "descriptor"];
        match works_or_says(&pool, &words, &format!("{left} descriptors left")) {
            true => worked += 1,
            false => refused += 1,
        }
        drop(taken);
        // There is room again: the same pool goes on.
        assert_eq!(
            pool.map(square, 0..10).unwrap().len(),
            10,
            "after {left} descriptors left"
        );
        until(|| pool.worker_pids().len() == 2);
    }
    assert!(
        refused > 0 && worked > 0,
        "{refused} refused, {worked} worked"
    );
}

#[test]
fn a_worker_that_is_lost_without_descriptors_is_replaced_when_there_are_some() {
    let _watchdog = watchdog();
    Program::start("program_that_loses_a_worker_without_descriptors").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_loses_a_worker_without_descriptors() {
    let Some(_program) = program::inside() else {
        return;
    };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 256.min(hard), hard).unwrap();
    let pool = Pool::builder().workers(1).build().unwrap();
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    // Its own descriptors are free again once it is gone, or not: either is well.
    assert!(pool.apply(end, End::Kill).unwrap_err().is_worker_lost());
    works_or_says(&pool, &["open files", "descriptor"], "after the loss");
    drop(taken);
    assert_eq!(pool.map(square, 0..10).unwrap().len(), 10);
}

#[test]
fn ten_thousand_descriptors_are_no_burden_to_workers() {
    let _watchdog = watchdog();
    Program::start("program_with_ten_thousand_descriptors").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_ten_thousand_descriptors() {
    #[ppool::task]
    fn my_descriptors() -> Vec<u32> {
        descriptors(std::process::id())
    }

    const MANY: u64 = 10_000;
    let Some(_program) = program::inside() else {
        return;
    };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if hard < MANY + 100 {
        println!("skipped: the system allows {hard} descriptors");
        return;
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let files: Vec<File> = (0..MANY)
        .map(|_| File::open("/dev/null").unwrap())
        .collect();
    for file in files.iter().step_by(2) {
        // These would be inherited by any process that is started without care.
        fcntl(file.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    }
    let pool = Pool::builder().workers(2).build().unwrap();
    for _ in 0..4 {
        let theirs = pool.apply(my_descriptors, ()).unwrap();
        assert!(theirs.len() < 12, "a worker has {theirs:?}");
    }
}

// ------------------------------------------------------------------ RLIMIT_NPROC

const STARTED: &str = "PPOOL_TEST_STARTED";

#[test]
fn a_pool_without_processes_says_so_and_works_when_there_are_some() {
    let _watchdog = watchdog();
    Program::start("program_without_processes").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_without_processes() {
    let Some(_program) = program::inside() else {
        return;
    };
    if geteuid().is_root() {
        // The limit does not bind root. A number of its own, so that nobody else counts.
        let id = 100_000 + std::process::id();
        setgid(Gid::from_raw(id)).unwrap();
        setuid(Uid::from_raw(id)).unwrap();
    } else {
        println!("as an ordinary user, whose other processes count too");
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
    let own = threads(std::process::id()).len() as u64;
    let (mut refused, mut worked) = (0, 0);
    for left in 0..10 {
        let pool = Pool::builder().workers(2).build().unwrap();
        setrlimit(Resource::RLIMIT_NPROC, own + left, hard).unwrap();
        let words = ["temporarily unavailable", "process", "thread"];
        match works_or_says(&pool, &words, &format!("{left} processes left")) {
            true => worked += 1,
            false => refused += 1,
        }
        setrlimit(Resource::RLIMIT_NPROC, hard, hard).unwrap();
        assert_eq!(
            pool.map(square, 0..10).unwrap().len(),
            10,
            "after {left} processes left"
        );
        drop(pool);
        until(|| threads(std::process::id()).len() as u64 <= own);
    }
    if geteuid().as_raw() >= 100_000 {
        assert!(
            refused > 0 && worked > 0,
            "{refused} refused, {worked} worked"
        );
    } else {
        println!("skipped: {refused} refused, {worked} worked, but others' processes count");
    }
}

// ------------------------------------------------------------------ standard streams

#[ppool::task]
fn read_stdin() -> Option<usize> {
    stdin().read(&mut [0; 16]).ok()
}

#[test]
fn a_pool_works_where_the_standard_streams_are_closed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let done = scratch.flag("done");
    for closed in ["0", "1", "2", "0 1 2"] {
        let mut command = program::command("program_without_standard_streams");
        command
            .env(STARTED, done.path())
            .env("PPOOL_TEST_CLOSED", closed);
        let (status, transcript) = Program::run(command).end();
        assert!(done.is_up(), "{closed} closed: {status}:\n{transcript}");
        std::fs::remove_file(done.path()).unwrap();
    }
}

#[test]
#[ignore = "a program that another test starts"]
fn program_without_standard_streams() {
    let Some(_program) = program::inside() else {
        return;
    };
    let closed = env::var("PPOOL_TEST_CLOSED").unwrap();
    for number in closed.split(' ') {
        close(number.parse::<i32>().unwrap()).unwrap();
    }
    // The pool's own descriptors now get the numbers that others take for the standard streams.
    let pool = Pool::builder().workers(2).build().unwrap();
    let squares = pool.map(square, 0..100).unwrap();
    let (read, lost) = (pool.apply(read_stdin, ()), pool.apply(end, End::Kill));
    let after = pool.map(square, 0..100).unwrap();
    drop(pool);
    // Nobody hears a failed assertion; the flag is the verdict.
    let nothing_read = matches!(read, Ok(None | Some(0)));
    if squares == after && nothing_read && lost.is_err_and(|error| error.is_worker_lost()) {
        Flag::at(env::var_os(STARTED).map(PathBuf::from).unwrap()).raise();
    }
}

// ------------------------------------------------------------------ busy surroundings

#[test]
fn workers_start_while_other_threads_allocate() {
    let _watchdog = watchdog();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..8 {
            let over = &over;
            scope.spawn(move || {
                let mut kept = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    kept.push(vec![thread; 1 << (kept.len() % 16)]);
                    if kept.len() > 64 {
                        kept.clear();
                    }
                }
            });
        }
        let _at_the_end = Raise(&over);
        for _ in 0..10 {
            let pool = Pool::builder().workers(2).build().unwrap();
            assert_eq!(pool.map(square, 0..10).unwrap().len(), 10);
        }
    });
}
