//! Callbacks: which of them runs, in what order, and what they may do.
#![forbid(unsafe_code)]

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
    mpsc::{Sender, channel},
};

use common::{
    Scratch, pool_of,
    tasks::{End, Hold, end, hold, panic_with, square},
    until, watchdog,
};
use ppool::{Done, Pool, TaskError};

#[test]
fn a_callback_gets_the_value() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let (sender, values) = channel();
    let future = pool
        .task(square)
        .callback(move |value: &u64| sender.send(*value).unwrap())
        .exception_callback(|error: &TaskError| panic!("{error}"))
        .submit(7);
    assert_eq!(values.recv().unwrap(), 49);
    assert_eq!(future.wait().unwrap(), 49);
    // The callback is gone with its end of the channel: it can't be called again.
    assert!(values.recv().is_err());
}

#[test]
fn an_exception_callback_gets_the_error() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let (sender, errors) = channel();
    for how in [End::Exit(3), End::Kill] {
        let sender = sender.clone();
        let future = pool
            .task(end)
            .callback(|_: &u64| panic!("there is no value"))
            .exception_callback(move |error: &TaskError| sender.send(error.clone()).unwrap())
            .submit(how);
        drop(future);
        let error = errors.recv().unwrap();
        assert!(error.is_worker_lost(), "{error:?}");
    }
}

/// Notes what was called, in order.
#[derive(Clone)]
struct Journal(Sender<String>);

impl Journal {
    fn note(&self, what: impl Into<String>) {
        self.0.send(what.into()).expect("the test listens");
    }
}

#[test]
fn the_calls_own_callback_runs_before_the_pools() {
    let _watchdog = watchdog();
    let (sender, notes) = channel();
    let journal = Journal(sender);
    let [of_pool, of_pool_error, of_call, of_call_error] = [(); 4].map(|()| journal.clone());
    drop(journal);
    let pool = Pool::builder()
        .workers(1)
        .callback(move |done: &Done<'_>| {
            let value = done.value::<u64>().copied();
            of_pool.note(format!(
                "pool: {} gave {value:?}",
                done.task().ends_with("square")
            ));
        })
        .exception_callback(move |error: &TaskError| {
            of_pool_error.note(format!("pool: {}", error.is_panic()));
        })
        .build()
        .unwrap();
    let good = pool
        .task(square)
        .callback(move |value: &u64| of_call.note(format!("call: {value}")))
        .submit(6);
    let bad = pool
        .task(panic_with)
        .exception_callback(move |error: &TaskError| {
            of_call_error.note(format!("call: {}", error.is_panic()));
        })
        .submit("on purpose");
    drop((good, bad, pool));
    let notes: Vec<String> = notes.iter().collect();
    assert_eq!(
        notes,
        [
            "call: 36",
            "pool: true gave Some(36)",
            "call: true",
            "pool: true"
        ]
    );
}

#[test]
fn exactly_one_of_the_two_kinds_runs_for_each_call() {
    let _watchdog = watchdog();
    let (values, errors) = (Arc::new(Mutex::new(vec![])), Arc::new(Mutex::new(vec![])));
    let pool = Pool::builder()
        .workers(2)
        .callback({
            let values = values.clone();
            move |done: &Done<'_>| values.lock().unwrap().push(done.id())
        })
        .exception_callback({
            let errors = errors.clone();
            move |error: &TaskError| errors.lock().unwrap().push(error.id())
        })
        .build()
        .unwrap();
    let (mut good, mut bad) = (vec![], vec![]);
    for n in 0..60 {
        match n % 6 {
            0 => bad.push(pool.submit(panic_with, "on purpose").id()),
            3 => bad.push(pool.submit(end, End::Exit(1)).id()),
            _ => good.push(pool.submit(square, n).id()),
        }
    }
    drop(pool);
    let sorted = |ids: &Mutex<Vec<_>>| {
        let mut ids = ids.lock().unwrap().clone();
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(&values), good);
    assert_eq!(sorted(&errors), bad);
}

#[test]
fn a_cancelled_call_is_told_to_the_exception_callback() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    held.started.wait();
    let (sender, errors) = channel();
    let second = pool
        .task(square)
        .callback(|_: &u64| panic!("it does not run"))
        .exception_callback(move |error: &TaskError| sender.send(error.is_cancelled()).unwrap())
        .submit(7);
    assert!(second.cancel());
    assert!(errors.recv().unwrap());
    held.release.raise();
    first.wait().unwrap();
}

#[test]
fn a_callback_that_panics_stops_nothing() {
    let _watchdog = watchdog();
    let called = Arc::new(AtomicUsize::new(0));
    let pool = Pool::builder()
        .workers(2)
        .callback({
            let called = called.clone();
            move |_: &Done<'_>| {
                called.fetch_add(1, Ordering::SeqCst);
                panic!("a callback of the pool panics, on purpose");
            }
        })
        .build()
        .unwrap();
    for n in 0..10 {
        let future = pool
            .task(square)
            .callback(|_: &u64| panic!("a callback of the call panics, on purpose"))
            .submit(n);
        assert_eq!(future.wait().unwrap(), n * n);
    }
    drop(pool);
    assert_eq!(called.load(Ordering::SeqCst), 10);
}

#[test]
fn a_callback_that_blocks_holds_up_no_result() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let (entered, inside) = channel();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let held_up = pool
        .task(square)
        .callback(move |_: &u64| {
            entered.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
        })
        .submit(1);
    inside.recv().unwrap();
    // Calls, crashes and replacements go on beside it.
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    assert!(pool.apply(end, End::Kill).unwrap_err().is_worker_lost());
    assert_eq!(pool.apply(square, 9).unwrap(), 81);
    assert_eq!(held_up.wait().unwrap(), 1);
    drop(release);
}

#[test]
fn a_callback_may_submit_and_wait() {
    let _watchdog = watchdog();
    let pool = Arc::new(pool_of(1));
    let (sender, values) = channel();
    let first = pool
        .task(square)
        .callback({
            let pool = pool.clone();
            move |value: &u64| {
                let again = pool.submit(square, *value);
                sender.send(again.wait().unwrap()).unwrap();
                sender
                    .send(pool.map(square, 0..10).unwrap().iter().sum())
                    .unwrap();
            }
        })
        .submit(3);
    assert_eq!(values.recv().unwrap(), 81);
    assert_eq!(values.recv().unwrap(), 285);
    assert_eq!(first.wait().unwrap(), 9);
}

#[test]
fn a_callback_may_wait_for_room_in_the_queue() {
    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(1)
        .queue_capacity(1)
        .build()
        .unwrap();
    let pool = Arc::new(pool);
    let (sender, sums) = channel();
    let first = pool
        .task(square)
        .callback({
            let pool = pool.clone();
            move |_: &u64| {
                let futures: Vec<_> = (0..20).map(|n| pool.submit(square, n)).collect();
                let values = futures.into_iter().map(|future| future.wait().unwrap());
                sender.send(values.sum::<u64>()).unwrap();
            }
        })
        .submit(3);
    assert_eq!(sums.recv().unwrap(), (0..20).map(|n| n * n).sum());
    assert_eq!(first.wait().unwrap(), 9);
}

#[test]
fn callbacks_may_submit_calls_with_callbacks() {
    fn go_on(pool: &Arc<Pool>, left: u64, done: Sender<u64>) {
        let again = Arc::clone(pool);
        let future = pool
            .task(square)
            .callback(move |value: &u64| match left {
                0 => done.send(*value).unwrap(),
                _ => go_on(&again, left - 1, done.clone()),
            })
            .submit(left);
        drop(future);
    }

    let _watchdog = watchdog();
    let pool = Arc::new(pool_of(1));
    let (sender, done) = channel();
    go_on(&pool, 100, sender);
    assert_eq!(done.recv().unwrap(), 0);
}

#[test]
fn a_callback_may_drop_the_pool() {
    let _watchdog = watchdog();
    let pool = Arc::new(Mutex::new(Some(pool_of(2))));
    let (sender, dropped) = channel();
    let future = {
        let slot = pool.clone();
        let guard = pool.lock().unwrap();
        let pool = guard.as_ref().unwrap();
        let future = pool.submit(square, 5);
        let last = pool
            .task(square)
            .callback(move |_: &u64| {
                drop(slot.lock().unwrap().take());
                sender.send(()).unwrap();
            })
            .submit(4);
        drop(last);
        future
    };
    dropped.recv().unwrap();
    assert!(pool.lock().unwrap().is_none());
    // What was submitted before is done all the same.
    assert_eq!(future.wait().unwrap(), 25);
}

#[test]
fn on_done_may_drop_the_pool() {
    let _watchdog = watchdog();
    let pool = Arc::new(Mutex::new(Some(pool_of(1))));
    let (sender, dropped) = channel();
    let slot = pool.clone();
    let guard = pool.lock().unwrap();
    guard.as_ref().unwrap().submit(square, 4).on_done(move |_| {
        drop(slot.lock().unwrap().take());
        sender.send(()).unwrap();
    });
    drop(guard);
    dropped.recv().unwrap();
}

#[test]
fn all_callbacks_have_run_when_the_pool_is_gone() {
    let _watchdog = watchdog();
    let called = Arc::new(AtomicUsize::new(0));
    let pool = Pool::builder()
        .workers(2)
        .callback({
            let called = called.clone();
            move |_: &Done<'_>| {
                called.fetch_add(1, Ordering::SeqCst);
            }
        })
        .build()
        .unwrap();
    for n in 0..200 {
        drop(pool.submit(square, n));
    }
    drop(pool);
    assert_eq!(called.load(Ordering::SeqCst), 200);
}

#[test]
fn the_pools_callback_also_hears_of_each_call_of_a_map() {
    let _watchdog = watchdog();
    let called = Arc::new(AtomicUsize::new(0));
    let pool = Pool::builder()
        .workers(2)
        .callback({
            let called = called.clone();
            move |_: &Done<'_>| {
                called.fetch_add(1, Ordering::SeqCst);
            }
        })
        .build()
        .unwrap();
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    until(|| called.load(Ordering::SeqCst) == 100);
}
