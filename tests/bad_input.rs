//! Settings that make no sense, workers that do not come up, and tasks that do what one should
//! not: a clear error, and nothing hangs or multiplies.
#![forbid(unsafe_code)]

mod common;

use std::{
    env,
    process::{Command, Stdio},
    time::Duration,
};

use common::{
    Scratch, Tally,
    processes::{children_of, wait_until_gone},
    program::{self, Program},
    tasks::{End, square, worker_pid},
    until, watchdog,
};
use nix::{sys::stat::Mode, unistd::mkfifo};
use ppool::{Pool, SubmitError, TaskError, TaskErrorKind, task};

#[test]
fn a_pool_of_no_workers_is_refused() {
    let _watchdog = watchdog();
    let error = Pool::builder().workers(0).build().unwrap_err();
    assert!(error.to_string().contains("worker"), "{error}");
}

#[test]
fn a_queue_without_places_is_refused_or_takes_calls_one_by_one() {
    let _watchdog = watchdog();
    match Pool::builder().workers(1).queue_capacity(0).build() {
        Err(error) => assert!(error.to_string().contains("queue"), "{error}"),
        Ok(pool) => assert_eq!(pool.map(square, 0..10).unwrap().len(), 10),
    }
}

// ------------------------------------------------------------------ workers that do not come up

fn broken(error: &TaskError) -> String {
    assert!(
        matches!(error.kind(), TaskErrorKind::PoolBroken(_)),
        "{error:?}"
    );
    assert!(!error.was_started(), "{error:?}");
    error.to_string()
}

/// The loader of the worker opens a pipe that nobody writes to, and waits there for ever: the
/// worker is alive and says nothing.
#[test]
fn a_worker_that_never_shakes_hands_is_given_up() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pipe = scratch.path("preload.so");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let pool = Pool::builder()
        .workers(2)
        .env("LD_PRELOAD", &pipe)
        .start_timeout(Duration::from_millis(300))
        .grace(Duration::from_millis(50))
        .build()
        .unwrap();
    let futures: Vec<_> = (0..5).map(|n| pool.submit(square, n)).collect();
    for future in futures {
        let text = broken(&future.wait().unwrap_err());
        assert!(
            text.contains("handshake") || text.contains("shake hands"),
            "{text}"
        );
    }
    let error = pool.try_submit(square, 7).unwrap_err();
    assert!(matches!(error, SubmitError::Broken(7, _)), "{error:?}");
    until(|| pool.worker_pids().is_empty());
}

#[task]
fn fail_to_begin(starts: &Tally, how: Option<End>) {
    starts.add();
    match how {
        Some(how) => how.come(),
        None => panic!("no database here"),
    }
}

#[test]
fn an_initializer_that_panics_breaks_the_pool_and_says_why() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let starts = scratch.tally("starts");
    let pool = Pool::builder()
        .workers(3)
        .initializer(fail_to_begin, (&starts, None))
        .build()
        .unwrap();
    let futures: Vec<_> = (0..20).map(|n| pool.submit(square, n)).collect();
    for future in futures {
        let text = broken(&future.wait().unwrap_err());
        assert!(
            text.contains("initializer") && text.contains("no database here"),
            "{text}"
        );
    }
    let text = broken(&pool.apply(square, 3).unwrap_err());
    assert!(text.contains("no database here"), "{text}");
    assert!(matches!(
        pool.try_submit(square, 7),
        Err(SubmitError::Broken(7, _))
    ));
    until(|| pool.worker_pids().is_empty());
    drop(pool);
    // One start for each place at most: nobody tried again.
    assert!(
        (1..=3).contains(&starts.count()),
        "{} starts",
        starts.count()
    );
}

#[test]
fn an_initializer_that_ends_its_worker_breaks_the_pool_too() {
    let _watchdog = watchdog();
    for how in [End::Exit(0), End::Exit(3), End::Abort] {
        let scratch = Scratch::new();
        let starts = scratch.tally("starts");
        let pool = Pool::builder()
            .workers(2)
            .initializer(fail_to_begin, (&starts, Some(how)))
            .build()
            .unwrap();
        let text = broken(&pool.apply(square, 3).unwrap_err());
        assert!(text.contains("worker"), "{how:?}: {text}");
        drop(pool);
        // A death may be tried again, with pauses; it must not become a storm.
        assert!(
            (1..=20).contains(&starts.count()),
            "{how:?}: {} starts",
            starts.count()
        );
    }
}

#[test]
fn a_pool_whose_directory_is_not_there_says_so() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let builder = Pool::builder()
        .workers(1)
        .current_dir(scratch.path("not-there"));
    let text = match builder.build() {
        Err(error) => format!("{error:?}"),
        Ok(pool) => broken(&pool.apply(square, 3).unwrap_err()),
    };
    assert!(
        text.contains("not-there") || text.contains("directory"),
        "{text}"
    );
}

// ------------------------------------------------------------------ tasks in strange places

#[task]
fn sum_of_squares(to: u64) -> Result<(u64, u32), ppool::RemoteError> {
    let pool = Pool::builder()
        .workers(2)
        .build()
        .map_err(ppool::RemoteError::new)?;
    let squares = pool.map(square, 0..to)?;
    Ok((squares.into_iter().sum(), pool.apply(worker_pid, ())?))
}

#[test]
fn a_task_may_have_a_pool_of_its_own() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(2).build().unwrap();
    let outer = pool.apply(worker_pid, ()).unwrap();
    for outcome in pool
        .map(sum_of_squares, [4, 5, 6])
        .unwrap()
        .into_iter()
        .zip([14, 30, 55])
    {
        let (result, expected) = outcome;
        let (sum, inner) = result.unwrap();
        assert_eq!(sum, expected);
        assert_ne!(inner, outer);
        wait_until_gone(&[inner]);
    }
}

#[task]
fn leave_a_pool_behind(pids: &Tally) -> u64 {
    let pool: &'static Pool = Box::leak(Box::new(Pool::new()));
    pids.note(&pool.apply(worker_pid, ()).expect("a call").to_string());
    3
}

#[test]
fn the_workers_of_a_leaked_inner_pool_go_with_the_outer_one() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pids = scratch.tally("pids");
    let pool = Pool::builder().workers(1).build().unwrap();
    assert_eq!(pool.apply(leave_a_pool_behind, &pids).unwrap(), 3);
    drop(pool);
    wait_until_gone(&[pids.notes()[0].parse().unwrap()]);
}

#[task]
fn list_the_tests() -> String {
    let output = Command::new(env::current_exe().expect("this binary has a path"))
        .arg("--list")
        .stdin(Stdio::null())
        .output()
        .expect("a program can be started");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_task_that_starts_this_binary_gets_an_ordinary_program() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).build().unwrap();
    let list = pool.apply(list_the_tests, ()).unwrap();
    assert!(
        list.contains("a_task_that_starts_this_binary_gets_an_ordinary_program"),
        "{list}"
    );
}

#[test]
fn a_program_with_the_hand_over_variables_of_others_is_an_ordinary_program() {
    #[task]
    fn environment() -> Vec<String> {
        env::vars()
            .map(|(name, _)| name)
            .filter(|name| name.starts_with("PPOOL"))
            .collect()
    }

    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).build().unwrap();
    // What tells a worker that it is one must not be left for its own children.
    let ours = |name: &String| {
        name.starts_with("PPOOL_TEST") || name == "PPOOL_LINK" || name == "PPOOL_START"
    };
    let names = pool.apply(environment, ()).unwrap();
    assert!(names.iter().all(ours), "{names:?}");
}

#[task]
fn exit_by_a_thread() -> u64 {
    std::thread::spawn(|| std::process::exit(4));
    loop {
        std::thread::park();
    }
}

#[test]
fn a_task_whose_thread_calls_exit_costs_its_call() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).build().unwrap();
    let error = pool.apply(exit_by_a_thread, ()).unwrap_err();
    let TaskErrorKind::WorkerLost(exit) = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(exit.exit_code(), Some(4));
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

/// A worker that is told to print what it would load does so and exits with 0, before any code of
/// ours has run. Each print is a start.
#[test]
fn workers_that_can_not_start_do_not_multiply() {
    let _watchdog = watchdog();
    let transcript = Program::start("program_whose_workers_can_not_start").must_succeed();
    let starts = transcript.matches("libc.so").count();
    assert!((1..=20).contains(&starts), "{starts} starts:\n{transcript}");
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_workers_can_not_start() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = Pool::builder()
        .workers(2)
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .start_timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    let error = pool.apply(square, 3).unwrap_err();
    program.say("error", broken(&error));
    drop(pool);
    assert!(children_of(std::process::id()).is_empty());
}
