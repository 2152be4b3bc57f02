//! The smallest whole program: one task, one pool, one map. There is nothing else to write.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use ppool::{Pool, task};

#[task]
fn square(n: u64) -> u64 {
    n * n
}

fn main() -> Result<(), ppool::TaskError> {
    let squares: Vec<u64> = Pool::new().map(square, 0..10)?;
    println!("{squares:?}");
    Ok(())
}
