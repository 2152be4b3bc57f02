//! The end of a pool within a time, what it says of it, and its start after an end.
#![forbid(unsafe_code)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use common::{
    Flag, Scratch, Tally, busy_pool, pool_of,
    processes::{is_alive, state},
    program::{self, Program},
    tasks::{self, End, count, hold, run_for_ever, square, worker_pid},
    until, watchdog,
};
use nix::sys::signal::{Signal, raise};
use ppool::{Callbacks, Finalized, Pool, SubmitError, TaskError, TaskErrorKind, task};

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(50);

fn quick_pool(workers: usize) -> Pool {
    let pool = Pool::builder().workers(workers).grace(SHORT);
    pool.build().expect("a plain pool")
}

/// Stops its process, so that SIGTERM has no effect on it.
#[task]
fn hear_nothing(started: &Flag) {
    started.raise();
    raise(Signal::SIGSTOP).expect("a process may signal itself");
}

#[test]
fn an_unused_pool_is_finalized_at_once() {
    let _watchdog = watchdog();
    let end = pool_of(2).finalize(Duration::ZERO);
    assert!(end.is_clean(), "{end:?}");
    assert_eq!((end.left, end.terminated, end.killed), (0, 0, 0));
}

#[test]
fn what_is_queued_is_finished_and_the_workers_leave() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(10);
    let pids = busy.pool.worker_pids();
    busy.held.release.raise();
    let end = busy.pool.finalize(LONG);
    assert!(end.is_clean() && end.ended, "{end:?}");
    assert_eq!((end.left, end.terminated, end.killed), (1, 0, 0));
    assert!(waiting.iter().all(ppool::TaskFuture::is_done));
    assert_eq!(busy.ran.count(), 10);
    assert!(!pids.into_iter().any(is_alive));
    let refused = busy.pool.try_submit(square, 3).unwrap_err();
    assert!(matches!(refused, SubmitError::Closed(3)));
    // A second time there is nothing left to do.
    let again = busy.pool.finalize(LONG);
    assert!(again.is_clean() && again.left == 0, "{again:?}");
}

#[test]
fn what_is_not_done_in_time_is_given_up_and_named() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = quick_pool(1);
    let started = scratch.flag("started");
    let running = pool.submit(run_for_ever, &started);
    started.wait();
    let waiting = pool.submit(square, 3);
    let end = pool.finalize(SHORT);
    assert!(end.ended && !end.is_clean(), "{end:?}");
    assert_eq!((end.left, end.terminated, end.killed), (0, 1, 0));
    let lost: Vec<_> = end
        .lost
        .iter()
        .map(|call| (call.id, call.was_started))
        .collect();
    assert_eq!(lost.len(), 2, "{end:?}");
    assert!(lost.contains(&(running.id(), true)), "{end:?}");
    assert!(lost.contains(&(waiting.id(), false)), "{end:?}");
    assert!(end.lost.iter().any(|call| call.task.ends_with("::square")));
    assert!(running.wait().unwrap_err().is_cancelled());
    assert!(waiting.wait().unwrap_err().is_cancelled());
}

#[test]
fn a_worker_that_sigterm_does_not_end_is_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = quick_pool(2);
    let (deaf, hearing) = (scratch.flag("deaf"), scratch.flag("hearing"));
    let calls = [
        pool.submit(hear_nothing, &deaf),
        pool.submit(run_for_ever, &hearing),
    ];
    deaf.wait();
    hearing.wait();
    let pids = pool.worker_pids();
    until(|| pids.iter().any(|pid| state(*pid) == Some('T')));
    let end = pool.finalize(SHORT);
    assert_eq!((end.left, end.terminated, end.killed), (0, 1, 1), "{end:?}");
    assert_eq!(end.lost.len(), 2);
    assert!(!pids.into_iter().any(is_alive));
    for call in calls {
        assert!(call.wait().unwrap_err().is_cancelled());
    }
}

#[test]
fn a_call_that_fails_by_itself_is_not_lost() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let lost = busy.pool.submit(tasks::end, End::Exit(3));
    let cancelled = busy.pool.submit(square, 3);
    assert!(cancelled.cancel());
    busy.held.release.raise();
    let finalized = busy.pool.finalize(LONG);
    assert!(finalized.lost.is_empty(), "{finalized:?}");
    assert!(lost.wait().unwrap_err().is_worker_lost());
}

/// Takes longer than workers have to leave when nobody says otherwise would be slow to test; so it
/// takes a while, and leaves a trace.
#[task]
fn say_goodbye(tally: &Tally) {
    thread::sleep(Duration::from_millis(20));
    tally.add();
}

#[test]
fn finalizers_run() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let goodbyes = scratch.tally("goodbyes");
    let pool = Pool::builder().workers(2).finalizer(say_goodbye, &goodbyes);
    let pool = pool.build().unwrap();
    pool.map(square, 0..10).unwrap();
    let end = pool.finalize(LONG);
    assert!(end.is_clean(), "{end:?}");
    assert_eq!(goodbyes.count(), end.left);
}

#[test]
fn callbacks_run_before_finalize_returns() {
    let _watchdog = watchdog();
    for mode in [Callbacks::Background, Callbacks::Polled] {
        let done = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&done);
        let pool = Pool::builder().workers(1).callbacks(mode);
        let pool = pool.callback(move |_| {
            thread::sleep(Duration::from_millis(1));
            seen.fetch_add(1, Ordering::SeqCst);
        });
        let pool = pool.build().unwrap();
        for n in 0..10 {
            drop(pool.submit(square, n));
        }
        assert!(pool.finalize(LONG).is_clean());
        assert_eq!(done.load(Ordering::SeqCst), 10, "{mode:?}");
    }
}

#[test]
fn a_callback_that_never_ends_does_not_hold_finalize_up() {
    let _watchdog = watchdog();
    let pool = Box::leak(Box::new(quick_pool(1)));
    let (entered, is_inside) = channel();
    let (release, released) = channel::<()>();
    let released = std::sync::Mutex::new(released);
    let future = pool
        .task(square)
        .callback(move |_| {
            entered.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
        })
        .submit(3);
    is_inside.recv().unwrap();
    let end = pool.finalize(SHORT);
    assert!(!end.ended && end.lost.is_empty(), "{end:?}");
    assert_eq!(future.wait().unwrap(), 9);
    assert_eq!(pool.worker_pids(), []);
    drop(release);
    assert!(pool.finalize(LONG).ended);
}

#[test]
fn a_callback_may_finalize_its_own_pool() {
    let _watchdog = watchdog();
    let pool = Arc::new(pool_of(1));
    let (sender, ends) = channel();
    let inside = Arc::clone(&pool);
    let future = pool
        .task(square)
        .callback(move |_| sender.send(inside.finalize(LONG)).unwrap())
        .submit(3);
    let end: Finalized = ends.recv().unwrap();
    assert!(end.is_clean() && end.left == 1, "{end:?}");
    assert_eq!(future.wait().unwrap(), 9);
    pool.join();
}

#[test]
fn stop_processing_is_finalize() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    let end = pool.stop_processing(LONG);
    assert!(end.is_clean() && end.left == 1, "{end:?}");
}

// ---------------------------------------------------------------------- starting again

#[test]
fn a_stopped_pool_starts_again() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let mut pids = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..4 {
        let future = pool.submit(worker_pid, ());
        ids.push(future.id());
        pids.push(future.wait().unwrap());
        assert!(pool.stop_processing(LONG).is_clean());
        assert!(pool.try_submit(square, 3).is_err());
        assert!(pool.start_processing());
        // Workers come with the first call.
        assert_eq!(pool.worker_pids(), []);
    }
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    let mut distinct = ids.clone();
    distinct.dedup();
    assert_eq!(distinct, ids, "ids go on");
    assert!(!pids.into_iter().any(is_alive));
}

#[test]
fn a_pool_that_is_open_stays_as_it_is() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let pid = pool.apply(worker_pid, ()).unwrap();
    assert!(pool.start_processing());
    assert_eq!(pool.apply(worker_pid, ()).unwrap(), pid);
}

#[test]
fn a_terminated_pool_starts_again() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = quick_pool(1);
    let started = scratch.flag("started");
    let running = pool.submit(run_for_ever, &started);
    started.wait();
    pool.terminate();
    assert!(running.wait().unwrap_err().is_cancelled());
    assert!(pool.start_processing());
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn a_pool_that_is_closing_ends_before_it_starts_again() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(5);
    busy.pool.close();
    thread::scope(|scope| {
        let starting = scope.spawn(|| busy.pool.start_processing());
        busy.held.release.raise();
        assert!(starting.join().unwrap());
    });
    assert!(waiting.iter().all(ppool::TaskFuture::is_done));
    assert_eq!(busy.pool.apply(square, 3).unwrap(), 9);
}

/// Fails until the flag is up.
#[task]
fn needs(flag: &Flag) -> Result<(), String> {
    match flag.is_up() {
        true => Ok(()),
        false => Err("not there yet".to_owned()),
    }
}

#[test]
fn a_broken_pool_gets_another_chance() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let there = scratch.flag("there");
    let pool = Pool::builder().workers(1).initializer(needs, &there);
    let pool = pool.build().unwrap();
    let error: TaskError = pool.apply(square, 3).unwrap_err();
    assert!(
        matches!(error.kind(), TaskErrorKind::PoolBroken(_)),
        "{error}"
    );
    pool.stop_processing(LONG);
    there.raise();
    assert!(pool.start_processing());
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn callbacks_go_on_after_a_start() {
    let _watchdog = watchdog();
    for mode in [Callbacks::Background, Callbacks::Polled] {
        let done = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&done);
        let pool = Pool::builder().workers(1).callbacks(mode);
        let pool = pool.callback(move |_| {
            seen.fetch_add(1, Ordering::SeqCst);
        });
        let pool = pool.build().unwrap();
        for round in 1..=3 {
            drop(pool.submit(square, 1));
            assert!(pool.process_all_results(LONG));
            assert_eq!(done.load(Ordering::SeqCst), 2 * round - 1, "{mode:?}");
            drop(pool.submit(square, 2));
            assert!(pool.stop_processing(LONG).is_clean());
            assert_eq!(done.load(Ordering::SeqCst), 2 * round, "{mode:?}");
            assert!(pool.start_processing());
        }
    }
}

#[test]
fn threads_that_join_and_start_at_once_all_come_back() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for _ in 0..20 {
        assert_eq!(pool.apply(square, 3).unwrap(), 9);
        thread::scope(|scope| {
            let ending: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| pool.stop_processing(LONG).ended))
                .collect();
            assert!(ending.into_iter().all(|end| end.join().unwrap()));
            let starting: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| pool.start_processing()))
                .collect();
            assert!(starting.into_iter().all(|start| start.join().unwrap()));
        });
    }
}

/// A thread may find the pool started again by another before it has seen the end that it waits
/// for; then it must not wait for the next one.
#[test]
fn threads_that_end_and_start_a_pool_in_any_order_all_come_back() {
    let _watchdog = watchdog();
    let in_process = Pool::builder().in_process().build().unwrap();
    for (pool, rounds) in [(pool_of(1), 40), (in_process, 1000)] {
        thread::scope(|scope| {
            for thread in 0..4 {
                let pool = &pool;
                scope.spawn(move || {
                    for round in 0..rounds {
                        pool.start_processing();
                        match pool.apply(square, 3) {
                            Ok(nine) => assert_eq!(nine, 9),
                            Err(error) => assert!(
                                matches!(
                                    error.kind(),
                                    TaskErrorKind::Cancelled | TaskErrorKind::PoolClosed
                                ),
                                "{error:?}"
                            ),
                        }
                        match (thread + round) % 4 {
                            0 => assert!(pool.finalize(LONG).ended),
                            1 => pool.join(),
                            2 => pool.terminate(),
                            _ => {}
                        }
                    }
                });
            }
        });
        assert!(pool.start_processing());
        assert_eq!(pool.apply(square, 4).unwrap(), 16);
    }
}

#[test]
fn a_pool_that_was_started_again_is_drained_at_the_end_of_the_program() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut command = program::command("program_that_starts_its_pool_again");
    command.env("PPOOL_TEST_TALLY", scratch.path("ran"));
    Program::run(command).must_succeed();
    assert_eq!(scratch.tally("ran").count(), 20);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_starts_its_pool_again() {
    let Some(_program) = program::inside() else {
        return;
    };
    let tally = Tally::at(std::env::var_os("PPOOL_TEST_TALLY").expect("a tally"));
    let pool: &Pool = Box::leak(Box::new(pool_of(1)));
    for _ in 0..2 {
        pool.start_processing();
        for n in 0..10 {
            drop(pool.submit(count, (&tally, n)));
        }
        pool.finalize(LONG);
    }
    pool.start_processing();
    drop(pool.submit(square, 3));
}

#[test]
fn a_worker_that_hangs_at_its_end_is_made_to_go() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let started = scratch.flag("started");
    let pool = Pool::builder().workers(1).grace(SHORT);
    let pool = pool.finalizer(run_for_ever, &started).build().unwrap();
    let pid = pool.apply(worker_pid, ()).unwrap();
    let end = pool.finalize(Duration::from_millis(200));
    assert!(end.ended && end.lost.is_empty(), "{end:?}");
    assert_eq!((end.left, end.terminated, end.killed), (0, 1, 0), "{end:?}");
    until(|| !is_alive(pid));
}

#[test]
fn a_running_call_may_end_while_its_pool_is_finalized() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    thread::scope(|scope| {
        let ending = scope.spawn(|| busy.pool.finalize(LONG));
        until(|| busy.pool.try_submit(hold, &busy.held).is_err());
        busy.held.release.raise();
        assert!(ending.join().unwrap().is_clean());
    });
    assert!(busy.running.wait().is_ok());
}
