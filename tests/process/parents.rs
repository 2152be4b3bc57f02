//! What becomes of processes when their parent ends, in whatever way.

use std::thread;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use ppool::{process::Process, task};

use crate::{
    common::{
        Flag, Scratch, Tally,
        processes::{family_of, is_alive, wait_until_gone},
        program::{self, Program},
        tasks::{count, run_for_ever},
        watchdog,
    },
    wait_for,
};

const PLACE: &str = "PPOOL_TEST_PLACE";

fn program_of(test: &str, scratch: &Scratch) -> Program {
    let mut command = program::command(test);
    command.env(PLACE, scratch.path("at"));
    Program::run(command)
}

fn place(name: &str) -> String {
    format!("{}-{name}", std::env::var(PLACE).expect("a path"))
}

#[task]
fn compute_for_ever(started: &Flag) {
    started.raise();
    loop {
        std::hint::spin_loop();
    }
}

/// Has a child of its own, and never ends.
#[task]
fn have_a_child(started: &Flag) {
    let child = Process::spawn(run_for_ever, started).expect("it can be started");
    child.join().expect("it is our child");
}

#[test]
fn all_processes_go_with_a_parent_that_is_killed() {
    let _watchdog = watchdog();
    for signal in [Signal::SIGKILL, Signal::SIGABRT, Signal::SIGTERM] {
        let scratch = Scratch::new();
        let mut program = program_of("parents::program_with_a_family", &scratch);
        program.value("ready");
        let family = family_of(program.pid());
        assert_eq!(family.len(), 6, "{family:?}");
        let pid = Pid::from_raw(i32::try_from(program.pid()).unwrap());
        kill(pid, signal).unwrap();
        wait_until_gone(&family[1..]);
    }
}

#[test]
fn stopped_processes_go_with_a_parent_that_is_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut program = program_of("parents::program_with_a_family", &scratch);
    program.value("ready");
    let family = family_of(program.pid());
    for pid in &family[1..] {
        let pid = Pid::from_raw(i32::try_from(*pid).unwrap());
        kill(pid, Signal::SIGSTOP).unwrap();
    }
    program.kill();
    wait_until_gone(&family);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_a_family() {
    let Some(program) = program::inside() else {
        return;
    };
    let flag = |name| Flag::at(place(name));
    // Started on a thread that ends: that is not their parent's end.
    let children = thread::spawn(move || {
        let daemon = Process::builder().daemon(true);
        vec![
            Process::spawn(run_for_ever, flag("parked")).unwrap(),
            Process::spawn(compute_for_ever, flag("busy")).unwrap(),
            Process::spawn(have_a_child, flag("grandchild")).unwrap(),
            daemon.spawn(run_for_ever, flag("daemon")).unwrap(),
        ]
    });
    let children = children.join().unwrap();
    for name in ["parked", "busy", "grandchild", "daemon"] {
        flag(name).wait();
    }
    assert!(children.iter().all(Process::is_alive));
    program.say("ready", "now");
    children[0].join().unwrap();
}

#[test]
fn a_process_goes_with_its_parent_at_every_moment_of_its_start() {
    let _watchdog = watchdog();
    for round in 0..20 {
        let scratch = Scratch::new();
        let mut program = program_of("parents::program_that_starts_processes", &scratch);
        program.value("starting");
        for _ in 0..round * 5000 {
            std::hint::spin_loop();
        }
        let family = family_of(program.pid());
        program.kill();
        wait_until_gone(&family);
    }
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_starts_processes() {
    let Some(program) = program::inside() else {
        return;
    };
    program.say("starting", "now");
    for n in 0.. {
        let started = Flag::at(place(&n.to_string()));
        let _ = Process::spawn(run_for_ever, started).unwrap();
        if n == 20 {
            program.wait();
        }
    }
}

/// The exit waits for processes and kills daemons, whoever still has their handles.
#[test]
fn at_the_exit_processes_are_waited_for_and_daemons_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut program = program_of("parents::program_that_exits", &scratch);
    let pids = program.numbers("children");
    program.let_go();
    // It is at its exit, and waits.
    scratch.flag("at-released").raise();
    program.must_succeed();
    assert!(!pids.iter().any(|pid| is_alive(*pid)), "{pids:?}");
    let done = scratch.tally("at-done");
    assert_eq!(done.notes(), ["1", "2"]);
}

#[task]
fn finish(started: &Flag, release: &Flag, done: &Tally) {
    started.raise();
    release.wait();
    done.note("1");
    // At this process's exit, in turn.
    Process::spawn(count, (done, 2)).expect("it can be started");
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_exits() {
    let Some(program) = program::inside() else {
        return;
    };
    let flag = |name| Flag::at(place(name));
    let done = Tally::at(place("done"));
    let child = Process::spawn(finish, (flag("started"), flag("released"), done)).unwrap();
    let daemon = Process::builder().daemon(true);
    let daemon = daemon.spawn(run_for_ever, flag("daemon")).unwrap();
    flag("started").wait();
    flag("daemon").wait();
    program.say("children", format!("{} {}", child.pid(), daemon.pid()));
    program.wait();
}

#[test]
fn a_process_outlives_the_thread_that_started_it() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (started, release) = (scratch.flag("started"), scratch.flag("release"));
    let child = thread::scope(|scope| {
        let spawned = scope.spawn(|| Process::spawn(wait_for, (&started, &release)).unwrap());
        spawned.join().unwrap()
    });
    started.wait();
    assert!(child.is_alive());
    release.raise();
    assert!(child.join().unwrap().success());
}
