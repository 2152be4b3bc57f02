//! One call: what can be passed, what comes back, what is refused.
#![forbid(unsafe_code)]

mod arguments;
mod bursts;
#[path = "../common/mod.rs"]
mod common;
mod full_queue;

use std::{fmt, thread};

use common::{pool_of, tasks::square, watchdog};
use ppool::{RemoteError, SubmitError, TaskErrorKind, task};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Refusal {
    Negative { value: i64 },
}

#[task]
fn root(value: i64) -> Result<f64, Refusal> {
    match value {
        ..0 => Err(Refusal::Negative { value }),
        _ => Ok((value as f64).sqrt()),
    }
}

#[test]
fn a_tasks_own_result_is_a_value() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    assert_eq!(pool.apply(root, 16).unwrap(), Ok(4.0));
    assert_eq!(
        pool.apply(root, -1).unwrap(),
        Err(Refusal::Negative { value: -1 })
    );
}

#[derive(Debug)]
struct NoPort(std::num::ParseIntError);

impl fmt::Display for NoPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("that is no port")
    }
}

impl std::error::Error for NoPort {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[task]
fn port(text: &str) -> Result<u16, RemoteError> {
    Ok(text.parse().map_err(NoPort)?)
}

#[test]
fn any_error_travels_with_its_chain_of_sources() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    assert_eq!(pool.apply(port, "80").unwrap().unwrap(), 80);
    let error = pool.apply(port, "eighty").unwrap().unwrap_err();
    let chain: Vec<&str> = error.chain().collect();
    assert_eq!(chain, ["that is no port", "invalid digit found in string"]);
}

#[derive(Clone, Serialize, Deserialize)]
struct Job {
    base: u32,
    exponent: u32,
}

#[task]
impl ppool::Callable for Job {
    type Output = u32;

    fn call(self) -> u32 {
        self.base.pow(self.exponent)
    }
}

#[test]
fn objects_can_be_called() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let job = |exponent| Job { base: 2, exponent };
    assert_eq!(pool.submit_object(job(10)).wait().unwrap(), 1024);
    assert_eq!(pool.map_objects((0..4).map(job)).unwrap(), [1, 2, 4, 8]);
}

#[test]
fn a_closure_can_be_a_task_where_it_stands() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let scale = ppool::closure!(|x: u64, k: u64| -> u64 { x * k });
    assert_eq!(pool.apply(scale, (6, 7)).unwrap(), 42);
    let answer = ppool::closure!(|| -> u64 { 42 });
    assert_eq!(pool.apply(answer, ()).unwrap(), 42);
    // Two that look alike are two.
    let first = ppool::closure!(|x: u64| -> u64 { x + 1 });
    let second = ppool::closure!(|x: u64| -> u64 { x + 2 });
    assert_eq!(
        pool.apply(first, 1).unwrap() + pool.apply(second, 1).unwrap(),
        5
    );
}

#[task]
fn panic_at(index: usize, length: usize) -> u64 {
    panic!("index {index} is out of {length}");
}

#[test]
fn a_panic_comes_back_with_its_message_and_place() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let error = pool.apply(panic_at, (7, 3)).unwrap_err();
    assert!(error.is_panic() && error.was_started(), "{error:?}");
    assert!(error.task().contains("panic_at"), "{error:?}");
    let TaskErrorKind::Panicked(panic) = error.kind() else {
        unreachable!()
    };
    assert_eq!(panic.message(), "index 7 is out of 3");
    assert!(
        panic.location().unwrap().contains("submit/main.rs"),
        "{panic:?}"
    );
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[task]
fn panic_with_a_number() {
    std::panic::panic_any(7);
}

#[test]
fn a_panic_without_a_message_is_a_panic_too() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let error = pool.apply(panic_with_a_number, ()).unwrap_err();
    assert!(error.is_panic(), "{error:?}");
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

/// A value that can't be encoded.
#[derive(Clone, Debug, Deserialize)]
struct Unsendable(u64);

impl Serialize for Unsendable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(format!("{} stays here", self.0)))
    }
}

#[task]
fn take_two(_first: u64, second: Unsendable) -> u64 {
    second.0
}

#[test]
fn an_argument_that_can_not_be_encoded_is_named() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let error = pool
        .submit(take_two, (1, Unsendable(2)))
        .wait()
        .unwrap_err();
    let TaskErrorKind::Encode(cause) = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(cause.parameter(), Some("second"));
    assert!(cause.task().contains("take_two"), "{cause}");
    assert!(cause.message().contains("2 stays here"), "{cause}");
    assert!(!error.was_started());
    let text = error.to_string();
    assert!(
        text.contains("take_two") && text.contains("`second`"),
        "{text}"
    );
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn try_submit_gives_back_arguments_that_can_not_be_encoded() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let error = pool.try_submit(take_two, (1, Unsendable(2))).unwrap_err();
    assert!(matches!(&error, SubmitError::Encode(_, cause) if cause.parameter() == Some("second")));
    assert_eq!(error.into_args().1.0, 2);
}

#[task]
fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[test]
fn large_arguments_and_large_results_cross_at_the_same_time() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let futures: Vec<_> = (0..12u8)
        .map(|n| (n, pool.submit(echo, vec![n; 6 << 20])))
        .collect();
    for (n, future) in futures {
        let bytes = future.wait().unwrap();
        assert!(bytes.len() == 6 << 20 && bytes.iter().all(|byte| *byte == n));
    }
}

#[test]
fn many_threads_may_submit_at_once() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    thread::scope(|scope| {
        for thread in 0..4u64 {
            let pool = &pool;
            scope.spawn(move || {
                let futures: Vec<_> = (0..2_500)
                    .map(|n| pool.submit(square, 10_000 * thread + n))
                    .collect();
                for (n, future) in (0..).zip(futures) {
                    assert_eq!(future.wait().unwrap(), (10_000 * thread + n).pow(2));
                }
            });
        }
    });
}

#[test]
fn calls_have_ids_of_their_own_that_grow() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let ids: Vec<_> = (0..20).map(|n| pool.submit(square, n).id()).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}
