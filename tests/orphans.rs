//! No worker outlives its parent, however the parent dies; and none dies before it.
#![forbid(unsafe_code)]

mod common;

use std::{
    io::{Write, stdout},
    thread,
    time::{Duration, Instant},
};

use common::{
    Scratch,
    processes::{family_of, is_alive, state},
    program::{self, Program},
    tasks::{run_for_ever, square, worker_pid},
    until, watchdog,
};
use nix::{
    sys::{
        prctl,
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use ppool::{Pool, task};

/// The promise is a second; a busy machine may be late.
const GONE_WITHIN: Duration = Duration::from_secs(10);

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid is small"));
    kill(pid, signal).expect("the process is there");
}

fn gone_in_time(pids: &[u32]) {
    let start = Instant::now();
    until(|| {
        let left: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
        assert!(
            left.is_empty() || start.elapsed() < GONE_WITHIN,
            "{left:?} of {pids:?} are still there"
        );
        left.is_empty()
    });
}

/// A call in the middle of which there is no system call, no allocation, nothing.
#[task]
fn compute_for_ever(started: &common::Flag) {
    started.raise();
    loop {
        std::hint::spin_loop();
    }
}

const STARTED: &str = "PPOOL_TEST_STARTED";

fn program_of(test: &str, scratch: &Scratch) -> Program {
    let mut command = program::command(test);
    command.env(STARTED, scratch.path("started"));
    Program::run(command)
}

fn flag(name: &str) -> common::Flag {
    let base = std::env::var(STARTED).expect("a path");
    common::Flag::at(format!("{base}-{name}"))
}

#[test]
fn idle_and_busy_workers_go_with_a_parent_that_is_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut program = program_of("program_with_idle_and_busy_workers", &scratch);
    let workers = program.numbers("workers");
    assert_eq!(workers.len(), 4);
    let family = family_of(program.pid());
    assert!(
        workers.iter().all(|pid| family.contains(pid)),
        "{workers:?} in {family:?}"
    );
    program.kill();
    gone_in_time(&family);
}

#[test]
fn stopped_workers_go_with_a_parent_that_is_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut program = program_of("program_with_idle_and_busy_workers", &scratch);
    let workers = program.numbers("workers");
    for pid in &workers {
        signal(*pid, Signal::SIGSTOP);
        until(|| state(*pid) == Some('T'));
    }
    program.kill();
    gone_in_time(&workers);
}

#[test]
fn workers_go_with_a_parent_that_aborts() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut program = program_of("program_with_idle_and_busy_workers", &scratch);
    let workers = program.numbers("workers");
    signal(program.pid(), Signal::SIGABRT);
    gone_in_time(&workers);
}

#[test]
fn a_worker_that_is_being_started_goes_with_its_parent() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    for _ in 0..10 {
        let mut program = program_of("program_that_starts_a_pool", &scratch);
        program.value("starting");
        // Whatever has been started by now, at whatever point it is.
        let family = family_of(program.pid());
        program.kill();
        gone_in_time(&family);
    }
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_idle_and_busy_workers() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = Pool::builder().workers(4).build().unwrap();
    let asleep = pool.submit(run_for_ever, flag("asleep"));
    let awake = pool.submit(compute_for_ever, flag("awake"));
    flag("asleep").wait();
    flag("awake").wait();
    until(|| pool.worker_pids().len() == 4);
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    let pids: Vec<String> = pool.worker_pids().iter().map(u32::to_string).collect();
    program.say("workers", pids.join(" "));
    let _ = (asleep.wait(), awake.wait());
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_starts_a_pool() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = Pool::builder().workers(2).build().unwrap();
    let futures: Vec<_> = (0..4).map(|n| pool.submit(square, n)).collect();
    program.say("starting", "now");
    program.wait();
    drop(futures);
}

/// Where orphans are given to another process than init, that one must not be taken for the
/// parent.
#[test]
fn workers_go_though_a_subreaper_takes_them_in() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut command = program::command("program_that_is_a_subreaper");
    command.env(STARTED, scratch.path("started"));
    Program::run(command).must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_is_a_subreaper() {
    let Some(_program) = program::inside() else {
        return;
    };
    let _watchdog = watchdog();
    prctl::set_child_subreaper(true).unwrap();
    let mut program = Program::start("program_with_idle_and_busy_workers");
    let workers = program.numbers("workers");
    program.kill();
    // They are our children now, and so leave what the kernel knows of their end.
    let start = Instant::now();
    for pid in workers {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap());
        until(|| {
            assert!(start.elapsed() < GONE_WITHIN, "{pid} is still there");
            waitpid(pid, Some(WaitPidFlag::WNOHANG)) != Ok(WaitStatus::StillAlive)
        });
    }
}

#[test]
fn a_pool_made_on_a_thread_that_has_ended_keeps_its_workers() {
    let _watchdog = watchdog();
    // The thread that makes the pool also makes the first call, and so starts the workers.
    let (pool, pids) = thread::spawn(|| {
        let pool = Pool::builder().workers(2).build().unwrap();
        pool.map(square, 0..10).unwrap();
        until(|| pool.worker_pids().len() == 2);
        let pids = pool.worker_pids();
        (pool, pids)
    })
    .join()
    .unwrap();
    for _ in 0..50 {
        let pid = pool.apply(worker_pid, ()).unwrap();
        assert!(pids.contains(&pid), "{pid} is none of {pids:?}");
    }
    assert_eq!(pool.worker_pids(), pids);
    // A worker that is started later, while another thread waits, likewise.
    signal(pids[0], Signal::SIGKILL);
    until(|| pool.worker_pids().len() == 2 && pool.worker_pids() != pids);
    let pids = pool.worker_pids();
    let pool = thread::spawn(move || {
        assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
        pool
    })
    .join()
    .unwrap();
    assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
    assert_eq!(pool.worker_pids(), pids);
}

/// An interrupt from the keyboard goes to the whole process group; what comes of it is for the
/// parent to decide.
#[test]
fn workers_do_not_mind_an_interrupt() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).build().unwrap();
    let pid = pool.apply(worker_pid, ()).unwrap();
    signal(pid, Signal::SIGINT);
    for _ in 0..10 {
        assert_eq!(pool.apply(worker_pid, ()).unwrap(), pid);
    }
}

/// A write to a reader that has gone is an error in a worker too, not its end.
#[test]
fn workers_do_not_mind_a_closed_pipe() {
    #[task]
    fn write_to_nobody() -> Option<i32> {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let _ = stdout().flush();
        writer.write_all(b"anybody?").err()?.raw_os_error()
    }

    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).build().unwrap();
    assert_eq!(pool.apply(write_to_nobody, ()).unwrap(), Some(32));
}
