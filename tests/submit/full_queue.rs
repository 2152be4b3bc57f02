//! A queue with few places: who submits waits, or gets the arguments back.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use ppool::Pool;

use crate::common::{
    Scratch,
    tasks::{Hold, hold, square},
    until, watchdog,
};

#[test]
fn a_full_queue_gives_the_arguments_back() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder()
        .workers(1)
        .queue_capacity(3)
        .build()
        .unwrap();
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    held.started.wait();

    let mut accepted = Vec::new();
    let args = loop {
        match pool.try_submit(square, (accepted.len() as u64,)) {
            Ok(future) => accepted.push(future),
            Err(error) => {
                assert!(error.is_full(), "{error:?}");
                break error.into_args();
            }
        }
        assert!(
            accepted.len() < 100,
            "a queue for three takes a hundred calls"
        );
    };
    assert_eq!(args, (accepted.len() as u64,));
    assert!(accepted.len() >= 3);

    held.release.raise();
    first.wait().unwrap();
    for (n, future) in (0..).zip(accepted) {
        assert_eq!(future.wait().unwrap(), n * n);
    }
    assert_eq!(pool.try_submit(square, 5).unwrap().wait().unwrap(), 25);
}

#[test]
fn submit_waits_while_the_queue_is_full() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder()
        .workers(1)
        .queue_capacity(3)
        .build()
        .unwrap();
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    held.started.wait();

    let accepted = AtomicUsize::new(0);
    thread::scope(|scope| {
        let submitter = scope.spawn(|| {
            let futures: Vec<_> = (0..50u64)
                .map(|n| {
                    let future = pool.submit(square, n);
                    accepted.fetch_add(1, Ordering::SeqCst);
                    future
                })
                .collect();
            futures
                .into_iter()
                .map(|future| future.wait().unwrap())
                .sum::<u64>()
        });
        until(|| accepted.load(Ordering::SeqCst) >= 3);
        // Nothing ends before the release, so this holds whenever it is read.
        let waiting = accepted.load(Ordering::SeqCst);
        held.release.raise();
        assert_eq!(
            submitter.join().unwrap(),
            (0..50).map(|n| n * n).sum::<u64>()
        );
        assert!(waiting <= 3, "{waiting} calls were in a queue for 3");
    });
    first.wait().unwrap();
}
