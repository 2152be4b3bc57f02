//! Calls that are told to stop before their worker is ended, and what dies with a worker.
#![forbid(unsafe_code)]

mod common;

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use common::{
    Flag, Scratch, Tally, pool_of,
    processes::{is_alive, wait_until_gone},
    program::{self, Program},
    tasks::{End, run_for_ever, square, worker_pid},
    until, watchdog,
};
use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::Pid;
use ppool::{Pool, TaskErrorKind, task, worker};

const LIMIT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(600);

/// Works until it is told to stop; says so, and gives something nobody wants.
#[task]
fn work_until_told(started: &Flag, stopped: &Tally) -> u32 {
    started.raise();
    while !worker::stop_requested() {
        thread::sleep(Duration::from_millis(1));
    }
    stopped.note("told");
    std::process::id()
}

/// The same, but for an argument that says how long.
#[task]
fn work_for_at_most(milliseconds: u64) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(milliseconds) {
        if worker::stop_requested() {
            return false;
        }
    }
    true
}

#[task]
fn is_told() -> bool {
    worker::stop_requested()
}

#[test]
fn a_call_that_listens_is_told_and_its_worker_lives_on() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    // A grace that no test would wait for.
    let pool = Pool::builder().workers(1).grace(LONG).build().unwrap();
    let pid = pool.apply(worker_pid, ()).unwrap();
    let stopped = scratch.tally("stopped");

    let error = pool
        .task(work_until_told)
        .timeout(LIMIT)
        .apply((&scratch.flag("first"), &stopped))
        .unwrap_err();
    assert!(
        matches!(error.kind(), TaskErrorKind::TimedOut(limit) if *limit == LIMIT),
        "{error:?}"
    );
    assert!(error.was_started());

    let started = scratch.flag("second");
    let call = pool.submit(work_until_told, (&started, &stopped));
    started.wait();
    assert!(call.kill());
    let error = call.wait().unwrap_err();
    assert!(error.is_cancelled() && error.was_started(), "{error:?}");

    assert_eq!(stopped.count(), 2);
    assert!(
        !pool.apply(is_told, ()).unwrap(),
        "it was about another call"
    );
    assert_eq!(pool.apply(worker_pid, ()).unwrap(), pid);
    assert_eq!(pool.stats().workers_started, 1);
}

#[test]
fn a_call_that_never_asks_is_ended_at_once() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder().workers(1).grace(LONG).build().unwrap();
    let pid = pool.apply(worker_pid, ()).unwrap();
    let started = scratch.flag("started");
    let call = pool.submit(run_for_ever, &started);
    started.wait();
    assert!(call.kill());
    assert!(call.wait().unwrap_err().is_cancelled());
    wait_until_gone(&[pid]);
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn a_call_that_asks_and_does_not_listen_is_ended_after_the_grace() {
    let _watchdog = watchdog();
    #[task]
    fn ask_and_go_on(started: &Flag) {
        assert!(!worker::stop_requested());
        started.raise();
        loop {
            thread::park();
        }
    }

    let scratch = Scratch::new();
    let pool = Pool::builder()
        .workers(1)
        .grace(Duration::from_millis(100))
        .build()
        .unwrap();
    let pid = pool.apply(worker_pid, ()).unwrap();
    let started = scratch.flag("started");
    let call = pool.submit(ask_and_go_on, &started);
    started.wait();
    assert!(call.kill());
    assert!(call.wait().unwrap_err().is_cancelled());
    wait_until_gone(&[pid]);
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn a_call_that_hears_nothing_is_ended_all_the_same() {
    let _watchdog = watchdog();
    #[task]
    fn stop_the_process() {
        assert!(!worker::stop_requested());
        raise(Signal::SIGSTOP).expect("a process may stop itself");
    }

    let pool = Pool::builder()
        .workers(1)
        .grace(Duration::from_millis(50))
        .task_timeout(LIMIT)
        .build()
        .unwrap();
    let pid = pool.apply(worker_pid, ()).unwrap();
    assert!(pool.apply(stop_the_process, ()).unwrap_err().is_timeout());
    wait_until_gone(&[pid]);
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn each_long_call_of_a_map_is_told_for_itself() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(2).grace(LONG).build().unwrap();
    let limits = [1, 600_000, 2, 3, 600_000, 1];
    for chunk_size in [1, 6] {
        let results: Vec<_> = pool
            .task(work_for_at_most)
            .timeout(Duration::from_millis(300))
            .chunk_size(chunk_size)
            .imap(limits)
            .collect();
        for (limit, result) in limits.iter().zip(results) {
            match result {
                Ok(ended) => assert!(ended && *limit < 100),
                Err(error) => assert!(error.is_timeout() && *limit > 100, "{error:?}"),
            }
        }
    }
    assert!(pool.apply(work_for_at_most, 1).unwrap());
}

#[test]
fn outside_a_worker_nobody_is_told() {
    let _watchdog = watchdog();
    assert!(!worker::stop_requested());
    let pool = Pool::builder().in_process().build().unwrap();
    assert!(!pool.apply(is_told, ()).unwrap());
}

#[test]
fn stopping_many_calls_at_any_moment_hits_no_other() {
    let _watchdog = watchdog();
    #[task]
    fn work_a_little(n: u64) -> u64 {
        let until = Instant::now() + Duration::from_micros(n % 7 * 100);
        while Instant::now() < until {
            if worker::stop_requested() {
                return u64::MAX;
            }
        }
        n
    }

    let pool = pool_of(2);
    let calls: Vec<_> = (0..600)
        .map(|n| (n, pool.submit(work_a_little, n)))
        .collect();
    for (n, call) in &calls {
        if n % 3 == 0 {
            call.kill();
        }
    }
    for (n, call) in calls {
        match call.wait() {
            Ok(value) => assert_eq!(value, n),
            Err(error) => assert!(error.is_cancelled() && n % 3 == 0, "{n}: {error:?}"),
        }
    }
}

// ------------------------------------------------------------------ descendants

/// Starts a program, which starts another, and tells their numbers.
#[task]
fn start_family(out: &str, how: Option<End>) {
    // The outer one ends at once.
    let script = "sh -c 'sleep 1000 & echo $$ $! > $OUT.new; mv $OUT.new $OUT; wait' &";
    let status = Command::new("sh")
        .args(["-c", script])
        .env("OUT", out)
        .status();
    assert!(status.expect("there is a shell").success());
    until(|| std::path::Path::new(out).exists());
    if let Some(how) = how {
        how.come();
    }
}

fn family(path: &std::path::Path) -> Vec<u32> {
    let text = std::fs::read_to_string(path).expect("it was written");
    let pids: Vec<u32> = text
        .split_whitespace()
        .map(|pid| pid.parse().expect("a pid"))
        .collect();
    assert_eq!(pids.len(), 2);
    pids
}

#[test]
fn what_a_worker_has_started_dies_with_it_where_the_pool_says_so() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let ends = [Some(End::Kill), Some(End::Exit(3)), None];
    for (index, how) in ends.into_iter().enumerate() {
        let pool = Pool::builder()
            .workers(1)
            .kill_descendants(true)
            .build()
            .unwrap();
        let out = scratch.path(&format!("family-{index}"));
        let done = pool.apply(start_family, (out.to_str().unwrap(), how));
        assert_eq!(done.is_err(), how.is_some());
        if how.is_none() {
            assert!(family(&out).iter().all(|pid| is_alive(*pid)));
            pool.join();
        }
        wait_until_gone(&family(&out));
    }
}

#[test]
fn without_that_what_a_worker_has_started_lives_on() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let out = scratch.path("family");
    let pool = pool_of(1);
    pool.apply(start_family, (out.to_str().unwrap(), Some(End::Kill)))
        .unwrap_err();
    pool.join();
    for pid in family(&out) {
        assert!(is_alive(pid));
        kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
    }
}

#[test]
fn what_a_worker_has_started_dies_with_a_program_that_is_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let out = scratch.path("family");
    let mut command = program::command("program_with_a_family");
    command.env("OUT", &out);
    let mut program = Program::run(command);
    let workers = program.numbers("workers");
    program.kill();
    wait_until_gone(&workers);
    wait_until_gone(&family(&out));
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_a_family() {
    let Some(program) = program::inside() else {
        return;
    };
    let out = std::env::var("OUT").unwrap();
    let pool = Pool::builder()
        .workers(1)
        .kill_descendants(true)
        .build()
        .unwrap();
    pool.apply(start_family, (&*out, None)).unwrap();
    program.say("workers", pool.worker_pids()[0]);
    program.wait();
}
