//! Locks, events, conditions, semaphores and barriers between processes, and what becomes of them when
//! a process that has part in them is killed.
#![forbid(unsafe_code)]

mod barriers;
#[path = "../common/mod.rs"]
mod common;
mod locks;
mod pipes;
mod queues;
mod semaphores;
mod soak;
mod travel;
mod waits;

use std::fs;

use common::{
    Flag,
    processes::{state, threads},
    tasks::End,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Ways in which a holder can end.
const ENDS: [End; 4] = [End::Exit(0), End::Abort, End::Segfault, End::Kill];

fn kill_now(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid is small"));
    kill(pid, Signal::SIGKILL).expect("the worker is ours");
}

/// The process that has written its id there.
fn pid_in(said: &Flag) -> u32 {
    let mut pid = None;
    common::until(|| {
        pid = fs::read_to_string(said.path())
            .ok()
            .and_then(|text| text.parse().ok());
        pid.is_some()
    });
    pid.expect("it was just read")
}

/// Writes this process's id there.
fn say_pid(said: &Flag) {
    let new = said.path().with_extension("new");
    fs::write(&new, std::process::id().to_string()).expect("the test's directory can be written");
    fs::rename(new, said.path()).expect("the test's directory can be written");
}

/// Whether all threads of a process sleep, one of them because it waits for something shared: for that
/// it has started to watch the others.
fn waits(pid: u32) -> bool {
    let tasks = threads(pid);
    let name = |task: &u32| fs::read_to_string(format!("/proc/{pid}/task/{task}/comm"));
    tasks.iter().all(|task| state(*task) == Some('S'))
        && tasks
            .iter()
            .any(|task| name(task).is_ok_and(|name| name.trim() == "ppool-watch"))
}
