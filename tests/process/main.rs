//! Tasks as processes of their own: what they are, how they end, and what their parent learns.
#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;
mod parents;
mod shortages;

use std::{thread, time::Duration};

use common::{
    Flag, Scratch, Tally,
    processes::{children_of, descriptors, is_alive},
    program::{self, Program},
    tasks::{count, run_for_ever},
    until, watchdog,
};
use ppool::{
    Callable, Pool, RemoteError,
    process::{self, Process},
    task,
};
use serde::{Deserialize, Serialize};

/// What a process says of itself.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Card {
    name: String,
    pid: u32,
    parent: Option<u32>,
    daemon: bool,
    directory: String,
    variable: Option<String>,
    thread: Option<String>,
}

const VARIABLE: &str = "PPOOL_TEST_OF_PROCESSES";

#[task]
pub(crate) fn introduce(cards: &Tally) {
    let this = process::current();
    let card = Card {
        name: this.name().to_owned(),
        pid: this.pid(),
        parent: this.parent_pid(),
        daemon: this.is_daemon(),
        directory: std::env::current_dir()
            .expect("it can be started")
            .display()
            .to_string(),
        variable: std::env::var(VARIABLE).ok(),
        thread: thread::current().name().map(str::to_owned),
    };
    cards.note(&format!("{card:?}"));
}

#[task]
pub(crate) fn leave(code: i32) {
    std::process::exit(code)
}

#[task]
fn fail(message: &str) -> Result<u64, RemoteError> {
    if message.is_empty() {
        return Ok(1);
    }
    Err(RemoteError::new(message))
}

#[task]
fn panic_with(message: &str) {
    panic!("{message}")
}

#[task]
fn abort() {
    std::process::abort()
}

#[task]
pub(crate) fn wait_for(started: &Flag, release: &Flag) {
    started.raise();
    release.wait();
}

#[test]
fn a_task_runs_as_a_process_of_its_own() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("pids");
    let child = Process::spawn(count, (&tally, 7)).unwrap();
    assert_ne!(child.pid(), std::process::id());
    let exit = child.join().unwrap();
    assert!(exit.success());
    assert_eq!((exit.pid(), exit.name()), (child.pid(), child.name()));
    assert_eq!(child.exit_code(), Some(0));
    assert_eq!(child.signal(), None);
    assert!(!child.is_alive());
    assert_eq!(tally.notes(), ["7"]);
    // As often as one likes.
    assert_eq!(child.join().unwrap(), exit);
    assert!(child.join_timeout(Duration::ZERO));
}

#[test]
fn a_process_knows_who_and_where_it_is() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let cards = scratch.tally("cards");
    let directory = scratch.path(".").canonicalize().unwrap();
    let child = Process::builder()
        .name("the clerk")
        .daemon(true)
        .env(VARIABLE, "set")
        .env("PPOOL_TEST_OTHER", "x")
        .env_remove("PPOOL_TEST_OTHER")
        .current_dir(&directory)
        .spawn(introduce, &cards)
        .unwrap();
    assert_eq!(child.name(), "the clerk");
    assert!(child.is_daemon());
    assert!(child.join().unwrap().success());
    let expected = Card {
        name: "the clerk".into(),
        pid: child.pid(),
        parent: Some(std::process::id()),
        daemon: true,
        directory: directory.display().to_string(),
        variable: Some("set".into()),
        thread: Some("the clerk".into()),
    };
    assert_eq!(cards.notes(), [format!("{expected:?}")]);
    assert_eq!(process::current().name(), "MainProcess");
    assert_eq!(process::current().parent_pid(), None);
}

#[test]
fn names_count_the_processes_and_tell_grandchildren_from_children() {
    #[task]
    fn have_children(names: &Tally) {
        for _ in 0..2 {
            let child = Process::spawn(note_name, names).unwrap();
            names.note(child.name());
            child.join().unwrap();
        }
    }

    #[task]
    fn note_name(names: &Tally) {
        names.note(process::current().name());
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let names = scratch.tally("names");
    let child = Process::spawn(have_children, &names).unwrap();
    let name = child.name().to_owned();
    assert!(name.starts_with("Process-"), "{name}");
    assert!(child.join().unwrap().success());
    let expected = ["1", "1", "2", "2"].map(|number| format!("{name}:{number}"));
    assert_eq!(names.notes(), expected);
}

#[test]
fn a_process_can_be_started_in_a_worker_of_a_pool() {
    #[task]
    fn start_in_a_worker(tally: &Tally) -> (String, Option<i32>) {
        let child = Process::spawn(count, (tally, 1)).unwrap();
        child.join().unwrap();
        (process::current().name().to_owned(), child.exit_code())
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("count");
    let pool = Pool::builder().workers(1).name("outer").build().unwrap();
    let (name, code) = pool.apply(start_in_a_worker, &tally).unwrap();
    assert_eq!((name.as_str(), code), ("outer-w0", Some(0)));
    assert_eq!(tally.count(), 1);
}

#[test]
fn the_exit_code_says_how_the_task_ended() {
    let _watchdog = watchdog();
    let code = |child: Result<Process, process::SpawnError>| {
        let exit = child.unwrap().join().unwrap();
        (exit.exit_code(), exit.signal_name())
    };
    assert_eq!(code(Process::spawn(leave, 7)), (Some(7), None));
    assert_eq!(code(Process::spawn(fail, "")), (Some(0), None));
    assert_eq!(code(Process::spawn(fail, "no disk")), (Some(1), None));
    assert_eq!(code(Process::spawn(panic_with, "oh")), (Some(101), None));
    assert_eq!(code(Process::spawn(abort, ())), (None, Some("SIGABRT")));
}

#[test]
fn a_failure_is_printed_as_that_of_a_main_function() {
    let _watchdog = watchdog();
    let mut command = program::command("program_whose_processes_fail");
    command.stderr(std::process::Stdio::piped());
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert!(printed.contains("Error: no disk: not found"), "{printed}");
    assert!(printed.contains("thread 'clumsy'"), "{printed}");
    assert!(printed.contains("it fell"), "{printed}");
    assert_eq!(printed.matches("it fell").count(), 1, "{printed}");
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_processes_fail() {
    #[task]
    fn fail_with_a_chain() -> Result<(), RemoteError> {
        Err(RemoteError::new("not found").context("no disk"))
    }

    let Some(_program) = program::inside() else {
        return;
    };
    Process::spawn(fail_with_a_chain, ())
        .unwrap()
        .join()
        .unwrap();
    let builder = Process::builder().name("clumsy");
    let clumsy = builder.spawn(panic_with, "it fell").unwrap();
    clumsy.join().unwrap();
}

#[test]
fn a_process_that_runs_can_be_waited_for_and_ended() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    for (name, end, signal) in [
        ("killed", Process::kill as fn(&Process) -> _, "SIGKILL"),
        ("terminated", Process::terminate, "SIGTERM"),
    ] {
        let started = scratch.flag(name);
        let child = Process::spawn(run_for_ever, &started).unwrap();
        started.wait();
        assert!(child.is_alive());
        assert_eq!((child.exit_code(), child.signal()), (None, None));
        assert!(!child.join_timeout(Duration::from_millis(20)));
        end(&child).unwrap();
        let exit = child.join().unwrap();
        assert_eq!(exit.signal_name(), Some(signal));
        assert_eq!((child.exit_code(), child.signal()), (None, exit.signal()));
        assert!(!is_alive(child.pid()));
        // One that has ended doesn't mind.
        end(&child).unwrap();
    }
}

#[test]
fn a_stopped_process_can_be_killed_and_joined() {
    let _watchdog = watchdog();
    // At whatever point of its start it is.
    for _ in 0..10 {
        let scratch = Scratch::new();
        let child = Process::spawn(run_for_ever, scratch.flag("started")).unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.pid()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
        child.kill().unwrap();
        assert_eq!(child.join().unwrap().signal_name(), Some("SIGKILL"));
    }
}

#[test]
fn many_threads_may_wait_for_one_process() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (started, release) = (scratch.flag("started"), scratch.flag("release"));
    let child = Process::spawn(wait_for, (&started, &release)).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(child.join().unwrap().success()));
            scope.spawn(|| assert!(child.join_timeout(Duration::from_secs(3600))));
        }
        started.wait();
        release.raise();
    });
}

#[test]
fn arguments_of_any_size_arrive() {
    #[task]
    fn sum(numbers: &[u64], text: &str, tally: &Tally) {
        tally.note(&format!("{} {}", numbers.iter().sum::<u64>(), text.len()));
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("sums");
    for size in [0, 1, 4_000, 5_000, 3_000_000_u64] {
        let numbers: Vec<u64> = (0..size).collect();
        let text = "x".repeat(usize::try_from(size).unwrap());
        let child = Process::spawn(sum, (&numbers, text.as_str(), &tally)).unwrap();
        assert!(child.join().unwrap().success());
        let expected = format!("{} {size}", numbers.iter().sum::<u64>());
        assert_eq!(*tally.notes().last().unwrap(), expected);
    }
}

#[test]
fn an_object_can_be_a_process() {
    #[derive(Serialize, Deserialize)]
    struct Greeter {
        whom: String,
        greetings: Tally,
    }

    #[task]
    impl Callable for Greeter {
        type Output = ();
        fn call(self) {
            self.greetings.note(&format!("hello, {}", self.whom));
        }
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let greetings = scratch.tally("greetings");
    let greeter = Greeter {
        whom: "Dan".into(),
        greetings: greetings.clone(),
    };
    let child = Process::spawn_object(greeter).unwrap();
    assert!(child.join().unwrap().success());
    assert_eq!(greetings.notes(), ["hello, Dan"]);
}

#[test]
fn what_cannot_be_started_is_said_before_anything_is() {
    #[derive(Serialize, Deserialize)]
    struct Fussy(#[serde(serialize_with = "refuse")] u64);

    fn refuse<S: serde::Serializer>(_: &u64, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it won't"))
    }

    #[task]
    fn take(first: u64, fussy: Fussy) {
        let _ = (first, fussy.0);
    }

    let _watchdog = watchdog();
    let error = Process::spawn(take, (1, Fussy(1))).unwrap_err();
    let encode = error.encode_error().unwrap();
    assert_eq!(encode.parameter(), Some("fussy"));
    assert!(error.to_string().contains("it won't"), "{error}");
    assert!(!error.is_shortage());
    let error = Process::builder().name("a\0b").spawn(leave, 0).unwrap_err();
    assert!(error.to_string().contains("name the process"), "{error}");
    let error = Process::builder()
        .env("a=b", "c")
        .spawn(leave, 0)
        .unwrap_err();
    assert!(format!("{error:?}").contains("a=b"), "{error:?}");
    let nowhere = Process::builder().current_dir("/no/such/place");
    let error = nowhere.spawn(leave, 0).unwrap_err();
    assert!(error.to_string().contains("/no/such/place"), "{error}");
}

/// In a program of its own, so that the other tests' processes are not among them.
#[test]
fn the_living_are_listed_and_the_ended_reaped() {
    let _watchdog = watchdog();
    Program::start("program_with_children").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_children() {
    let Some(_program) = program::inside() else {
        return;
    };
    let scratch = Scratch::new();
    assert!(process::active_children().is_empty());
    let release = scratch.flag("release");
    let children: Vec<Process> = (0..3)
        .map(|n| {
            let started = scratch.flag(&n.to_string());
            Process::spawn(wait_for, (started, &release)).unwrap()
        })
        .collect();
    let pids = |children: &[Process]| children.iter().map(Process::pid).collect::<Vec<_>>();
    assert_eq!(pids(&process::active_children()), pids(&children));
    release.raise();
    // Nobody joins them.
    drop(children);
    until(|| process::active_children().is_empty());
    assert!(children_of(std::process::id()).is_empty());
}

#[test]
fn hundreds_of_processes_leave_nothing_behind() {
    let _watchdog = watchdog();
    Program::start("program_of_many_processes").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_of_many_processes() {
    let Some(_program) = program::inside() else {
        return;
    };
    let pid = std::process::id();
    let batch = |codes: std::ops::Range<i32>| {
        let children: Vec<_> = codes
            .map(|code| (code % 100, Process::spawn(leave, code % 100).unwrap()))
            .collect();
        for (code, child) in &children {
            assert_eq!(child.join().unwrap().exit_code(), Some(*code));
        }
        children
    };
    drop(batch(0..1));
    let before = descriptors(pid).len();
    for begin in (0..500).step_by(50) {
        // The handles may live on: what has ended holds no descriptor.
        let ended = batch(begin..begin + 50);
        assert_eq!(descriptors(pid).len(), before);
        drop(ended);
    }
    assert!(children_of(pid).is_empty());
}

#[test]
fn what_a_process_prints_comes_out() {
    let _watchdog = watchdog();
    let printed = Program::start("program_whose_process_prints").must_succeed();
    assert!(printed.contains("no newline"), "{printed}");
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_process_prints() {
    #[task]
    fn print_without_a_newline(text: &str) {
        print!("{text}");
    }

    if program::inside().is_some() {
        let child = Process::spawn(print_without_a_newline, "no newline").unwrap();
        child.join().unwrap();
    }
}
