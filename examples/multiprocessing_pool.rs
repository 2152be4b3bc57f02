//! The map of a pool beside the built-in one: `multiprocessing_pool.py` of Python Module of the Week.
//!
//! ```text
//! cargo run --release --example multiprocessing_pool
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::{error::Error, thread::available_parallelism};

use ppool::{Pool, task};

#[task]
fn do_calculation(data: u64) -> u64 {
    data * 2
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool_size = available_parallelism()?.get() * 2;
    let pool = Pool::builder().workers(pool_size).build()?;

    let inputs: Vec<u64> = (0..10).collect();
    println!("Input   : {inputs:?}");

    let builtin_outputs: Vec<u64> = inputs.iter().map(|n| do_calculation(*n)).collect();
    println!("Built-in: {builtin_outputs:?}");

    let pool_outputs = pool.map(do_calculation, inputs)?;
    println!("Pool    : {pool_outputs:?}");
    Ok(())
}
