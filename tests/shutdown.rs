//! The end of a pool: by its methods, by a drop, and with the process.
#![forbid(unsafe_code)]

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, mpsc::channel},
    thread,
    time::Duration,
};

use common::{
    Scratch, Tally,
    processes::{is_alive, wait_until_gone},
    program::{self, Program},
    tasks::{End, Hold, count, end, hold, run_for_ever, square, worker_pid},
    until, watchdog,
};
use ppool::{Pool, Shutdown, SubmitError, TaskErrorKind, TaskFuture, task};

fn pool_of(workers: usize) -> Pool {
    Pool::builder()
        .workers(workers)
        .build()
        .expect("a plain pool")
}

/// A pool of one worker that runs one call until it is let go, and calls that wait behind it.
struct Busy {
    pool: Pool,
    held: Hold,
    running: TaskFuture<u32>,
    waiting: Vec<TaskFuture<u64>>,
    ran: Tally,
    scratch: Scratch,
}

fn busy_pool() -> Busy {
    let scratch = Scratch::new();
    let ran = scratch.tally("ran");
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "first");
    let running = pool.submit(hold, &held);
    held.started.wait();
    let waiting = (0..10).map(|n| pool.submit(count, (&ran, n))).collect();
    Busy {
        pool,
        held,
        running,
        waiting,
        ran,
        scratch,
    }
}

#[test]
fn a_closed_pool_finishes_what_it_has_and_takes_no_more() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        waiting,
        ran,
        ..
    } = busy_pool();
    pool.close();

    let late = pool.submit(square, 3);
    let error = late.wait().unwrap_err();
    assert!(
        matches!(error.kind(), TaskErrorKind::PoolClosed),
        "{error:?}"
    );
    assert!(!error.was_started());
    assert!(error.to_string().contains("after shutdown"), "{error}");
    let error = pool.try_submit(square, 3).unwrap_err();
    assert!(matches!(error, SubmitError::Closed(3)), "{error:?}");
    assert!(pool.map(square, 0..3).is_err());

    held.release.raise();
    pool.join();
    running.wait().unwrap();
    for (n, future) in (0..).zip(waiting) {
        assert_eq!(future.wait().unwrap(), n);
    }
    assert_eq!(ran.count(), 10);
    assert_eq!(pool.worker_pids(), []);
}

#[test]
fn terminate_ends_running_and_waiting_calls() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        running,
        waiting,
        ran,
        ..
    } = busy_pool();
    let pids = pool.worker_pids();
    pool.terminate();
    pool.join();
    let error = running.wait().unwrap_err();
    assert!(error.is_cancelled() && error.was_started(), "{error:?}");
    for future in waiting {
        let error = future.wait().unwrap_err();
        assert!(error.is_cancelled() && !error.was_started(), "{error:?}");
    }
    assert_eq!(ran.count(), 0);
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    assert!(matches!(
        pool.try_submit(square, 3),
        Err(SubmitError::Closed(3))
    ));
}

#[test]
fn shutdown_with_drain_finishes_everything() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        waiting,
        ran,
        ..
    } = busy_pool();
    let pids = pool.worker_pids();
    held.release.raise();
    pool.shutdown(Shutdown::Drain);
    // It has waited for the workers, so nothing is left to wait for.
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    assert!(running.is_done() && waiting.iter().all(TaskFuture::is_done));
    assert_eq!(ran.count(), 10);
    assert_eq!(running.wait().unwrap(), pids[0]);
}

#[test]
fn shutdown_with_cancel_pending_finishes_what_runs() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        waiting,
        ran,
        ..
    } = busy_pool();
    let release = thread::spawn(move || {
        // Only when the waiting calls have been cancelled is the running one let go.
        for future in waiting {
            let error = future.wait().unwrap_err();
            assert!(error.is_cancelled() && !error.was_started(), "{error:?}");
        }
        held.release.raise();
    });
    pool.shutdown(Shutdown::CancelPending);
    release.join().unwrap();
    running.wait().unwrap();
    assert_eq!(ran.count(), 0);
}

#[test]
fn dropping_a_pool_drains_it() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        waiting,
        ran,
        ..
    } = busy_pool();
    let pids = pool.worker_pids();
    held.release.raise();
    drop(pool);
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    assert!(running.is_done() && waiting.iter().all(TaskFuture::is_done));
    assert_eq!(ran.count(), 10);
}

#[test]
fn dropping_futures_and_the_pool_still_runs_the_calls() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        waiting,
        ran,
        scratch,
    } = busy_pool();
    drop((running, waiting));
    held.release.raise();
    drop(pool);
    assert_eq!(ran.count(), 10);
    drop(scratch);
}

#[test]
fn a_pool_that_has_done_nothing_ends_at_once() {
    let _watchdog = watchdog();
    drop(Pool::new());
    let pool = Pool::new();
    pool.close();
    pool.join();
    Pool::new().terminate();
    Pool::new().shutdown(Shutdown::Drain);
    Pool::new().shutdown(Shutdown::CancelPending);
}

#[test]
fn every_way_to_end_a_pool_may_be_used_twice_and_mixed() {
    let _watchdog = watchdog();
    type Step = fn(&Pool);
    let steps: [Step; 5] = [
        |pool| pool.close(),
        |pool| {
            pool.close();
            pool.join();
        },
        |pool| pool.terminate(),
        |pool| pool.shutdown(Shutdown::Drain),
        |pool| pool.shutdown(Shutdown::CancelPending),
    ];
    for first in steps {
        for second in steps {
            let pool = pool_of(1);
            assert_eq!(pool.apply(square, 3).unwrap(), 9);
            first(&pool);
            second(&pool);
            second(&pool);
            assert!(pool.apply(square, 3).is_err());
        }
    }
}

#[test]
fn several_threads_may_end_a_pool_at_once() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        ran,
        ..
    } = busy_pool();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| pool.shutdown(Shutdown::Drain));
        }
        scope.spawn(|| {
            pool.close();
            held.release.raise();
            pool.join();
        });
    });
    running.wait().unwrap();
    assert_eq!(ran.count(), 10);
}

#[test]
fn a_shutdown_wakes_a_submitter_that_waits_for_room() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder()
        .workers(1)
        .queue_capacity(1)
        .build()
        .unwrap();
    let held = Hold::new(&scratch, "first");
    let running = pool.submit(hold, &held);
    held.started.wait();
    let closed = thread::scope(|scope| {
        // Fills the queue, then waits in `submit` until the pool is closed under it.
        let submitter = scope.spawn(|| {
            (0..100)
                .map(|n| pool.submit(square, n))
                .filter(|future| future.is_done())
                .filter_map(|future| future.wait().err())
                .next()
        });
        until(|| {
            pool.try_submit(square, 0)
                .is_err_and(|error| error.is_full())
        });
        pool.close();
        submitter.join().unwrap()
    });
    let error = closed.expect("a call after the close");
    assert!(
        matches!(error.kind(), TaskErrorKind::PoolClosed),
        "{error:?}"
    );
    held.release.raise();
    running.wait().unwrap();
}

#[test]
fn a_pool_may_be_shut_down_from_a_callback() {
    let _watchdog = watchdog();
    for how in [Shutdown::Drain, Shutdown::CancelPending] {
        let pool = Arc::new(pool_of(1));
        let (sender, done) = channel();
        let future = pool
            .task(square)
            .callback({
                let pool = pool.clone();
                move |_: &u64| {
                    pool.shutdown(how);
                    sender.send(()).unwrap();
                }
            })
            .submit(2);
        assert_eq!(future.wait().unwrap(), 4);
        done.recv().unwrap();
        assert!(pool.apply(square, 3).is_err());
    }
}

#[test]
fn a_pool_may_be_terminated_from_a_callback() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Arc::new(pool_of(2));
    let started = scratch.flag("started");
    let for_ever = pool.submit(run_for_ever, &started);
    started.wait();
    let future = pool
        .task(square)
        .callback({
            let pool = pool.clone();
            move |_: &u64| {
                pool.terminate();
                pool.join();
            }
        })
        .submit(2);
    assert_eq!(future.wait().unwrap(), 4);
    assert!(for_ever.wait().unwrap_err().is_cancelled());
}

#[test]
fn a_pool_dropped_by_a_panic_is_drained() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        waiting,
        ran,
        ..
    } = busy_pool();
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let _pool = pool;
        held.release.raise();
        panic!("on purpose");
    }));
    assert!(outcome.is_err());
    running.wait().unwrap();
    assert!(waiting.iter().all(TaskFuture::is_done));
    assert_eq!(ran.count(), 10);
}

#[test]
fn terminate_returns_with_full_queues_and_busy_workers() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    for round in 0..30 {
        let pool = pool_of(2);
        let started = scratch.flag(&format!("started-{round}"));
        let mut futures = vec![pool.submit(run_for_ever, &started)];
        started.wait();
        for n in 0..20 {
            futures.push(pool.submit(run_for_ever, scratch.flag(&format!("{round}-{n}"))));
        }
        pool.terminate();
        for future in futures {
            assert!(future.wait().unwrap_err().is_cancelled());
        }
    }
}

#[test]
fn a_worker_lost_while_the_pool_drains_is_replaced() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let lost = pool.submit(end, End::Kill);
    let futures: Vec<_> = (0..10).map(|n| pool.submit(square, n)).collect();
    drop(pool);
    assert!(lost.wait().unwrap_err().is_worker_lost());
    assert!(futures.into_iter().all(|future| future.wait().is_ok()));
}

// ------------------------------------------------------------------ with the process

/// Takes a while, so that the process is ending while calls wait.
#[task]
fn work(tally: &Tally) {
    thread::sleep(Duration::from_millis(10));
    tally.add();
}

const WORK: usize = 20;
const TALLY: &str = "PPOOL_TEST_TALLY";

/// Inside a program: gives its pool so much to do that it is not done when the program ends.
fn give_work(program: &program::Inside, pool: &Pool) {
    let tally = Tally::at(std::env::var_os(TALLY).map(PathBuf::from).expect("a tally"));
    let pid = pool.apply(worker_pid, ()).expect("a good call");
    program.say("worker", pid);
    for _ in 0..WORK {
        drop(pool.submit(work, &tally));
    }
}

/// Runs the program to its end: all its work must be done then, and nobody left.
fn drains_at_exit(test: &str, code: i32) {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("done");
    let mut command = program::command(test);
    command.env(TALLY, tally.path());
    let mut program = Program::run(command);
    let workers = program.numbers("worker");
    let (status, transcript) = program.end();
    assert_eq!(status.code(), Some(code), "{status}:\n{transcript}");
    assert_eq!(tally.count(), WORK, "{transcript}");
    wait_until_gone(&workers);
}

#[test]
fn a_static_pool_is_drained_at_the_end_of_the_program() {
    drains_at_exit("program_with_a_static_pool", 0);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_a_static_pool() {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let Some(program) = program::inside() else {
        return;
    };
    give_work(&program, POOL.get_or_init(|| pool_of(1)));
}

#[test]
fn a_leaked_pool_is_drained_at_the_end_of_the_program() {
    drains_at_exit("program_that_leaks_its_pool", 0);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_leaks_its_pool() {
    let Some(program) = program::inside() else {
        return;
    };
    give_work(&program, Box::leak(Box::new(pool_of(1))));
}

#[test]
fn a_live_pool_is_drained_when_the_program_calls_exit() {
    drains_at_exit("program_that_calls_exit", 7);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_calls_exit() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = pool_of(1);
    give_work(&program, &pool);
    std::process::exit(7);
}

#[test]
fn a_live_pool_is_drained_when_another_thread_calls_exit() {
    drains_at_exit("program_whose_other_thread_calls_exit", 8);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_other_thread_calls_exit() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = pool_of(1);
    give_work(&program, &pool);
    thread::spawn(|| std::process::exit(8));
    // This thread is in the middle of a call when the program ends.
    loop {
        let _ = pool.apply(square, 3);
    }
}

#[test]
fn a_live_pool_is_drained_when_a_callback_calls_exit() {
    drains_at_exit("program_whose_callback_calls_exit", 9);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_callback_calls_exit() {
    let Some(program) = program::inside() else {
        return;
    };
    let pool = pool_of(1);
    let (submitted, all_submitted) = channel();
    let all_submitted = Mutex::new(all_submitted);
    let future = pool
        .task(square)
        .callback(move |_: &u64| {
            let () = all_submitted.lock().unwrap().recv().unwrap();
            std::process::exit(9);
        })
        .submit(1);
    drop(future);
    give_work(&program, &pool);
    submitted.send(()).unwrap();
    loop {
        thread::park();
    }
}

#[test]
fn many_pools_are_drained_at_the_end_of_the_program() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let tally = scratch.tally("done");
    let mut command = program::command("program_with_many_pools");
    command.env(TALLY, tally.path());
    Program::run(command).must_succeed();
    assert_eq!(tally.count(), 5 * 4);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_many_pools() {
    let Some(_program) = program::inside() else {
        return;
    };
    let tally = Tally::at(std::env::var_os(TALLY).map(PathBuf::from).expect("a tally"));
    for _ in 0..5 {
        let pool: &Pool = Box::leak(Box::new(pool_of(1)));
        for _ in 0..4 {
            drop(pool.submit(work, &tally));
        }
    }
}
