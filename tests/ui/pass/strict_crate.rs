//! A crate that forbids and denies what it can still has tasks.
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    missing_copy_implementations
)]
#![deny(
    unreachable_pub,
    unused_qualifications,
    unused_results,
    rust_2018_idioms
)]
#![deny(
    single_use_lifetimes,
    let_underscore_drop,
    non_ascii_idents,
    unit_bindings
)]
#![deny(
    nonstandard_style,
    future_incompatible,
    unused,
    trivial_casts,
    trivial_numeric_casts
)]
#![deny(unnameable_types)]

use ppool::{Callable, task};
use serde::{Deserialize, Serialize};

/// Squares.
#[task]
pub fn square(n: u64) -> u64 {
    n * n
}

#[task]
fn greet(name: &str, times: &[u8], long: &Option<bool>) -> Result<String, String> {
    Ok(format!("{name}{times:?}{long:?}"))
}

/// Says nothing.
#[task(name = "silent", timeout = "1s", retries = 1)]
#[deprecated]
pub fn silent() {}

/// A job.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Job;

#[task]
impl Callable for Job {
    type Output = Self;

    fn call(self) -> Self {
        self
    }
}

#[derive(Serialize, Deserialize)]
struct PrivateJob(u8);

#[task]
impl Callable for PrivateJob {
    type Output = u8;

    fn call(self) -> u8 {
        self.0
    }
}

fn main() {
    fn takes<T: ppool::Task>(_: T) {}
    fn takes_job<T: ppool::TaskObject>(_: T) {}

    takes(square);
    takes(greet);
    takes(ppool::closure!(|a: u64, b: &str| -> usize {
        usize::try_from(a).unwrap_or(0) + b.len()
    }));
    takes(ppool::closure!(|| {}));
    takes_job(Job);
    takes_job(PrivateJob(1));
    assert_eq!(square(3), 9);
}
