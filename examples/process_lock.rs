//! Two processes that write to one stream, one at a time: the article's `multiprocessing_lock.py`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use ppool::{RemoteError, process::Process, sync::Lock, task};

#[task]
fn worker_with(lock: Lock) {
    let _guard = lock.lock();
    println!("Lock acquired via with");
}

/// The same with an end of its own.
#[task]
fn worker_no_with(lock: Lock) {
    let guard = lock.lock();
    println!("Lock acquired directly");
    drop(guard);
}

fn main() -> Result<(), RemoteError> {
    let lock = Lock::new();
    let w = Process::spawn(worker_with, &lock)?;
    let nw = Process::spawn(worker_no_with, &lock)?;
    w.join()?;
    nw.join()?;
    Ok(())
}
