//! Which of the waiting calls is next, and what callers call their calls.
#![forbid(unsafe_code)]

mod common;

use std::sync::{Arc, Mutex};

use common::{
    Tally, busy_pool, pool_of,
    tasks::{End, count, panic_with, square},
    until, watchdog,
};
use ppool::{Call, Pool, task};

#[test]
fn higher_priorities_start_first_and_within_one_the_first_in() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let futures: Vec<_> = [
        (0, 0),
        (1, -3),
        (2, 5),
        (3, 0),
        (4, 5),
        (5, i32::MIN),
        (6, i32::MAX),
    ]
    .into_iter()
    .map(|(n, priority)| {
        let call = busy.pool.task(count).priority(priority);
        call.submit((&busy.ran, n))
    })
    .collect();
    busy.held.release.raise();
    for future in futures {
        future.wait().unwrap();
    }
    assert_eq!(busy.ran.notes(), ["6", "2", "4", "0", "3", "1", "5"]);
}

#[test]
fn a_map_can_go_before_calls_that_wait() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(3);
    let inputs = (10..13).map(|n| (&busy.ran, n));
    let mapped = busy.pool.task(count).priority(1).imap(inputs);
    std::thread::scope(|scope| {
        let map = scope.spawn(move || mapped.collect::<Result<Vec<_>, _>>());
        // It submits its inputs before it waits for the first result.
        until(|| busy.pool.stats().pending == 6);
        busy.held.release.raise();
        assert_eq!(map.join().unwrap().unwrap(), [10, 11, 12]);
    });
    for future in waiting {
        future.wait().unwrap();
    }
    assert_eq!(busy.ran.notes(), ["10", "11", "12", "0", "1", "2"]);
}

#[test]
fn a_call_that_is_cancelled_keeps_nobody_waiting() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.waiting(2);
    let urgent = busy.pool.task(count).priority(9).submit((&busy.ran, 9));
    assert!(urgent.cancel());
    busy.held.release.raise();
    for future in waiting {
        future.wait().unwrap();
    }
    assert_eq!(busy.ran.notes(), ["0", "1"]);
}

/// Ends its worker at the first try.
#[task]
fn succeed_at_the_second_try(ran: &Tally, n: u64) {
    ran.note(&n.to_string());
    if ran.count() == 1 {
        End::Kill.come();
    }
}

#[test]
fn a_call_as_a_value_carries_its_priority_and_its_label() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let futures: Vec<_> = [(0, 0), (1, -3), (2, 5)]
        .into_iter()
        .map(|(n, priority)| {
            let call = Call::new(count, (&busy.ran, n)).priority(priority).id(n);
            assert_eq!((call.get_priority(), call.get_id()), (priority, Some(n)));
            busy.pool.queue(call)
        })
        .collect();
    busy.held.release.raise();
    for (n, future) in (0..).zip(futures) {
        assert_eq!(future.id(), n);
        future.wait().unwrap();
    }
    assert_eq!(busy.ran.notes(), ["2", "0", "1"]);
    let plain = Call::new(panic_with, "on purpose");
    assert_eq!((plain.get_priority(), plain.get_id()), (0, None));
}

#[test]
fn a_call_that_is_tried_again_keeps_its_priority() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let urgent = busy.pool.task(succeed_at_the_second_try).priority(1);
    let urgent = urgent.retries(1).submit((&busy.ran, 7));
    let waiting = busy.waiting(2);
    busy.held.release.raise();
    urgent.wait().unwrap();
    for future in waiting {
        future.wait().unwrap();
    }
    assert_eq!(busy.ran.notes(), ["7", "7", "0", "1"]);
}

// ------------------------------------------------------------------ labels

#[test]
fn a_label_is_the_id_of_the_call_wherever_it_is_asked_for() {
    let _watchdog = watchdog();
    let done = Arc::new(Mutex::new(Vec::new()));
    let failed = Arc::new(Mutex::new(Vec::new()));
    let (told_done, told_failed) = (Arc::clone(&done), Arc::clone(&failed));
    let pool = Pool::builder()
        .workers(1)
        .callback(move |call| told_done.lock().unwrap().push(call.id()))
        .exception_callback(move |error| told_failed.lock().unwrap().push(error.id()))
        .build()
        .unwrap();

    // DIRAC's tasks have the id 0 unless they are told otherwise, so 0 is a label too.
    for label in [0, 77, u64::MAX] {
        let future = pool.task(square).id(label).submit(3);
        assert_eq!(future.id(), label);
        assert_eq!(future.wait().unwrap(), 9);
        let error = pool.task(panic_with).id(label).apply("oh").unwrap_err();
        assert_eq!(error.id(), label);
    }
    pool.join();
    assert_eq!(*done.lock().unwrap(), [0, 77, u64::MAX]);
    assert_eq!(*failed.lock().unwrap(), [0, 77, u64::MAX]);

    let refused = pool.task(square).id(5).submit(3);
    assert_eq!(refused.id(), 5);
    assert_eq!(refused.wait().unwrap_err().id(), 5);
}

#[test]
fn without_a_label_each_call_has_a_number_of_its_own() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let (first, second) = (pool.submit(square, 1), pool.submit(panic_with, "oh"));
    let (one, two) = (first.id(), second.id());
    assert_ne!(one, two);
    assert_eq!(second.wait().unwrap_err().id(), two);
    first.wait().unwrap();
}

#[test]
fn a_map_gives_its_label_to_each_of_its_calls() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let error = pool
        .task(panic_with)
        .id(12)
        .map(["one", "two"])
        .unwrap_err();
    assert_eq!(error.id(), 12);
    for result in pool.task(panic_with).id(13).imap(["one", "two"]) {
        assert_eq!(result.unwrap_err().id(), 13);
    }
}
