//! The template dies, its parent dies, and both at any moment.

use std::{
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use ppool::task;

use super::{forking, signal, template_of};
use crate::common::{
    Flag, Raise, Scratch, Tally,
    processes::{children_of, family_of, is_alive, state},
    program::{self, Program},
    tasks::{End, Hold, hold, run_for_ever, square, worker_pid},
    until, watchdog,
};

#[task]
fn leave_a_note(runs: &Tally) {
    runs.add();
}

#[test]
fn workers_outlive_a_template_that_is_killed_and_the_next_one_runs_the_preload_again() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let runs = scratch.tally("runs");
    let pool = forking()
        .workers(2)
        .name("alone")
        .preload(leave_a_note, &runs)
        .build()
        .unwrap();
    let held = Hold::new(&scratch, "held");
    let call = pool.submit(hold, &held);
    held.started.wait();
    until(|| pool.worker_pids().len() == 2);
    let pids = pool.worker_pids();
    let template = template_of("alone").expect("it lives");
    signal(template, Signal::SIGKILL);
    // It is reaped though nobody wants a worker.
    until(|| state(template).is_none());
    held.release.raise();
    assert!(pids.contains(&call.wait().unwrap()));
    assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
    assert_eq!(pool.worker_pids(), pids);
    assert_eq!((runs.count(), template_of("alone")), (1, None));

    signal(pids[0], Signal::SIGKILL);
    until(|| pool.worker_pids().len() == 2 && !pool.worker_pids().contains(&pids[0]));
    assert_eq!(runs.count(), 2);
    assert!(template_of("alone").is_some_and(is_alive));
}

#[test]
fn a_template_that_is_killed_again_and_again_costs_no_call() {
    let _watchdog = watchdog();
    let over = std::sync::atomic::AtomicBool::new(false);
    let pool = forking()
        .workers(3)
        .max_tasks_per_worker(1)
        .name("doomed")
        .build()
        .unwrap();
    thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut killed = 0;
            while !over.load(std::sync::atomic::Ordering::SeqCst) {
                // At whatever it is doing: starting, forking, telling of it, resting.
                if let Some(template) = template_of("doomed") {
                    let pid = nix::unistd::Pid::from_raw(i32::try_from(template).unwrap());
                    killed += u32::from(nix::sys::signal::kill(pid, Signal::SIGKILL).is_ok());
                }
                thread::sleep(Duration::from_millis(5));
            }
            killed
        });
        {
            let _over = Raise(&over);
            // A worker has the template's name for a moment, and may be killed in its place: it has
            // no call then.
            for n in 0..100 {
                assert_eq!(pool.apply(square, n).unwrap(), n * n);
            }
        }
        assert!(killer.join().unwrap() > 0);
    });
    assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
    drop(pool);
    assert_eq!(zombies(), []);
}

/// Children of this process that nobody has reaped.
fn zombies() -> Vec<u32> {
    let children = children_of(std::process::id());
    let mut ended: Vec<_> = children
        .into_iter()
        .filter(|pid| state(*pid) == Some('Z'))
        .collect();
    // Other tests of this binary reap theirs in a moment.
    let start = Instant::now();
    while !ended.is_empty() && start.elapsed() < Duration::from_secs(5) {
        ended.retain(|pid| state(*pid) == Some('Z'));
        thread::yield_now();
    }
    ended
}

#[test]
fn a_template_that_hangs_is_replaced() {
    let _watchdog = watchdog();
    let pool = forking()
        .workers(1)
        .max_tasks_per_worker(1)
        .start_timeout(Duration::from_secs(2))
        .name("hangs")
        .build()
        .unwrap();
    assert_eq!(pool.apply(square, 2).unwrap(), 4);
    until(|| pool.worker_pids().len() == 1);
    let template = template_of("hangs").expect("it lives");
    signal(template, Signal::SIGSTOP);
    until(|| state(template) == Some('T'));
    // One worker is there still; the one that comes after it needs a template.
    assert_eq!(pool.map(square, 0..4).unwrap(), [0, 1, 4, 9]);
    assert!(!is_alive(template));
}

#[task]
fn be_killed(runs: &Tally) {
    runs.add();
    End::Kill.come();
}

/// It may be the kernel, for want of memory: so the pool tries again, but not for ever, and not all
/// the time.
#[test]
fn a_preload_that_is_killed_every_time_fails_the_calls_and_makes_no_storm() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let runs = scratch.tally("runs");
    let pool = forking()
        .workers(4)
        .preload(be_killed, &runs)
        .build()
        .unwrap();
    let error = pool.apply(square, 2).unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("SIGKILL"), "{text}");
    assert!(runs.count() <= 20, "{} runs", runs.count());
}

const STARTED: &str = "PPOOL_TEST_STARTED";

fn program_of(test: &str, scratch: &Scratch) -> Program {
    let mut command = program::command(&format!("deaths::{test}"));
    command.env(STARTED, scratch.path("started"));
    Program::run(command)
}

fn flag(name: &str) -> Flag {
    let base = std::env::var(STARTED).expect("a path");
    Flag::at(format!("{base}-{name}"))
}

/// The promise is a second; a busy machine may be late.
fn gone_in_time(pids: &[u32]) {
    let start = Instant::now();
    until(|| {
        let left: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
        let in_time = start.elapsed() < Duration::from_secs(10);
        assert!(
            left.is_empty() || in_time,
            "{left:?} of {pids:?} are still there"
        );
        left.is_empty()
    });
}

#[test]
fn workers_and_template_go_with_a_parent_that_is_killed() {
    let _watchdog = watchdog();
    for stopped in [false, true] {
        let scratch = Scratch::new();
        let mut program = program_of("program_with_forked_workers", &scratch);
        let workers = program.numbers("workers");
        let family = family_of(program.pid());
        assert!(
            workers.iter().all(|pid| family.contains(pid)),
            "{workers:?} in {family:?}"
        );
        // Itself, four workers and the template.
        assert_eq!(family.len(), 6, "{family:?}");
        if stopped {
            for pid in family.iter().filter(|pid| **pid != program.pid()) {
                signal(*pid, Signal::SIGSTOP);
            }
        }
        program.kill();
        gone_in_time(&family);
    }
}

#[test]
fn workers_and_template_go_with_a_parent_that_aborts() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut program = program_of("program_with_forked_workers", &scratch);
    let _ = program.numbers("workers");
    let family = family_of(program.pid());
    signal(program.pid(), Signal::SIGABRT);
    gone_in_time(&family);
}

#[task]
fn preload_for_ever(started: &Flag) {
    started.raise();
    loop {
        std::hint::spin_loop();
    }
}

#[test]
fn a_template_in_its_preload_goes_with_its_parent() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut program = program_of("program_whose_preload_never_ends", &scratch);
    program.value("preloading");
    let family = family_of(program.pid());
    assert_eq!(family.len(), 2, "{family:?}");
    program.kill();
    gone_in_time(&family);
}

#[test]
fn what_is_being_forked_goes_with_the_parent() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    for _ in 0..10 {
        let mut program = program_of("program_that_forks_all_the_time", &scratch);
        program.value("forking");
        let family = family_of(program.pid());
        let group = family_of(program.pid());
        program.kill();
        gone_in_time(&family);
        gone_in_time(&group);
    }
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_forked_workers() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = forking().workers(4).build().unwrap();
    let asleep = pool.submit(run_for_ever, flag("asleep"));
    flag("asleep").wait();
    until(|| pool.worker_pids().len() == 4);
    let pids: Vec<String> = pool.worker_pids().iter().map(u32::to_string).collect();
    program.say("workers", pids.join(" "));
    let _ = asleep.wait();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_preload_never_ends() {
    let Some(program) = program::inside() else {
        return;
    };
    let preloading = flag("preloading");
    let builder = forking().workers(2).preload(preload_for_ever, &preloading);
    let pool = builder.build().unwrap();
    let call = pool.submit(square, 2);
    preloading.wait();
    program.say("preloading", "now");
    let _ = call.wait();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_forks_all_the_time() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = forking()
        .workers(2)
        .max_tasks_per_worker(1)
        .build()
        .unwrap();
    pool.map(square, 0..10).unwrap();
    program.say("forking", "now");
    loop {
        pool.map(square, 0..10).unwrap();
    }
}

/// The kernel's protection of orphans is bound to the thread that started the template.
#[test]
fn forked_workers_outlive_the_thread_that_made_the_pool() {
    let _watchdog = watchdog();
    let (pool, pids) = thread::spawn(|| {
        let pool = forking().workers(2).name("thread").build().unwrap();
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
    assert!(template_of("thread").is_some());
}
