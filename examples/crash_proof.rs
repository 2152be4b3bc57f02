//! One batch of calls, most of which end badly, each in its own way: what comes of each, and that
//! the pool goes on.
//!
//! ```text
//! cargo run --release --example crash_proof
//! ```
//!
//! On threads, each of the worst would have taken the whole program with it. The exit code is 1 when
//! a line of the table is not what the call's deed must lead to, or when the pool is not whole at the
//! end.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::{
    error::Error,
    hint::black_box,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::{Signal, raise};
use ppool::{Pool, RemoteError, TaskError, TaskErrorKind, TaskFuture, task};

/// Each call answers with the process id of its worker.
type Answer = Result<u32, RemoteError>;

#[task]
fn succeeds() -> Answer {
    Ok(std::process::id())
}

/// An error of the task's own is a value like any other; `RemoteError` carries what serde can't.
#[task]
fn returns_an_error() -> Answer {
    let port: u16 = black_box("eighty").parse()?;
    Ok(port.into())
}

#[task]
fn panics() -> Answer {
    let empty: Vec<u32> = black_box(Vec::new());
    Ok(empty[0])
}

/// Calls itself until it runs off the end of its stack: a real segmentation fault, by safe code.
#[task]
fn segfaults() -> Answer {
    fn descend(depth: u64) -> u64 {
        let frame = black_box([depth; 64]);
        if black_box(depth) == u64::MAX {
            return 0;
        }
        descend(depth + 1) + black_box(frame)[0]
    }
    Err(RemoteError::new(descend(0)))
}

#[task]
fn aborts() -> Answer {
    std::process::abort()
}

#[task]
fn exits() -> Answer {
    std::process::exit(3)
}

/// Killed by the signal that nothing can catch, as by the kernel when memory runs out.
#[task]
fn is_killed() -> Answer {
    raise(Signal::SIGKILL)?;
    unreachable!("SIGKILL can't be caught")
}

#[task]
fn never_ends() -> Answer {
    loop {
        std::hint::spin_loop();
    }
}

#[task]
fn square(n: u64) -> u64 {
    n * n
}

/// How long `never_ends` may run.
const LIMIT: Duration = Duration::from_millis(300);
const WORKERS: usize = 2;

/// What must come of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Value,
    ErrorValue,
    Panic,
    Signal(&'static str),
    ExitCode(i32),
    TimeLimit,
    /// None of the above.
    Other,
}

/// A line of the table.
#[derive(Debug)]
struct Line {
    fate: Fate,
    came_of_it: &'static str,
    how: String,
    pid: Option<u32>,
}

impl Line {
    fn new(fate: Fate, came_of_it: &'static str, how: impl ToString, pid: Option<u32>) -> Line {
        Line {
            fate,
            came_of_it,
            how: how.to_string(),
            pid,
        }
    }

    fn of(result: Result<Answer, TaskError>) -> Line {
        let error = match result {
            Ok(Ok(pid)) => return Line::new(Fate::Value, "a value", "returned", Some(pid)),
            Ok(Err(error)) => return Line::new(Fate::ErrorValue, "an error value", error, None),
            Err(error) => error,
        };
        match error.kind() {
            TaskErrorKind::Panicked(panic) => {
                Line::new(Fate::Panic, "panicked", panic.message(), None)
            }
            TaskErrorKind::WorkerLost(exit) => {
                let pid = Some(exit.pid());
                match (exit.signal_name(), exit.exit_code()) {
                    (Some(name), _) => Line::new(Fate::Signal(name), "worker lost", name, pid),
                    (None, Some(code)) => {
                        let how = format!("exit code {code}");
                        Line::new(Fate::ExitCode(code), "worker lost", how, pid)
                    }
                    (None, None) => Line::new(Fate::Other, "worker lost", exit, pid),
                }
            }
            TaskErrorKind::TimedOut(limit) => {
                let how = format!("stopped after {limit:?}");
                Line::new(Fate::TimeLimit, "timed out", how, None)
            }
            _ => Line::new(Fate::Other, "failed", &error, None),
        }
    }
}

/// Submits the whole batch at once: successes before, between and after the crashes.
fn submit_batch(pool: &Pool) -> Vec<(&'static str, Fate, TaskFuture<Answer>)> {
    let success = || ("succeeds", Fate::Value, pool.submit(succeeds, ()));
    let limited = pool.task(never_ends).timeout(LIMIT);
    vec![
        success(),
        (
            "returns_an_error",
            Fate::ErrorValue,
            pool.submit(returns_an_error, ()),
        ),
        ("panics", Fate::Panic, pool.submit(panics, ())),
        (
            "segfaults",
            Fate::Signal("SIGSEGV"),
            pool.submit(segfaults, ()),
        ),
        ("aborts", Fate::Signal("SIGABRT"), pool.submit(aborts, ())),
        success(),
        ("exits", Fate::ExitCode(3), pool.submit(exits, ())),
        (
            "is_killed",
            Fate::Signal("SIGKILL"),
            pool.submit(is_killed, ()),
        ),
        ("never_ends", Fate::TimeLimit, limited.submit(())),
        success(),
    ]
}

/// Waits, for ten seconds at most, until lost workers have been replaced; how many are alive.
fn workers_alive(pool: &Pool) -> usize {
    let start = Instant::now();
    loop {
        let alive = pool.worker_pids().len();
        if alive == WORKERS || start.elapsed() > Duration::from_secs(10) {
            return alive;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn print_row(call: &str, came_of_it: &str, how: &str, pid: &str) {
    println!("{call:<17} {came_of_it:<16} {how:<55} {pid:>7}");
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let pool = Pool::builder().workers(WORKERS).build()?;
    let mut all_true = true;

    print_row("call", "what came of it", "how", "pid");
    for (call, fate, future) in submit_batch(&pool) {
        let line = Line::of(future.wait());
        let pid = line.pid.map(|pid| pid.to_string());
        print_row(
            call,
            line.came_of_it,
            &line.how,
            pid.as_deref().unwrap_or("-"),
        );
        if line.fate != fate {
            println!("  ^ NOT TRUE: should have been {fate:?}");
            all_true = false;
        }
    }

    let squares = pool.map(square, 0..1000)?;
    let sum: u64 = squares.iter().sum();
    println!("\nthe same pool maps 1000 more calls, the sum of the squares is {sum}");
    all_true &= sum == (0..1000).map(|n| n * n).sum();

    let alive = workers_alive(&pool);
    println!("workers alive: {alive} of {WORKERS}");
    all_true &= alive == WORKERS;

    Ok(if all_true {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
