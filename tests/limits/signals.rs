//! Pools of programs with signal settings of their own, or with somebody who waits for every child.

use std::{process::Command, thread, time::Duration};

use nix::{
    sys::{
        signal::{SigSet, Signal, kill},
        wait::waitpid,
    },
    unistd::Pid,
};
use ppool::{Pool, TaskErrorKind};

use crate::common::{
    Scratch,
    processes::is_alive,
    program::{self, Program},
    tasks::{End, end, run_for_ever, square},
    watchdog,
};

/// With the exit status taken by others, a lost worker is still known to be lost.
fn lose_workers_and_go_on() {
    let pool = Pool::builder().workers(2).build().expect("a plain pool");
    for _ in 0..5 {
        let error = pool.apply(end, End::Kill).expect_err("its worker ends");
        let TaskErrorKind::WorkerLost(exit) = error.kind() else {
            panic!("{error:?}")
        };
        assert!(
            matches!(exit.signal_name(), Some("SIGKILL") | None),
            "{error:?}"
        );
        assert_eq!(pool.map(square, 0..20).expect("good calls").len(), 20);
    }
    let pids = pool.worker_pids();
    drop(pool);
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
}

/// Signals are ignored by inheritance: a program can't set that up for itself without `unsafe`.
fn env_can_ignore() -> bool {
    let tried = Command::new("env")
        .args(["--ignore-signal=CHLD", "true"])
        .status();
    tried.is_ok_and(|status| status.success())
}

#[test]
fn a_pool_works_where_child_signals_are_ignored() {
    let _watchdog = watchdog();
    if !env_can_ignore() {
        println!("skipped: `env` here has no `--ignore-signal`");
        return;
    }
    let launcher = ["env", "--ignore-signal=CHLD"];
    let command = program::command_by(&launcher, "signals::program_that_ignores_child_signals");
    Program::run(command).must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_ignores_child_signals() {
    let Some(_program) = program::inside() else {
        return;
    };
    assert!(is_in(signal_mask("SigIgn"), Signal::SIGCHLD));
    lose_workers_and_go_on();
}

#[test]
fn a_pool_works_where_somebody_waits_for_every_child() {
    let _watchdog = watchdog();
    Program::start("signals::program_that_waits_for_every_child").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_waits_for_every_child() {
    let Some(_program) = program::inside() else {
        return;
    };
    thread::spawn(|| {
        loop {
            // `waitpid(-1)`: whoever is first gets the exit status.
            if waitpid(None, None).is_err() {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    lose_workers_and_go_on();
}

#[ppool::task]
fn signals(field: &str) -> u64 {
    signal_mask(field)
}

/// A set of signals of this thread or process, from `/proc`: bit 0 is signal 1.
fn signal_mask(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("this thread is there");
    let mask = status.lines().find_map(|line| line.strip_prefix(field));
    let mask = mask
        .and_then(|mask| mask.strip_prefix(':'))
        .expect("a set of signals");
    u64::from_str_radix(mask.trim(), 16).expect("hexadecimal digits")
}

fn is_in(mask: u64, signal: Signal) -> bool {
    mask >> (signal as u32 - 1) & 1 == 1
}

#[test]
fn workers_hear_signals_that_the_parent_blocks_or_ignores() {
    let _watchdog = watchdog();
    if !env_can_ignore() {
        println!("skipped: `env` here has no `--ignore-signal`");
        return;
    }
    let launcher = ["env", "--ignore-signal=TERM,USR1"];
    Program::run(program::command_by(
        &launcher,
        "signals::program_that_hears_nothing",
    ))
    .must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_hears_nothing() {
    let Some(_program) = program::inside() else {
        return;
    };
    assert!(is_in(signal_mask("SigIgn"), Signal::SIGTERM));
    SigSet::all().thread_block().unwrap();
    assert!(is_in(signal_mask("SigBlk"), Signal::SIGTERM));
    let pool = Pool::builder().workers(1).build().unwrap();
    let (blocked, ignored) = (
        pool.apply(signals, "SigBlk").unwrap(),
        pool.apply(signals, "SigIgn").unwrap(),
    );
    // Real-time signals 32 and 33 belong to the C library.
    assert_eq!(blocked & 0x7fff_ffff, 0, "{blocked:x}");
    for signal in [Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGCHLD] {
        assert!(!is_in(ignored, signal), "{signal} is ignored: {ignored:x}");
    }
    let started = Scratch::new();
    let for_ever = pool.submit(run_for_ever, started.flag("started"));
    started.flag("started").wait();
    let pid = Pid::from_raw(i32::try_from(pool.worker_pids()[0]).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(for_ever.wait().unwrap_err().is_worker_lost());
}
