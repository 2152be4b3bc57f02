//! The fault matrix: each failure at each stage of a call gives its own error, and the next call
//! works. (cpython #74192, #79492: there, most of these hang the pool.)
#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;
mod table;

use std::{
    os::unix::process::ExitStatusExt,
    sync::{Arc, mpsc::channel},
};

use common::{
    processes::wait_until_gone,
    program::{self, Program},
    tasks::square,
    watchdog,
};
use ppool::{Pool, TaskError, TaskErrorKind, TaskFuture};
use table::{Answer, Argument, Expected, Fuse, TABLE, walk};

const SIGABRT: i32 = 6;

type Outcome = Result<Result<Answer, String>, TaskError>;

/// Runs the call with the fuse in the midst of others, which it must not touch.
fn run(pool: &Pool, fuse: Fuse) -> Outcome {
    let before: Vec<_> = (0..3).map(|n| pool.submit(square, n)).collect();
    let fused = pool.submit(walk, (1, Argument::new(fuse)));
    let after: Vec<_> = (0..3).map(|n| pool.submit(square, n)).collect();
    let outcome = fused.wait();
    for futures in [before, after] {
        let values: Result<Vec<_>, _> = futures.into_iter().map(TaskFuture::wait).collect();
        assert_eq!(
            values.expect("a good call"),
            [0, 1, 4],
            "calls beside {fuse:?}"
        );
    }
    assert_eq!(
        pool.apply(square, 9).ok(),
        Some(81),
        "the call after {fuse:?}"
    );
    outcome
}

/// The pool lives through these rows, so one pool serves them all.
fn rows_that_the_program_survives(pool: &Pool) {
    for (stage, failure, expected) in TABLE {
        if !expected.ends_the_program() {
            let fuse = Fuse { stage, failure };
            judge(fuse, expected, run(pool, fuse));
        }
    }
}

fn judge(fuse: Fuse, expected: Expected, outcome: Outcome) {
    let error = match (expected, outcome) {
        (Expected::OwnError, Ok(Err(text))) => return assert_eq!(text, table::MESSAGE),
        (_, Ok(value)) => panic!("{fuse:?} gave the value {value:?}"),
        (_, Err(error)) => error,
    };
    assert!(error.task().contains("walk"), "{error:?}");
    let says_why = |message: &str| message.contains(table::MESSAGE);
    let as_expected = match (expected, error.kind()) {
        (Expected::Encode(parameter), TaskErrorKind::Encode(cause)) => {
            cause.parameter() == parameter && says_why(cause.message())
        }
        (Expected::Decode(parameter), TaskErrorKind::Decode(cause)) => {
            cause.parameter() == parameter && says_why(cause.message())
        }
        (Expected::Panicked, TaskErrorKind::Panicked(panic)) => says_why(panic.message()),
        (Expected::Lost(code), TaskErrorKind::WorkerLost(exit)) => {
            let how = exit
                .exit_code()
                .ok_or_else(|| exit.signal_name().unwrap_or("unknown"));
            how == code && exit.task().is_some_and(|task| task.contains("walk")) && exit.pid() != 0
        }
        _ => false,
    };
    assert!(
        as_expected,
        "{fuse:?} should give {expected:?}, gave {error:?}"
    );
}

#[test]
fn each_failure_has_its_own_error() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(2).build().unwrap();
    rows_that_the_program_survives(&pool);
}

#[test]
fn each_failure_has_its_own_error_inside_a_callback() {
    let _watchdog = watchdog();
    let pool = Arc::new(Pool::builder().workers(2).build().unwrap());
    let (sender, done) = channel();
    let future = pool
        .task(square)
        .callback({
            let pool = pool.clone();
            move |_: &u64| {
                rows_that_the_program_survives(&pool);
                sender.send(()).unwrap();
            }
        })
        .submit(1);
    // A failed assertion panics over there, drops the sender, and shows here.
    done.recv()
        .expect("the rows, inside the callback, as expected");
    assert_eq!(future.wait().unwrap(), 1);
}

// ------------------------------------------------- rows that take the program itself with them

const ROW: &str = "PPOOL_TEST_ROW";
const PLACE: &str = "PPOOL_TEST_PLACE";

fn rows_that_end_the_program(place: &str) {
    let _watchdog = watchdog();
    for (index, (stage, failure, expected)) in TABLE.into_iter().enumerate() {
        let code = match expected {
            Expected::ProgramExits(code) => Some(code),
            Expected::ProgramAborts => None,
            _ => continue,
        };
        let mut command = program::command("program_with_a_fuse");
        command.env(ROW, index.to_string()).env(PLACE, place);
        let mut program = Program::run(command);
        let workers = program.numbers("workers");
        let (status, transcript) = program.end();
        let row = format!("{stage:?}, {failure:?}, {place}: {status}:\n{transcript}");
        match code {
            Some(code) => assert_eq!(status.code(), Some(code), "{row}"),
            None => assert_eq!(status.signal(), Some(SIGABRT), "{row}"),
        }
        assert!(!workers.is_empty(), "{row}");
        wait_until_gone(&workers);
    }
}

#[test]
fn a_failure_that_ends_the_program_leaves_nobody() {
    rows_that_end_the_program("main");
}

#[test]
fn a_failure_that_ends_the_program_inside_a_callback_leaves_nobody() {
    rows_that_end_the_program("callback");
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_a_fuse() {
    let Some(program) = program::inside() else {
        return;
    };
    let row: usize = std::env::var(ROW).unwrap().parse().unwrap();
    let (stage, failure, _) = TABLE[row];
    let pool = Arc::new(Pool::builder().workers(2).build().unwrap());
    pool.map(square, 0..10).unwrap();
    let pids: Vec<String> = pool.worker_pids().iter().map(u32::to_string).collect();
    program.say("workers", pids.join(" "));
    let light = {
        let pool = pool.clone();
        move || {
            let outcome = pool.apply(walk, (1, Argument::new(Fuse { stage, failure })));
            println!("the program goes on with {outcome:?}");
        }
    };
    if std::env::var(PLACE).unwrap() == "main" {
        light();
    } else {
        let (sender, done) = channel::<()>();
        let future = pool
            .task(square)
            .callback(move |_: &u64| {
                let _sender = &sender;
                light();
            })
            .submit(1);
        drop(future);
        let _ = done.recv();
    }
}
