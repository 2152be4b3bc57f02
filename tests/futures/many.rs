//! Waiting for many calls at once.

use std::{sync::Mutex, thread};

use ppool::{Pool, TaskFuture, WaitFor};

use crate::{
    SOON,
    common::{
        Scratch, pool_of,
        tasks::{Hold, hold, square},
        watchdog,
    },
};

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
        _scratch,
        _pool,
        holds,
        futures,
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
        _scratch,
        _pool,
        holds,
        futures,
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
        _scratch,
        _pool,
        holds,
        futures,
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
        _scratch,
        _pool,
        holds,
        futures,
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
