//! A call as a value: made here, queued there, and given back whole when there is no room.
#![forbid(unsafe_code)]

mod common;

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Sender, channel},
    },
    time::Duration,
};

use common::{
    Scratch, busy_pool, fill, pool_of,
    tasks::{End, Hold, end, hold, panic_with, run_for_ever, square},
    watchdog,
};
use ppool::{Call, Callable, Done, Pool, SubmitError, TaskError, TaskErrorKind, task, worker};
use serde::{Deserialize, Serialize};

#[task(timeout = "30s", retries = 2)]
fn with_defaults(n: u64) -> u64 {
    n
}

#[task]
fn join(word: &str, times: usize) -> String {
    word.repeat(times)
}

#[test]
fn a_call_can_be_made_here_and_queued_there() {
    let _watchdog = watchdog();
    let calls: Vec<_> = (0..20u64).map(|n| Call::new(square, n)).collect();
    let pool = pool_of(2);
    let futures: Vec<_> = calls.into_iter().map(|call| pool.queue(call)).collect();
    for (n, future) in (0..).zip(futures) {
        assert_eq!(future.wait().unwrap(), n * n);
    }
    let both = pool.queue(Call::new(join, ("ab", 3)));
    assert_eq!(both.wait().unwrap(), "ababab");
    assert_eq!(
        pool.try_queue(Call::new(square, (4,)))
            .unwrap()
            .wait()
            .unwrap(),
        16
    );
}

#[test]
fn a_call_can_be_made_on_one_thread_and_queued_on_another() {
    let _watchdog = watchdog();
    let (sender, calls) = channel();
    let maker = std::thread::spawn(move || {
        for n in 0..10u64 {
            sender.send(Call::new(square, n)).unwrap();
        }
    });
    let pool = pool_of(1);
    let sum: u64 = calls
        .into_iter()
        .map(|call| pool.queue(call).wait().unwrap())
        .sum();
    maker.join().unwrap();
    assert_eq!(sum, (0..10).map(|n| n * n).sum());
}

#[test]
fn a_full_queue_gives_the_call_back_whole() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder().workers(1).queue_capacity(1).build();
    let pool = pool.unwrap();
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    held.started.wait();
    let waiting = fill(&pool);

    let (sender, values) = channel();
    let call = Call::new(square, 3)
        .timeout(Duration::from_secs(60))
        .callback(move |value| sender.send(*value).unwrap());
    let refused = pool.try_queue(call).unwrap_err();
    assert!(refused.is_full(), "{refused:?}");
    let call = refused.into_args();
    assert_eq!(call.args(), &3);
    assert!(call.has_callback() && call.has_timeout());

    held.release.raise();
    first.wait().unwrap();
    assert!(waiting.into_iter().all(|call| call.wait().is_ok()));
    assert_eq!(pool.queue(call).wait().unwrap(), 9);
    assert_eq!(values.recv().unwrap(), 9);
}

#[test]
fn a_closed_pool_gives_the_call_back() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    pool.close();
    let refused = pool.try_queue(Call::new(square, 3)).unwrap_err();
    let SubmitError::Closed(call) = refused else {
        panic!("{refused:?}");
    };
    let error = pool.queue(call.clone()).wait().unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::PoolClosed));
    // Another pool may take it.
    assert_eq!(pool_of(1).queue(call).wait().unwrap(), 9);
}

#[test]
fn a_call_says_what_it_was_given() {
    let call = Call::new(square, 3);
    assert!(call.task_name().ends_with("::square"));
    assert!(!call.has_timeout() && call.get_retries().is_none());
    assert!(!call.has_callback() && !call.has_exception_callback());
    assert!(call.uses_pool_callbacks());

    let call = call
        .timeout(Duration::from_secs(5))
        .retries(1)
        .callback(|_| {})
        .exception_callback(|_| {})
        .pool_callbacks(false);
    assert_eq!(call.get_timeout(), Some(Duration::from_secs(5)));
    assert_eq!(call.get_retries(), Some(1));
    assert!(call.has_callback() && call.has_exception_callback());
    assert!(!call.uses_pool_callbacks());
    let shown = format!("{call:?}");
    assert!(
        shown.contains("::square") && shown.contains("5s"),
        "{shown}"
    );
    assert_eq!(call.into_args(), 3);

    // What the task itself says counts until the call says something else.
    let call = Call::new(with_defaults, 1);
    assert_eq!(call.get_timeout(), Some(Duration::from_secs(30)));
    assert_eq!(call.get_retries(), Some(2));
    let call = call.timeout(Duration::from_secs(1)).retries(0);
    assert_eq!(call.get_timeout(), Some(Duration::from_secs(1)));
    assert_eq!(call.get_retries(), Some(0));
}

#[test]
fn a_queued_call_keeps_its_time_limit() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder().workers(1).grace(Duration::from_millis(50));
    let pool = pool.build().unwrap();
    let limit = Duration::from_millis(50);
    let call = Call::new(run_for_ever, scratch.flag("started")).timeout(limit);
    let error = pool.queue(call).wait().unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::TimedOut(over) if *over == limit));
}

/// Dies at its first attempt.
#[task]
fn second_time_lucky() -> u32 {
    match worker::current().expect("a worker").attempt {
        0 => std::process::abort(),
        attempt => attempt,
    }
}

#[test]
fn a_queued_call_keeps_its_retries() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let call = Call::new(second_time_lucky, ());
    let error = pool.queue(call.clone()).wait().unwrap_err();
    assert!(error.is_worker_lost(), "{error:?}");
    assert_eq!(pool.queue(call.retries(1)).wait().unwrap(), 1);
}

#[test]
fn the_callbacks_of_a_call_come_before_the_pool_s_unless_it_wants_none() {
    let _watchdog = watchdog();
    let (sender, notes) = channel();
    let note = |sender: &Sender<String>, what: &'static str| {
        let sender = Mutex::new(sender.clone());
        Arc::new(move |how: String| {
            sender
                .lock()
                .unwrap()
                .send(format!("{what}: {how}"))
                .unwrap()
        })
    };
    let (own, own_error) = (note(&sender, "own"), note(&sender, "own error"));
    let (pools, pools_error) = (note(&sender, "pool"), note(&sender, "pool error"));
    let pool = Pool::builder()
        .workers(1)
        .callback(move |done: &Done<'_>| pools(format!("{:?}", done.value::<u64>())))
        .exception_callback(move |error: &TaskError| pools_error(error.is_panic().to_string()))
        .build()
        .unwrap();
    let good = Call::new(square, 3).callback(move |value| own(value.to_string()));
    let bad = Call::new(panic_with, "on purpose")
        .exception_callback(move |error| own_error(error.is_panic().to_string()));
    let without = good.clone().pool_callbacks(false);
    for call in [good, without] {
        pool.queue(call).wait().unwrap();
    }
    assert!(pool.queue(bad).wait().is_err());
    drop(pool);
    drop(sender);
    let notes: Vec<String> = notes.into_iter().collect();
    assert_eq!(
        notes,
        [
            "own: 9",
            "pool: Some(9)",
            "own: 9",
            "own error: true",
            "pool error: true"
        ]
    );
}

#[derive(Clone, Serialize, Deserialize)]
struct Area {
    width: u32,
    height: u32,
}

#[task]
impl Callable for Area {
    type Output = u32;

    fn call(self) -> u32 {
        self.width * self.height
    }
}

#[test]
fn a_callable_object_can_be_a_call() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let call = Call::object(Area {
        width: 6,
        height: 7,
    });
    assert_eq!(call.args().0.width, 6);
    assert_eq!(pool.queue(call).wait().unwrap(), 42);
}

#[test]
fn a_queued_call_can_be_cancelled_and_lost_like_any_other() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let waiting = busy.pool.queue(Call::new(square, 3));
    assert!(waiting.cancel());
    assert!(waiting.wait().unwrap_err().is_cancelled());
    busy.held.release.raise();
    let error = busy
        .pool
        .queue(Call::new(end, End::Exit(3)))
        .wait()
        .unwrap_err();
    assert!(error.is_worker_lost());
}
