//! Workers die in every way; each death costs the call that the worker was running, and no more.
#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;
mod retries;
mod time_limits;

use std::{
    collections::HashMap,
    os::unix::process::CommandExt,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use common::{
    Raise, Scratch, Tally, pool_of,
    processes::{descriptors, is_alive, state, wait_until_gone},
    tasks::{End, end, run_for_ever, square, worker_pid},
    until, watchdog,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, close},
};
use ppool::{Pool, TaskErrorKind, WorkerExit, task};

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid is small"));
    kill(pid, signal).expect("the worker is ours");
}

fn lost(error: &ppool::TaskError) -> &WorkerExit {
    match error.kind() {
        TaskErrorKind::WorkerLost(exit) => exit,
        _ => panic!("{error:?} is no lost worker"),
    }
}

/// Waits until as many workers live as the pool is to have, none of `dead` among them.
fn wait_for_full_size(pool: &Pool, size: usize, dead: &[u32]) {
    until(|| {
        let pids = pool.worker_pids();
        pids.len() == size && pids.iter().all(|pid| is_alive(*pid) && !dead.contains(pid))
    });
}

/// Says who runs it, then ends its worker when it is told to.
#[task]
fn square_or_die(n: u64, dies: bool, pids: &Tally) -> u64 {
    if dies {
        pids.note(&format!("{n} {}", std::process::id()));
        End::Kill.come();
    }
    n * n
}

#[test]
fn five_killed_workers_fail_exactly_their_five_calls() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pids = scratch.tally("pids");
    let pool = pool_of(4);
    let deadly = [7, 23, 24, 60, 99];
    let futures: Vec<_> = (0..100)
        .map(|n| pool.submit(square_or_die, (n, deadly.contains(&n), &pids)))
        .collect();
    let mut errors = HashMap::new();
    for (n, future) in (0..100).zip(futures) {
        match future.wait() {
            Ok(value) => assert_eq!(value, n * n),
            Err(error) => drop(errors.insert(n, error)),
        }
    }

    let noted = pids.notes();
    assert_eq!((noted.len(), errors.len()), (5, 5), "{noted:?}, {errors:?}");
    let mut dead = Vec::new();
    for note in noted {
        let (n, pid) = note.split_once(' ').unwrap();
        let (n, pid): (u64, u32) = (n.parse().unwrap(), pid.parse().unwrap());
        let error = errors
            .get(&n)
            .unwrap_or_else(|| panic!("call {n} did not fail"));
        let exit = lost(error);
        assert_eq!(
            (exit.signal_name(), exit.signal()),
            (Some("SIGKILL"), Some(9)),
            "{error:?}"
        );
        assert_eq!((exit.pid(), exit.exit_code()), (pid, None));
        assert!(exit.task().unwrap().contains("square_or_die") && error.was_started());
        let text = error.to_string();
        let named = ["SIGKILL", "square_or_die", &pid.to_string()];
        assert!(named.iter().all(|name| text.contains(name)), "{text}");
        dead.push(pid);
    }
    wait_for_full_size(&pool, 4, &dead);
    assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
}

#[test]
fn each_way_to_die_is_told_apart() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for how in [
        End::Exit(0),
        End::Exit(3),
        End::Abort,
        End::Segfault,
        End::Kill,
    ] {
        let error = pool.apply(end, how).unwrap_err();
        let exit = lost(&error);
        let told = exit.exit_code().ok_or_else(|| exit.signal_name().unwrap());
        assert_eq!(told, how.exit(), "{error:?}");
        assert_eq!(pool.apply(square, 4).unwrap(), 16, "after {how:?}");
    }
}

/// Says how long its argument is and how it ends, or ends its worker.
#[task]
fn look_or_segfault(bytes: &[u8], crash: bool) -> (usize, Option<u8>) {
    if crash {
        End::Segfault.come();
    }
    (bytes.len(), bytes.last().copied())
}

#[test]
fn large_arguments_survive_the_crash_of_the_first() {
    let _watchdog = watchdog();
    const LEN: usize = 64 << 20;
    let pool = pool_of(2);
    let bytes = vec![1u8; LEN];
    let futures: Vec<_> = (0..10)
        .map(|n| pool.submit(look_or_segfault, (&bytes[..], n == 0)))
        .collect();
    for (n, future) in futures.into_iter().enumerate() {
        match (n, future.wait()) {
            (0, outcome) => {
                let error = outcome.unwrap_err();
                assert_eq!(lost(&error).signal_name(), Some("SIGSEGV"), "{error:?}");
            }
            (_, outcome) => assert_eq!(outcome.unwrap(), (LEN, Some(1))),
        }
    }
    pool.shutdown(ppool::Shutdown::Drain);
}

#[test]
fn a_worker_killed_in_the_middle_of_an_argument_costs_no_call() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let pid = pool.apply(worker_pid, ()).unwrap();
    signal(pid, Signal::SIGSTOP);
    until(|| state(pid) == Some('T'));
    // A socket takes a fraction of this, so the call can't have begun anywhere.
    let large = pool.submit(look_or_segfault, (vec![1u8; 32 << 20], false));
    let small = pool.submit(square, 5);
    signal(pid, Signal::SIGKILL);
    assert_eq!(large.wait().unwrap(), (32 << 20, Some(1)));
    assert_eq!(small.wait().unwrap(), 25);
}

#[test]
fn a_worker_killed_while_idle_is_replaced_and_costs_no_call() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    for _ in 0..5 {
        let pid = pool.apply(worker_pid, ()).unwrap();
        signal(pid, Signal::SIGKILL);
        wait_until_gone(&[pid]);
        // At once, before anybody can have told the pool.
        assert_eq!(pool.map(square, 0..20).unwrap().len(), 20);
        wait_for_full_size(&pool, 2, &[pid]);
    }
}

#[test]
fn a_busy_worker_killed_from_outside_fails_its_call() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let started = scratch.flag("started");
    let future = pool.submit(run_for_ever, &started);
    started.wait();
    for pid in pool.worker_pids() {
        signal(pid, Signal::SIGTERM);
    }
    let error = future.wait().unwrap_err();
    assert_eq!(lost(&error).signal_name(), Some("SIGTERM"), "{error:?}");
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
}

#[test]
fn workers_killed_at_random_lose_no_call_but_what_they_ran() {
    let _watchdog = watchdog();
    let pool = pool_of(3);
    let over = AtomicBool::new(false);
    let kills = AtomicUsize::new(0);
    thread::scope(|scope| {
        let _at_the_end = Raise(&over);
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                // One that works, and so has come up: the start of workers is not the subject.
                if let Ok(pid) = pool.apply(worker_pid, ()) {
                    signal(pid, Signal::SIGKILL);
                    kills.fetch_add(1, Ordering::SeqCst);
                    wait_until_gone(&[pid]);
                }
            }
        });
        let argument = vec![1u8; 1 << 20];
        let futures: Vec<_> = (0..300)
            .map(|_| pool.submit(look_or_segfault, (&argument[..], false)))
            .collect();
        let mut failed = 0;
        for future in futures {
            match future.wait() {
                Ok(seen) => assert_eq!(seen, (1 << 20, Some(1))),
                Err(error) => {
                    assert_eq!(lost(&error).signal_name(), Some("SIGKILL"), "{error:?}");
                    failed += 1;
                }
            }
        }
        let kills = kills.load(Ordering::SeqCst);
        assert!(
            failed <= kills + 1,
            "{failed} calls failed of {kills} kills"
        );
    });
    assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
}

#[task]
fn overflow_the_stack(n: u64) -> u64 {
    fn dig(n: u64) -> u64 {
        let hole = std::hint::black_box([n; 1024]);
        if n == u64::MAX {
            0
        } else {
            dig(n + 1) + hole[1]
        }
    }
    dig(n)
}

/// Panics while it panics, which no process survives.
#[task]
fn panic_twice() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the second");
        }
    }
    let _bomb = Bomb;
    panic!("the first");
}

#[task]
fn ask_for_all_memory() -> usize {
    std::hint::black_box(vec![1u8; isize::MAX.unsigned_abs()]).len()
}

#[test]
fn what_no_thread_survives_costs_one_call() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let overflown = pool.apply(overflow_the_stack, 0).unwrap_err();
    assert!(
        matches!(lost(&overflown).signal_name(), Some("SIGSEGV" | "SIGABRT")),
        "{overflown:?}"
    );
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
    let starved = pool.apply(ask_for_all_memory, ()).unwrap_err();
    assert_eq!(lost(&starved).signal_name(), Some("SIGABRT"), "{starved:?}");
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
}

/// The worker tells of the panic before it is gone. In a program with `panic = "abort"` every panic
/// is like this.
#[test]
fn a_panic_that_can_not_unwind_costs_one_call() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for n in 0..20 {
        let panicked = pool.submit(panic_twice, ());
        // One call waits behind it, and one comes as soon as it is told.
        let behind = pool.submit(square, n);
        let error = panicked.wait().unwrap_err();
        assert!(error.is_panic(), "{error:?}");
        assert_eq!(pool.apply(square, n + 1).unwrap(), (n + 1) * (n + 1));
        assert_eq!(behind.wait().unwrap(), n * n);
    }
}

/// Starts a process that lives on, and ends.
#[task]
#[expect(clippy::zombie_processes, reason = "it is to outlive its parent")]
fn leave_a_child_behind(child: &Tally) {
    let sleeper = Command::new("sleep")
        .arg("1000")
        .spawn()
        .expect("`sleep` can be started");
    child.note(&sleeper.id().to_string());
    End::Exit(6).come();
}

#[test]
fn a_grandchild_that_lives_on_does_not_hide_its_parents_death() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let child = scratch.tally("child");
    let pool = pool_of(1);
    let error = pool.apply(leave_a_child_behind, &child).unwrap_err();
    assert_eq!(lost(&error).exit_code(), Some(6), "{error:?}");
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
    signal(child.notes()[0].parse().unwrap(), Signal::SIGKILL);
}

/// Closes every descriptor that is none of its business.
#[task]
fn close_everything() -> u64 {
    for number in descriptors(std::process::id()) {
        if number > 2 {
            let _ = close(i32::try_from(number).expect("a descriptor is small"));
        }
    }
    7
}

#[test]
fn a_task_that_closes_the_link_costs_no_more_than_its_call() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let pid = pool.apply(worker_pid, ()).unwrap();
    // Shared memory needs no descriptor, so there the result may still come.
    match pool.apply(close_everything, ()) {
        Ok(answer) => assert_eq!(answer, 7),
        Err(error) => assert_eq!(lost(&error).pid(), pid, "{error:?}"),
    }
    for n in 0..100 {
        assert_eq!(pool.submit(square, n).wait().unwrap(), n * n);
    }
}

/// Gives a large result, and kills its worker a moment after that was begun.
#[task]
fn answer_and_die(microseconds: u64) -> Vec<u8> {
    thread::spawn(move || {
        thread::sleep(Duration::from_micros(microseconds));
        End::Kill.come();
    });
    vec![9; 4 << 20]
}

#[test]
fn a_worker_that_dies_while_it_answers_leaves_no_half_result() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for round in 0..40 {
        match pool.apply(answer_and_die, round * 150) {
            Ok(bytes) => assert!(bytes.len() == 4 << 20 && bytes.iter().all(|byte| *byte == 9)),
            Err(error) => assert_eq!(lost(&error).signal_name(), Some("SIGKILL"), "{error:?}"),
        }
    }
    until(|| pool.apply(square, 4).ok() == Some(16));
}

/// Becomes a program that does not mind SIGTERM: the link is closed, the process lives on.
#[task]
fn become_another_program(pid: &Tally) {
    pid.note(&std::process::id().to_string());
    let script = "trap '' TERM; while :; do sleep 1; done";
    let error = Command::new("/bin/sh").args(["-c", script]).exec();
    panic!("{error}");
}

#[test]
fn a_worker_that_becomes_another_program_is_lost_and_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("pid");
    let pool = Pool::builder()
        .workers(1)
        .grace(Duration::from_millis(50))
        .build()
        .unwrap();
    let error = pool.apply(become_another_program, &tally).unwrap_err();
    let pid = tally.notes()[0].parse().unwrap();
    assert_eq!(lost(&error).pid(), pid, "{error:?}");
    wait_until_gone(&[pid]);
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
}
