//! Pools that live when their program ends: they are drained, and nobody is left.

use std::{
    path::PathBuf,
    sync::{Mutex, OnceLock, mpsc::channel},
    thread,
    time::Duration,
};

use ppool::{Pool, task};

use crate::common::{
    Scratch, Tally, pool_of,
    processes::wait_until_gone,
    program::{self, Program},
    tasks::{square, worker_pid},
    watchdog,
};

/// Takes a while, so that the process is ending while calls wait.
#[task]
fn work(tally: &Tally) {
    thread::sleep(Duration::from_millis(10));
    tally.add();
}

const WORK: usize = 20;
const TALLY: &str = "PPOOL_TEST_TALLY";

/// Inside a program: gives its pool so much to do that it is not done when the program ends.
fn give_work(program: &program::Inside, pool: &Pool) {
    let tally = Tally::at(std::env::var_os(TALLY).map(PathBuf::from).expect("a tally"));
    let pid = pool.apply(worker_pid, ()).expect("a good call");
    program.say("worker", pid);
    for _ in 0..WORK {
        drop(pool.submit(work, &tally));
    }
}

/// Runs the program to its end: all its work must be done then, and nobody left.
fn drains_at_exit(test: &str, code: i32) {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("done");
    let mut command = program::command(test);
    command.env(TALLY, tally.path());
    let mut program = Program::run(command);
    let workers = program.numbers("worker");
    let (status, transcript) = program.end();
    assert_eq!(status.code(), Some(code), "{status}:\n{transcript}");
    assert_eq!(tally.count(), WORK, "{transcript}");
    wait_until_gone(&workers);
}

#[test]
fn a_static_pool_is_drained_at_the_end_of_the_program() {
    drains_at_exit("at_exit::program_with_a_static_pool", 0);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_a_static_pool() {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let Some(program) = program::inside() else {
        return;
    };
    give_work(&program, POOL.get_or_init(|| pool_of(1)));
}

#[test]
fn a_leaked_pool_is_drained_at_the_end_of_the_program() {
    drains_at_exit("at_exit::program_that_leaks_its_pool", 0);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_leaks_its_pool() {
    let Some(program) = program::inside() else {
        return;
    };
    give_work(&program, Box::leak(Box::new(pool_of(1))));
}

#[test]
fn a_live_pool_is_drained_when_the_program_calls_exit() {
    drains_at_exit("at_exit::program_that_calls_exit", 7);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_calls_exit() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = pool_of(1);
    give_work(&program, &pool);
    std::process::exit(7);
}

#[test]
fn a_live_pool_is_drained_when_another_thread_calls_exit() {
    drains_at_exit("at_exit::program_whose_other_thread_calls_exit", 8);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_other_thread_calls_exit() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = pool_of(1);
    give_work(&program, &pool);
    thread::spawn(|| std::process::exit(8));
    // This thread is in the middle of a call when the program ends.
    loop {
        let _ = pool.apply(square, 3);
    }
}

#[test]
fn a_live_pool_is_drained_when_a_callback_calls_exit() {
    drains_at_exit("at_exit::program_whose_callback_calls_exit", 9);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_callback_calls_exit() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = pool_of(1);
    let (submitted, all_submitted) = channel();
    let all_submitted = Mutex::new(all_submitted);
    let future = pool
        .task(square)
        .callback(move |_: &u64| {
            let () = all_submitted.lock().unwrap().recv().unwrap();
            std::process::exit(9);
        })
        .submit(1);
    drop(future);
    give_work(&program, &pool);
    submitted.send(()).unwrap();
    loop {
        thread::park();
    }
}

#[test]
fn many_pools_are_drained_at_the_end_of_the_program() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("done");
    let mut command = program::command("at_exit::program_with_many_pools");
    command.env(TALLY, tally.path());
    Program::run(command).must_succeed();
    assert_eq!(tally.count(), 5 * 4);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_many_pools() {
    let Some(_program) = program::inside() else {
        return;
    };
    let tally = Tally::at(std::env::var_os(TALLY).map(PathBuf::from).expect("a tally"));
    for _ in 0..5 {
        let pool: &Pool = Box::leak(Box::new(pool_of(1)));
        for _ in 0..4 {
            drop(pool.submit(work, &tally));
        }
    }
}
