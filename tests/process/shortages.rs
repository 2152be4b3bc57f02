//! Processes where the system gives little, or somebody else looks after children.

use std::{
    env,
    fs::File,
    io::{self, Read, stdin},
    process::Command,
    thread,
    time::Duration,
};

use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        wait::waitpid,
    },
    unistd::close,
};
use ppool::process::Process;

use crate::{
    common::{
        Scratch,
        program::{self, Program},
        tasks::run_for_ever,
        watchdog,
    },
    leave,
};

/// Processes end in all ways, and their parent learns of each end; of how, unless others took that.
fn end_in_all_ways() {
    let scratch = Scratch::new();
    for code in 0..5 {
        let child = Process::spawn(leave, code).expect("there is enough");
        let exit = child.join().expect("it is our child");
        assert!(exit.exit_code().is_none_or(|seen| seen == code), "{exit}");
        let started = scratch.flag(&code.to_string());
        let child = Process::spawn(run_for_ever, &started).expect("there is enough");
        started.wait();
        child.kill().expect("it is our child");
        let exit = child.join().expect("it is our child");
        assert!(
            matches!(exit.signal_name(), Some("SIGKILL") | None),
            "{exit}"
        );
    }
}

#[test]
fn processes_work_where_child_signals_are_ignored() {
    let _watchdog = watchdog();
    let tried = Command::new("env")
        .args(["--ignore-signal=CHLD", "true"])
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        println!("skipped: `env` here has no `--ignore-signal`");
        return;
    }
    let launcher = ["env", "--ignore-signal=CHLD"];
    let test = "shortages::program_with_processes";
    Program::run(program::command_by(&launcher, test)).must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_processes() {
    if program::inside().is_some() {
        // A process that ends before it is watched can't be told from one that never was.
        let scratch = Scratch::new();
        for n in 0..5 {
            let started = scratch.flag(&n.to_string());
            let child = Process::spawn(run_for_ever, &started).unwrap();
            started.wait();
            child.kill().unwrap();
            child.join().unwrap();
        }
    }
}

#[test]
fn processes_work_where_somebody_waits_for_every_child() {
    let _watchdog = watchdog();
    Program::start("shortages::program_that_waits_for_every_child").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_waits_for_every_child() {
    if program::inside().is_none() {
        return;
    }
    thread::spawn(|| {
        loop {
            // `waitpid(-1)`: whoever is first gets the exit status.
            if waitpid(None, None).is_err() {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    end_in_all_ways();
}

#[test]
fn processes_work_without_standard_streams() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut command = program::command("shortages::program_without_standard_streams");
    command.env("PPOOL_TEST_DONE", scratch.path("done"));
    let (status, output) = Program::run(command).end();
    assert!(status.success(), "{output}");
    assert!(scratch.flag("done").is_up());
}

#[test]
#[ignore = "a program that another test starts"]
fn program_without_standard_streams() {
    if program::inside().is_none() {
        return;
    }
    for number in 0..3 {
        close(number).unwrap();
    }
    end_in_all_ways();
    File::create(env::var_os("PPOOL_TEST_DONE").unwrap()).unwrap();
    // The harness wants to print.
    std::process::exit(0);
}

#[test]
fn processes_work_beside_ten_thousand_descriptors() {
    let _watchdog = watchdog();
    Program::start("shortages::program_with_ten_thousand_descriptors").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_ten_thousand_descriptors() {
    if program::inside().is_none() {
        return;
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let many = 10_000.min(usize::try_from(hard).unwrap_or(10_000).saturating_sub(100));
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let held: Vec<File> = (0..many)
        .map(|_| File::open("/dev/null").unwrap())
        .collect();
    end_in_all_ways();
    drop(held);
}

/// With any number of descriptors left it works, or says that they have run out.
#[test]
fn without_descriptors_the_error_says_so_and_nothing_is_left() {
    let _watchdog = watchdog();
    Program::start("shortages::program_without_descriptors").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_without_descriptors() {
    if program::inside().is_none() {
        return;
    }
    let mut worked = 0;
    let mut refused = 0;
    for left in 0..16 {
        let held = fill(left);
        let spawned = Process::spawn(leave, 3);
        match spawned {
            Ok(child) => {
                assert_eq!(child.join().unwrap().exit_code(), Some(3));
                worked += 1;
            }
            Err(error) => {
                assert!(error.is_shortage(), "{error:?}");
                let _ = io::Error::from(error);
                refused += 1;
            }
        }
        drop(held);
        assert!(crate::common::processes::children_of(std::process::id()).is_empty());
    }
    assert!(worked > 0 && refused > 0, "{worked} {refused}");
    let _ = stdin().read(&mut []);
}

/// Opens files until only so many more can be.
fn fill(left: u64) -> Vec<File> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is a limit");
    setrlimit(Resource::RLIMIT_NOFILE, 200, hard).expect("a lower one may be set");
    let mut held: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    for _ in 0..left {
        held.pop();
    }
    held
}
