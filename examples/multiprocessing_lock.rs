//! Two processes write to the same output, one at a time: `multiprocessing_lock.py` of Python Module of
//! the Week.
//!
//! ```text
//! cargo run --release --example multiprocessing_lock
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::error::Error;

use ppool::{process::Process, sync::Lock, task};

#[task]
fn worker_with(lock: Lock) {
    let _guard = lock.lock();
    println!("Lock acquired via with");
}

#[task]
fn worker_no_with(lock: Lock) {
    let guard = lock.lock();
    println!("Lock acquired directly");
    drop(guard);
}

fn main() -> Result<(), Box<dyn Error>> {
    let lock = Lock::new();
    let processes = [
        Process::spawn(worker_with, &lock)?,
        Process::spawn(worker_no_with, &lock)?,
    ];
    for process in processes {
        process.join()?;
    }
    Ok(())
}
