//! What forked workers share, and that they are workers like all others.

use std::{fs, sync::OnceLock, time::Duration};

use nix::sys::signal::Signal;
use ppool::{Pool, StartMethod, TaskErrorKind, TaskFuture, task};

use super::{forking, forking_pool_of, signal, template_of};
use crate::common::{
    Flag, Scratch,
    processes::{children_of, descriptors, is_alive, status, threads},
    program::{self, Program},
    tasks::{End, end, panic_with, run_for_ever, square, worker_pid},
    until, watchdog,
};

const MIB: usize = 1 << 20;

static BLOCK: OnceLock<Vec<u8>> = OnceLock::new();

#[task]
fn fill_a_block(len: usize) {
    BLOCK.set(vec![3; len]).expect("it was empty");
}

/// The sum of the block, and how much memory this process has for itself alone, in KiB.
#[task]
fn read_the_block() -> (u64, u64) {
    let block = BLOCK.get().expect("the preload has filled it");
    let sum = block.iter().map(|&byte| u64::from(byte)).sum();
    (sum, private_memory())
}

fn private_memory() -> u64 {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("the kernel has it");
    let private = rollup.lines().filter(|line| line.starts_with("Private_"));
    let numbers = private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    numbers.sum()
}

#[test]
fn workers_read_the_memory_of_the_preload_without_a_copy() {
    let _watchdog = watchdog();
    let len = 64 * MIB;
    let pool = forking()
        .workers(2)
        .preload(fill_a_block, len)
        .build()
        .unwrap();
    for (sum, private) in pool.map(read_the_block, [(); 6]).unwrap() {
        assert_eq!(sum, 3 * len as u64);
        assert!(private < 32 << 10, "{private} KiB of its own");
    }
}

/// How the loss of a worker is told.
fn told_of(end_of_it: End, method: StartMethod) -> (Option<i32>, Option<&'static str>, bool, bool) {
    let pool = Pool::builder()
        .start_method(method)
        .workers(1)
        .build()
        .expect("a plain pool");
    let pid = pool.apply(worker_pid, ()).expect("a good call");
    let error = pool.apply(end, end_of_it).expect_err("it ends its worker");
    let TaskErrorKind::WorkerLost(exit) = error.kind() else {
        panic!("{error:?} is no lost worker");
    };
    assert_eq!(pool.apply(square, 4).expect("a good call"), 16);
    (
        exit.exit_code(),
        exit.signal_name(),
        exit.pid() == pid,
        error.was_started(),
    )
}

#[test]
fn their_ends_are_told_as_those_of_workers_that_are_executed() {
    let _watchdog = watchdog();
    for how in [
        End::Exit(0),
        End::Exit(3),
        End::Abort,
        End::Segfault,
        End::Kill,
    ] {
        let told = told_of(how, StartMethod::Template);
        assert_eq!(told, told_of(how, StartMethod::Exec));
        assert_eq!((told.0, told.1), (how.exit().ok(), how.exit().err()));
        assert!(told.2 && told.3, "{told:?}");
    }
}

#[test]
fn their_calls_can_time_out_panic_and_be_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = forking()
        .workers(1)
        .grace(Duration::from_millis(10))
        .task_timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let error = pool.apply(run_for_ever, scratch.flag("first")).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");

    let pool = forking_pool_of(1);
    let error = pool.apply(panic_with, "on purpose").unwrap_err();
    assert!(
        matches!(error.kind(), TaskErrorKind::Panicked(_)),
        "{error:?}"
    );
    let started: Flag = scratch.flag("second");
    let call: TaskFuture<()> = pool.submit(run_for_ever, &started);
    started.wait();
    assert!(call.kill());
    assert!(matches!(
        call.wait().unwrap_err().kind(),
        TaskErrorKind::Cancelled
    ));
    assert_eq!(pool.apply(square, 5).unwrap(), 25);
}

/// The sum of the squares of 0..n, by a pool of its own.
#[task]
fn sum_by_a_pool(n: u64, forks: bool) -> (u64, Vec<u32>) {
    let method = match forks {
        true => StartMethod::Template,
        false => StartMethod::Exec,
    };
    let pool = Pool::builder().start_method(method).workers(2).build();
    let pool = pool.expect("a plain pool");
    let squares = pool.map(square, 0..n).expect("good calls");
    (squares.iter().sum(), children_of(std::process::id()))
}

#[test]
fn they_may_have_pools_of_their_own() {
    let _watchdog = watchdog();
    for outer in [StartMethod::Template, StartMethod::Exec] {
        let pool = Pool::builder()
            .start_method(outer)
            .workers(2)
            .build()
            .unwrap();
        let calls = [(10, true), (10, false), (20, true), (20, false)];
        for (calls, (sum, children)) in calls.iter().zip(pool.map(sum_by_a_pool, calls).unwrap()) {
            assert_eq!(sum, (0..calls.0).map(|n| n * n).sum::<u64>());
            until(|| !children.iter().any(|pid| is_alive(*pid)));
        }
    }
}

#[test]
fn a_pool_forks_again_after_it_was_ended_and_started() {
    let _watchdog = watchdog();
    let pool = forking().workers(1).name("again").build().unwrap();
    assert_eq!(pool.apply(square, 2).unwrap(), 4);
    let first = template_of("again").expect("it lives");
    let _ = pool.finalize(Duration::from_secs(20));
    assert!(!is_alive(first));
    pool.start_processing();
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    assert!(template_of("again").is_some_and(|second| second != first));
}

#[test]
fn a_thousand_forks_leave_nothing_behind() {
    let _watchdog = watchdog();
    Program::start("shares::program_of_a_thousand_forks").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_of_a_thousand_forks() {
    let Some(_program) = program::inside() else {
        return;
    };
    let pool = forking()
        .workers(2)
        .max_tasks_per_worker(1)
        .name("fork")
        .build()
        .unwrap();
    // What is made once and kept.
    pool.map(square, 0..100).unwrap();
    let me = std::process::id();
    let template = template_of("fork").expect("it lives");
    let at_rest = |pid: u32| (descriptors(pid).len(), threads(pid).len());
    // The pool itself, when all of its workers have just started and none has anything to do.
    let settled = || {
        until(|| {
            let pids = pool.worker_pids();
            pids.len() == 2 && children_of(me).len() == 3 && pool.stats().workers.len() == 2
        });
        at_rest(me)
    };
    let (before, its) = (settled(), at_rest(template));
    let memory = (status(me, "VmRSS"), status(template, "VmRSS"));

    for _ in 0..10 {
        assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    }

    until(|| settled() == before);
    assert_eq!(template_of("fork"), Some(template));
    assert_eq!(at_rest(template), its);
    let grown = status(me, "VmRSS").saturating_sub(memory.0);
    assert!(grown < 1000, "{grown} KiB more after 1,000 forks");
    let grown = status(template, "VmRSS").saturating_sub(memory.1);
    assert!(grown < 200, "{grown} KiB more in the template");
    drop(pool);
    assert_eq!(children_of(me), []);
}

#[test]
fn they_mind_neither_an_interrupt_nor_their_siblings_deaths() {
    let _watchdog = watchdog();
    let pool = forking().workers(2).name("calm").build().unwrap();
    pool.map(square, 0..10).unwrap();
    until(|| pool.worker_pids().len() == 2);
    let template = template_of("calm").expect("it lives");
    let pids = pool.worker_pids();
    for pid in pids.iter().chain([&template]) {
        signal(*pid, Signal::SIGINT);
    }
    signal(pids[0], Signal::SIGKILL);
    until(|| pool.worker_pids().len() == 2 && !pool.worker_pids().contains(&pids[0]));
    assert!(pool.worker_pids().contains(&pids[1]));
    assert_eq!(template_of("calm"), Some(template));
}
