//! The future of a call: waiting, asking, awaiting, cancelling, and many of them at once.
#![forbid(unsafe_code)]

mod common;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use common::{
    Scratch, Tally,
    processes::is_alive,
    tasks::{End, Hold, count, end, hold, panic_with, run_for_ever, square},
    until, watchdog,
};
use ppool::{Pool, TaskErrorKind, TaskFuture, TaskState, WaitFor};

const SOON: Duration = Duration::from_millis(20);

fn pool_of(workers: usize) -> Pool {
    Pool::builder()
        .workers(workers)
        .build()
        .expect("a plain pool")
}

/// A pool whose only worker runs a call until it is let go.
struct Busy {
    pool: Pool,
    held: Hold,
    running: TaskFuture<u32>,
    ran: Tally,
    _scratch: Scratch,
}

fn busy_pool() -> Busy {
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "first");
    let running = pool.submit(hold, &held);
    held.started.wait();
    Busy {
        pool,
        held,
        running,
        ran: scratch.tally("ran"),
        _scratch: scratch,
    }
}

#[test]
fn a_future_tells_how_far_its_call_is() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        mut running,
        ..
    } = busy_pool();
    let mut waiting: Vec<_> = (0..5).map(|n| pool.submit(square, n)).collect();
    let last = waiting.last_mut().unwrap();
    assert_eq!(last.state(), TaskState::Pending);
    assert!(!last.is_done() && !last.is_running() && !last.is_cancelled());
    assert!(last.try_result().is_none());
    // What runs was given to a worker, and that is all a parent knows at once.
    until(|| running.state() == TaskState::Running);
    assert!(running.is_running() && !running.is_done());
    assert!(running.try_result().is_none());
    assert!(!running.wait_timeout(SOON));

    held.release.raise();
    while !running.wait_timeout(SOON) {}
    assert_eq!(running.state(), TaskState::Finished);
    assert!(running.is_done() && !running.is_running() && !running.is_cancelled());
    assert!(is_alive(running.try_result().unwrap().unwrap()));
    // It is given once.
    assert!(running.try_result().is_none());
    for (n, future) in (0..).zip(waiting) {
        assert_eq!(future.wait().unwrap(), n * n);
    }
}

#[test]
fn a_call_that_failed_is_finished_too() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let mut future = pool.submit(panic_with, "on purpose");
    while !future.wait_timeout(SOON) {}
    assert_eq!(future.state(), TaskState::Finished);
    assert!(future.try_result().unwrap().unwrap_err().is_panic());
}

#[test]
fn a_call_that_has_not_started_can_be_cancelled() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        ran,
        ..
    } = busy_pool();
    // The first of them may lie in the worker's queue already; that makes no difference.
    let waiting: Vec<_> = (0..5).map(|n| pool.submit(count, (&ran, n))).collect();
    for future in &waiting {
        assert!(future.cancel());
        assert_eq!(future.state(), TaskState::Cancelled);
        assert!(future.is_cancelled() && future.is_done());
        assert!(future.cancel(), "it stays cancelled");
    }
    for future in waiting {
        let error = future.wait().unwrap_err();
        assert!(
            matches!(error.kind(), TaskErrorKind::Cancelled),
            "{error:?}"
        );
        assert!(error.task().contains("count") && !error.was_started());
    }
    held.release.raise();
    running.wait().unwrap();
    assert_eq!(pool.apply(square, 5).unwrap(), 25);
    drop(pool);
    assert_eq!(ran.count(), 0);
}

#[test]
fn a_call_that_runs_can_not_be_cancelled() {
    let _watchdog = watchdog();
    let Busy { held, running, .. } = busy_pool();
    assert!(!running.cancel());
    assert!(!running.is_cancelled());
    held.release.raise();
    assert!(running.wait().is_ok());
}

#[test]
fn a_call_that_runs_can_be_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(2);
    let started = scratch.flag("started");
    let future = pool.submit(run_for_ever, &started);
    started.wait();
    let before = pool.worker_pids();
    assert!(future.kill());
    let error = future.wait().unwrap_err();
    assert!(error.is_cancelled() && error.was_started(), "{error:?}");
    assert_eq!(pool.map(square, 0..20).unwrap().len(), 20);
    until(|| pool.worker_pids().len() == 2 && pool.worker_pids() != before);
}

#[test]
fn a_call_that_waits_can_be_killed() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        ran,
        ..
    } = busy_pool();
    let waiting = pool.submit(count, (&ran, 1));
    assert!(waiting.kill());
    let error = waiting.wait().unwrap_err();
    assert!(error.is_cancelled() && !error.was_started(), "{error:?}");
    held.release.raise();
    // The worker that ran another call is none the worse for it.
    assert!(running.wait().is_ok());
    drop(pool);
    assert_eq!(ran.count(), 0);
}

#[test]
fn a_call_that_is_done_can_be_neither_cancelled_nor_killed() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let future = pool.submit(square, 4);
    while !future.wait_timeout(SOON) {}
    assert!(!future.cancel() && !future.kill());
    assert_eq!(future.wait().unwrap(), 16);
}

#[test]
fn cancels_and_results_may_race() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let ran = scratch.tally("ran");
    let pool = pool_of(2);
    let futures: Vec<_> = (0..300).map(|n| pool.submit(count, (&ran, n))).collect();
    let cancelled: Vec<bool> = futures.iter().rev().map(TaskFuture::cancel).collect();
    let mut values = 0;
    for (future, cancelled) in futures.into_iter().rev().zip(cancelled) {
        match future.wait() {
            Ok(_) => assert!(!cancelled),
            Err(error) => assert!(cancelled && error.is_cancelled() && !error.was_started()),
        };
        values += usize::from(!cancelled);
    }
    drop(pool);
    // What was cancelled has not run, and what has run was not cancelled.
    assert_eq!(ran.count(), values);
}

#[test]
fn a_dropped_future_detaches_its_call() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        ran,
        ..
    } = busy_pool();
    for n in 0..5 {
        drop(pool.submit(count, (&ran, n)));
    }
    drop(running);
    held.release.raise();
    drop(pool);
    assert_eq!(ran.count(), 5);
}

#[test]
fn a_future_outlives_its_pool() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let futures: Vec<_> = (0..5).map(|n| pool.submit(square, n)).collect();
    let failed = pool.submit(end, End::Exit(2));
    drop(pool);
    assert!(futures.iter().all(TaskFuture::is_done));
    assert!(!futures[0].cancel() && !futures[0].kill());
    for (n, future) in (0..).zip(futures) {
        assert_eq!(future.wait().unwrap(), n * n);
    }
    assert!(failed.wait().unwrap_err().is_worker_lost());
}

// ------------------------------------------------------------------ on_done

#[test]
fn on_done_is_called_once_with_the_value_or_the_error() {
    let _watchdog = watchdog();
    let Busy {
        pool,
        held,
        running,
        ..
    } = busy_pool();
    let (sender, outcomes) = channel();
    let good = pool.submit(square, 7);
    let bad = pool.submit(panic_with, "on purpose");
    let (of_good, of_bad) = (sender.clone(), sender.clone());
    good.on_done(move |outcome| of_good.send(format!("{:?}", outcome.ok())).unwrap());
    bad.on_done(move |outcome| of_bad.send(outcome.unwrap_err().to_string()).unwrap());
    held.release.raise();
    assert_eq!(outcomes.recv().unwrap(), "Some(49)");
    assert!(outcomes.recv().unwrap().contains("on purpose"));
    assert_eq!(good.wait().unwrap(), 49);
    // The calls are done by now, so a later one is called at once.
    running.wait().unwrap();
    bad.on_done(move |outcome| sender.send(outcome.is_err().to_string()).unwrap());
    assert_eq!(outcomes.recv().unwrap(), "true");
    assert!(outcomes.recv().is_err(), "each was called once");
}

#[test]
fn an_on_done_that_panics_harms_nobody() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for n in 0..5 {
        let future = pool.submit(square, n);
        future.on_done(|_| panic!("on_done panics, on purpose"));
        assert_eq!(future.wait().unwrap(), n * n);
    }
    assert_eq!(pool.apply(square, 9).unwrap(), 81);
}

#[test]
fn on_done_is_called_though_the_future_is_dropped() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let (sender, outcomes) = channel();
    let future = pool.submit(square, 7);
    future.on_done(move |outcome| sender.send(*outcome.unwrap()).unwrap());
    drop(future);
    assert_eq!(outcomes.recv().unwrap(), 49);
}

// ------------------------------------------------------------------ std::future::Future

/// Wakes a thread, and counts how often.
struct Unparker {
    thread: Thread,
    wakes: AtomicUsize,
}

impl Unparker {
    fn of_this_thread() -> Arc<Self> {
        Arc::new(Unparker {
            thread: thread::current(),
            wakes: AtomicUsize::new(0),
        })
    }
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Unparker::of_this_thread());
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_future_can_be_awaited_by_any_executor() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let sum = block_on(async {
        let (one, other) = (pool.submit(square, 3), pool.submit(square, 4));
        Ok::<u64, ppool::TaskError>(one.await? + other.await?)
    });
    assert_eq!(sum.unwrap(), 25);
    let error = block_on(pool.submit(end, End::Abort)).unwrap_err();
    assert!(error.is_worker_lost());
}

#[test]
fn many_futures_can_be_awaited_at_once() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let mut futures: Vec<_> = (0..50)
        .map(|n| Some(Box::pin(pool.submit(square, n))))
        .collect();
    let mut sum = 0;
    block_on(poll_fn(|context| {
        for slot in &mut futures {
            let Some(future) = slot else { continue };
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                sum += value.unwrap();
                *slot = None;
            }
        }
        match futures.iter().all(Option::is_none) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }));
    assert_eq!(sum, (0..50).map(|n| n * n).sum::<u64>());
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let _watchdog = watchdog();
    let Busy { held, running, .. } = busy_pool();
    let mut running = pin!(running);
    let first = Unparker::of_this_thread();
    let last = Unparker::of_this_thread();
    for unparker in [&first, &last] {
        let waker = Waker::from(unparker.clone());
        let polled = running.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    held.release.raise();
    until(|| last.wakes.load(Ordering::SeqCst) > 0);
    assert!(
        running
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    );
}

// ------------------------------------------------------------------ many at once

/// Calls that are held until they are let go one by one.
struct Several {
    holds: Vec<Hold>,
    futures: Vec<TaskFuture<u32>>,
    _pool: Pool,
    _scratch: Scratch,
}

fn several(number: usize) -> Several {
    let scratch = Scratch::new();
    let pool = pool_of(number);
    let holds: Vec<_> = (0..number)
        .map(|n| Hold::new(&scratch, &n.to_string()))
        .collect();
    let futures = holds.iter().map(|held| pool.submit(hold, held)).collect();
    holds.iter().for_each(|held| held.started.wait());
    Several {
        holds,
        futures,
        _pool: pool,
        _scratch: scratch,
    }
}

#[test]
fn wait_for_all_waits_for_all() {
    let _watchdog = watchdog();
    let Several {
        holds,
        futures,
        _pool,
        _scratch,
    } = several(3);
    holds[1].release.raise();
    while !futures[1].wait_timeout(SOON) {}
    let waited = ppool::wait(&futures, WaitFor::All, Some(SOON));
    assert_eq!((waited.done, waited.pending), (vec![1], vec![0, 2]));
    holds.iter().for_each(|held| held.release.raise());
    let waited = ppool::wait(&futures, WaitFor::All, None);
    assert_eq!((waited.done, waited.pending), (vec![0, 1, 2], vec![]));
}

#[test]
fn wait_for_the_first_returns_with_the_first() {
    let _watchdog = watchdog();
    let Several {
        holds,
        futures,
        _pool,
        _scratch,
    } = several(3);
    let waited = ppool::wait(&futures, WaitFor::FirstCompleted, Some(SOON));
    assert_eq!((waited.done, waited.pending), (vec![], vec![0, 1, 2]));
    holds[2].release.raise();
    let waited = ppool::wait(&futures, WaitFor::FirstCompleted, None);
    assert_eq!((waited.done, waited.pending), (vec![2], vec![0, 1]));
    // What is done counts at once.
    let waited = ppool::wait(&futures, WaitFor::FirstCompleted, None);
    assert_eq!(waited.done, [2]);
    holds.iter().for_each(|held| held.release.raise());
}

#[test]
fn wait_for_the_first_exception_does_not_mind_values() {
    let _watchdog = watchdog();
    let Several {
        holds,
        futures,
        _pool,
        _scratch,
    } = several(3);
    holds[0].release.raise();
    while !futures[0].wait_timeout(SOON) {}
    let waited = ppool::wait(&futures, WaitFor::FirstException, Some(SOON));
    assert_eq!((waited.done, waited.pending), (vec![0], vec![1, 2]));
    assert!(futures[1].kill());
    let waited = ppool::wait(&futures, WaitFor::FirstException, None);
    assert_eq!((waited.done, waited.pending), (vec![0, 1], vec![2]));
    holds[2].release.raise();
    let waited = ppool::wait(&futures[2..], WaitFor::FirstException, None);
    assert_eq!(waited.done, [0]);
}

#[test]
fn waiting_for_nothing_returns_at_once() {
    let _watchdog = watchdog();
    for what in [
        WaitFor::All,
        WaitFor::FirstCompleted,
        WaitFor::FirstException,
    ] {
        let none: [TaskFuture<u64>; 0] = [];
        let waited = ppool::wait(&none, what, None);
        assert!(waited.done.is_empty() && waited.pending.is_empty());
    }
    assert_eq!(
        ppool::as_completed(Vec::<TaskFuture<u64>>::new()).count(),
        0
    );
}

#[test]
fn as_completed_gives_the_futures_as_they_finish() {
    let _watchdog = watchdog();
    let Several {
        holds,
        futures,
        _pool,
        _scratch,
    } = several(3);
    let ids: Vec<_> = futures.iter().map(TaskFuture::id).collect();
    let mut completed = ppool::as_completed(futures);
    for n in [1, 2, 0] {
        holds[n].release.raise();
        let future = completed.next().unwrap();
        assert_eq!(future.id(), ids[n]);
        assert!(future.wait().is_ok());
    }
    assert!(completed.next().is_none());
}

#[test]
fn as_completed_takes_futures_of_several_pools() {
    let _watchdog = watchdog();
    let (one, other) = (pool_of(1), pool_of(1));
    let futures = (0..20).map(|n| if n % 2 == 0 { &one } else { &other }.submit(square, n));
    let mut values: Vec<_> = ppool::as_completed(futures)
        .map(|future| future.wait().unwrap())
        .collect();
    values.sort_unstable();
    assert_eq!(values, (0..20).map(|n| n * n).collect::<Vec<_>>());
}

#[test]
fn several_threads_may_wait_for_their_calls() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let sums = Mutex::new(vec![]);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let futures = (0..200).map(|n| pool.submit(square, n)).collect::<Vec<_>>();
                let waited = ppool::wait(&futures, WaitFor::All, None);
                assert!(waited.pending.is_empty());
                let values = futures.into_iter().map(|future| future.wait().unwrap());
                sums.lock().unwrap().push(values.sum::<u64>());
            });
        }
    });
    assert_eq!(*sums.lock().unwrap(), [(0..200).map(|n| n * n).sum(); 4]);
}
