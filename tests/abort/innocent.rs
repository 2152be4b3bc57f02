//! After each call that panics comes one that does not, and it must not be the one that pays. It is
//! an example so that it can be built with `panic = "abort"`, which the test harness can't be.
#![forbid(unsafe_code)]

use ppool::{Pool, TaskErrorKind, task};

const ROUNDS: u64 = 200;

#[task]
fn square(n: u64) -> u64 {
    n * n
}

#[task]
fn panics() {
    panic!("on purpose");
}

fn main() {
    let pool = Pool::builder().workers(2).build().expect("a plain pool");
    for n in 0..ROUNDS {
        let error = pool.apply(panics, ()).expect_err("it panics");
        assert!(
            matches!(error.kind(), TaskErrorKind::Panicked(panic) if panic.message() == "on purpose"),
            "{error:?}"
        );
        assert_eq!(pool.apply(square, n).expect("an innocent call"), n * n);
    }
    // Those that wait behind one that panics are innocent too.
    let guilty = pool.submit(panics, ());
    let innocent: Vec<_> = (0..ROUNDS).map(|n| pool.submit(square, n)).collect();
    guilty.wait().expect_err("it panics");
    for (n, call) in (0..).zip(innocent) {
        assert_eq!(call.wait().expect("an innocent call"), n * n);
    }
}
