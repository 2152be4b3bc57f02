//! Ctrl-C: a terminal sends SIGINT to every process of the group, and only the parent decides what
//! that means.
#![forbid(unsafe_code)]

mod common;

use std::{
    fs::{self, File},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use common::{
    Scratch, pool_of,
    processes::{is_alive, wait_until_gone},
    program::{self, Inside, Program},
    tasks::{Hold, hold},
    until, watchdog,
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use ppool::{Pool, Shutdown, TaskFuture};
use signal_hook::{consts::SIGINT, flag};

/// A program in a process group of its own, and what it writes to its standard error.
struct Group {
    program: Program,
    errors: PathBuf,
    workers: Vec<u32>,
    _scratch: Scratch,
}

impl Group {
    /// Starts a program with two workers that are in the middle of calls.
    fn start(test: &str) -> Self {
        let scratch = Scratch::new();
        let errors = scratch.path("stderr");
        let mut command = program::command(test);
        command.process_group(0).stderr(Stdio::from(
            File::create(&errors).expect("the test's directory can be written"),
        ));
        let mut program = Program::run(command);
        let workers = program.numbers("workers");
        assert_eq!(workers.len(), 2);
        Group {
            program,
            errors,
            workers,
            _scratch: scratch,
        }
    }

    fn ctrl_c(&self) {
        let group = i32::try_from(self.program.pid()).expect("a pid is a positive i32");
        killpg(Pid::from_raw(group), Signal::SIGINT).expect("it runs");
    }

    /// What anybody of the group wrote to the standard error.
    fn errors(&self) -> String {
        fs::read_to_string(&self.errors).expect("it is a text")
    }
}

/// Inside a program: two workers with calls that run until they are let go.
fn busy_workers(program: &Inside, scratch: &Scratch) -> (Pool, Vec<Hold>, Vec<TaskFuture<u32>>) {
    let pool = pool_of(2);
    let holds: Vec<_> = ["one", "other"].map(|name| Hold::new(scratch, name)).into();
    let calls = holds.iter().map(|held| pool.submit(hold, held)).collect();
    for held in &holds {
        held.started.wait();
    }
    let pids = pool.worker_pids();
    program.say("workers", format!("{} {}", pids[0], pids[1]));
    (pool, holds, calls)
}

#[test]
fn workers_live_on_while_their_parent_does() {
    let _watchdog = watchdog();
    let mut group = Group::start("program_that_goes_on");
    // An impatient user.
    for _ in 0..3 {
        group.ctrl_c();
    }
    group.program.value("interrupted");
    assert!(group.workers.iter().all(|worker| is_alive(*worker)));
    let errors = group.errors.clone();
    group.program.must_succeed();
    assert_eq!(fs::read_to_string(errors).unwrap(), "");
    wait_until_gone(&group.workers);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_goes_on() {
    let Some(program) = program::inside() else {
        return;
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    flag::register(SIGINT, Arc::clone(&interrupted)).unwrap();
    let scratch = Scratch::new();
    let (pool, holds, calls) = busy_workers(&program, &scratch);
    until(|| interrupted.load(Ordering::SeqCst));
    program.say("interrupted", "yes");
    program.wait();
    for held in &holds {
        held.release.raise();
    }
    let pids = pool.worker_pids();
    for call in calls {
        let pid = call.wait().expect("the interrupt did not reach the worker");
        assert!(pids.contains(&pid), "the workers are the same ones");
    }
}

#[test]
fn an_interrupt_that_ends_the_parent_ends_its_workers_without_a_word() {
    let _watchdog = watchdog();
    let group = Group::start("program_that_is_interrupted");
    group.ctrl_c();
    let errors = group.errors.clone();
    let (status, transcript) = group.program.end();
    assert_eq!(status.signal(), Some(SIGINT), "{transcript}");
    wait_until_gone(&group.workers);
    assert_eq!(fs::read_to_string(errors).unwrap(), "");
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_is_interrupted() {
    let Some(program) = program::inside() else {
        return;
    };
    let scratch = Scratch::new();
    // Whoever started the tests may ignore the signal (a shell does so for what runs in the
    // background), and then its children do.
    flag::register_conditional_default(SIGINT, Arc::new(AtomicBool::new(true))).unwrap();
    let _busy = busy_workers(&program, &scratch);
    loop {
        thread::park();
    }
}

#[test]
fn a_second_interrupt_ends_a_program_that_is_shutting_down_at_once() {
    let _watchdog = watchdog();
    let mut group = Group::start("program_that_shuts_down");
    group.ctrl_c();
    group.program.value("interrupted");
    assert!(group.workers.iter().all(|worker| is_alive(*worker)));
    assert_eq!(group.errors(), "");
    group.ctrl_c();
    let errors = group.errors.clone();
    let (status, transcript) = group.program.end();
    assert_eq!(status.code(), Some(130), "{transcript}");
    wait_until_gone(&group.workers);
    assert_eq!(fs::read_to_string(errors).unwrap(), "");
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_shuts_down() {
    let Some(program) = program::inside() else {
        return;
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    // In this order: the second signal finds that there was a first.
    flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&interrupted)).unwrap();
    flag::register(SIGINT, Arc::clone(&interrupted)).unwrap();
    let scratch = Scratch::new();
    let (pool, _holds, _calls) = busy_workers(&program, &scratch);
    until(|| interrupted.load(Ordering::SeqCst));
    program.say("interrupted", "yes");
    // The calls never end, and so this doesn't either.
    pool.shutdown(Shutdown::CancelPending);
}
