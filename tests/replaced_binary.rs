//! The binary on disk is deleted or replaced while the program runs: its workers are still its own.
#![forbid(unsafe_code)]

mod common;

use std::{env, fs, os::unix::fs::PermissionsExt, path::PathBuf};

use common::{
    Scratch,
    program::{self, Program},
    tasks::{End, end, square},
    watchdog,
};
use ppool::Pool;

/// What takes the binary's place, when something does.
const IMPOSTER: &str = "PPOOL_TEST_IMPOSTER";
/// Where the imposter leaves word that it was run.
const WORD: &str = "PPOOL_TEST_WORD";

fn run_under_a_name_of_its_own(imposter: Option<PathBuf>, scratch: &Scratch) {
    let copy = scratch.path("the-program");
    let binary = env::current_exe().expect("this binary has a path");
    // A second name of the same file where that can be: it need not be written, so nobody can
    // find it busy.
    fs::hard_link(&binary, &copy)
        .or_else(|_| fs::copy(&binary, &copy).map(drop))
        .expect("a second name for this binary");
    let mut command = program::command_of(&[], &copy, "program_whose_binary_goes");
    if let Some(imposter) = imposter {
        command.env(IMPOSTER, imposter);
    }
    command.env(WORD, scratch.path("word"));
    Program::run(command).must_succeed();
}

#[test]
fn workers_start_though_the_binary_is_deleted() {
    let _watchdog = watchdog();
    run_under_a_name_of_its_own(None, &Scratch::new());
}

#[test]
fn workers_start_though_the_binary_is_replaced() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let imposter = scratch.path("imposter");
    fs::write(&imposter, format!("#!/bin/sh\n: > \"${WORD}\"\n")).unwrap();
    fs::set_permissions(&imposter, fs::Permissions::from_mode(0o755)).unwrap();
    run_under_a_name_of_its_own(Some(imposter), &scratch);
    assert!(
        !scratch.flag("word").is_up(),
        "what replaced the binary was run"
    );
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_binary_goes() {
    let Some(_program) = program::inside() else {
        return;
    };
    let early = Pool::builder().workers(1).build().unwrap();
    assert_eq!(early.apply(square, 3).unwrap(), 9);

    let path = env::current_exe().unwrap();
    match env::var_os(IMPOSTER) {
        Some(imposter) => fs::rename(imposter, &path).unwrap(),
        None => fs::remove_file(&path).unwrap(),
    }

    // A pool that is made now, one that lives, and one that replaces a worker.
    let late = Pool::builder().workers(2).build().unwrap();
    assert_eq!(late.map(square, 0..50).unwrap().len(), 50);
    for pool in [&early, &late] {
        assert!(pool.apply(end, End::Kill).unwrap_err().is_worker_lost());
        assert_eq!(pool.apply(square, 4).unwrap(), 16);
    }
}
