//! One call: what can be passed, what comes back, what is refused.
#![forbid(unsafe_code)]

mod common;

use std::{collections::BTreeMap, fmt, thread};

use common::{
    Scratch,
    tasks::{Hold, hold, square},
    until, watchdog,
};
use ppool::{Pool, RemoteError, SubmitError, TaskErrorKind, task};
use serde::{Deserialize, Serialize};

fn pool_of(workers: usize) -> Pool {
    Pool::builder()
        .workers(workers)
        .build()
        .expect("a plain pool")
}

mod many_parameters {
    use ppool::task;

    macro_rules! sums {
        ($($name:ident($($parameter:ident),*);)*) => { $(
            #[task]
            #[expect(clippy::too_many_arguments, reason = "how many there may be is the point")]
            pub(crate) fn $name($($parameter: u64),*) -> u64 {
                0 $(+ $parameter)*
            }
        )* };
    }

    #[task]
    pub(crate) fn sum_of_0() -> u64 {
        0
    }
    #[task]
    pub(crate) fn sum_of_1(a: u64) -> u64 {
        a
    }
    #[task]
    pub(crate) fn sum_of_2(a: u64, b: u64) -> u64 {
        a + b
    }
    #[task]
    pub(crate) fn sum_of_3(a: u64, b: u64, c: u64) -> u64 {
        a + b + c
    }
    #[task]
    pub(crate) fn sum_of_4(a: u64, b: u64, c: u64, d: u64) -> u64 {
        a + b + c + d
    }
    #[task]
    pub(crate) fn sum_of_5(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
        a + b + c + d + e
    }
    #[task]
    pub(crate) fn sum_of_6(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64 {
        a + b + c + d + e + f
    }
    #[task]
    pub(crate) fn sum_of_7(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64) -> u64 {
        a + b + c + d + e + f + g
    }
    // The attribute also works where a macro writes the function.
    sums! {
        sum_of_8(a, b, c, d, e, f, g, h);
        sum_of_9(a, b, c, d, e, f, g, h, i);
        sum_of_10(a, b, c, d, e, f, g, h, i, j);
        sum_of_11(a, b, c, d, e, f, g, h, i, j, k);
        sum_of_12(a, b, c, d, e, f, g, h, i, j, k, l);
    }
}

#[test]
fn a_task_has_none_to_twelve_parameters() {
    use many_parameters::*;

    let _watchdog = watchdog();
    let pool = pool_of(1);
    let sums = [
        pool.apply(sum_of_0, ()),
        pool.apply(sum_of_1, 1),
        pool.apply(sum_of_2, (1, 2)),
        pool.apply(sum_of_3, (1, 2, 3)),
        pool.apply(sum_of_4, (1, 2, 3, 4)),
        pool.apply(sum_of_5, (1, 2, 3, 4, 5)),
        pool.apply(sum_of_6, (1, 2, 3, 4, 5, 6)),
        pool.apply(sum_of_7, (1, 2, 3, 4, 5, 6, 7)),
        pool.apply(sum_of_8, (1, 2, 3, 4, 5, 6, 7, 8)),
        pool.apply(sum_of_9, (1, 2, 3, 4, 5, 6, 7, 8, 9)),
        pool.apply(sum_of_10, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)),
        pool.apply(sum_of_11, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)),
        pool.apply(sum_of_12, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)),
    ];
    for (n, sum) in (0u64..).zip(sums) {
        assert_eq!(sum.unwrap(), n * (n + 1) / 2);
    }
}

#[test]
fn one_argument_goes_bare_or_in_a_tuple() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    assert_eq!(pool.apply(square, 7).unwrap(), 49);
    assert_eq!(pool.apply(square, (7,)).unwrap(), 49);
    assert_eq!(pool.submit(square, 7).wait().unwrap(), 49);
    assert_eq!(pool.try_submit(square, 7).unwrap().wait().unwrap(), 49);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Address {
    street: String,
    numbers: BTreeMap<u32, Option<char>>,
}

#[task]
fn lengths(text: &str, numbers: &[u64], address: &Address, words: &[String]) -> Vec<usize> {
    let words = words.iter().map(String::len).sum();
    vec![text.len(), numbers.len(), address.numbers.len(), words]
}

#[test]
fn parameters_may_be_borrowed() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let address = Address {
        street: "Dammstrasse".into(),
        numbers: BTreeMap::from([(1, Some('a')), (2, None)]),
    };
    let owned = (
        String::from("four"),
        vec![1, 2, 3],
        address.clone(),
        vec![String::from("one"), String::from("three")],
    );
    let words = owned.3.clone();
    assert_eq!(pool.apply(lengths, owned).unwrap(), [4, 3, 2, 8]);
    // What the caller keeps is passed by reference; nothing is cloned.
    let passed = ("four", &[1, 2, 3], &address, &words[..]);
    assert_eq!(pool.apply(lengths, passed).unwrap(), [4, 3, 2, 8]);
    let text = String::from("grüezi");
    let passed = (text.as_str(), [0u64; 1000], &address, &words);
    assert_eq!(pool.apply(lengths, passed).unwrap(), [7, 1000, 2, 8]);
}

#[task]
fn nothing(_: ()) {}

#[task]
fn move_house(mut address: Address, street: String) -> (Address, Option<f64>, [i8; 3]) {
    address.street = street;
    (address, Some(0.5), [-1, 0, 1])
}

#[test]
fn values_come_back_as_they_were() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let address = Address {
        street: String::new(),
        numbers: (0..100).map(|n| (n, char::from_u32(n))).collect(),
    };
    let moved = pool.apply(move_house, (&address, "Limmatquai")).unwrap();
    let expected = Address {
        street: "Limmatquai".into(),
        ..address
    };
    assert_eq!(moved, (expected, Some(0.5), [-1, 0, 1]));
    pool.apply(nothing, ((),)).unwrap();
}

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
    assert!(panic.location().unwrap().contains("submit.rs"), "{panic:?}");
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

    let accepted = std::sync::atomic::AtomicUsize::new(0);
    let order = std::sync::atomic::Ordering::SeqCst;
    thread::scope(|scope| {
        let submitter = scope.spawn(|| {
            let futures: Vec<_> = (0..50u64)
                .map(|n| {
                    let future = pool.submit(square, n);
                    accepted.fetch_add(1, order);
                    future
                })
                .collect();
            futures
                .into_iter()
                .map(|future| future.wait().unwrap())
                .sum::<u64>()
        });
        until(|| accepted.load(order) >= 3);
        // Nothing ends before the release, so this holds whenever it is read: what waits, what
        // lies with the worker, and no more.
        let waiting = accepted.load(order);
        held.release.raise();
        assert_eq!(
            submitter.join().unwrap(),
            (0..50).map(|n| n * n).sum::<u64>()
        );
        assert!(waiting <= 3 + 4, "{waiting} calls were in a queue for 3");
    });
    first.wait().unwrap();
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
