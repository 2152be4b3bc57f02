//! A table that many processes compute, at most four at a time: pprocess's "convenient message
//! exchanges", with `add_wait` and `finish`. The closure is its `store_data`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use ppool::{
    RemoteError,
    channel::{self, Channel, Exchange},
    task,
};

const ROWS: usize = 4;
const COLUMNS: usize = 6;

type Cell = (usize, usize, usize);

#[task]
fn calculate(channel: Channel<Cell, ()>, row: usize, column: usize) -> Result<(), RemoteError> {
    channel.send((row, column, (row + 1) * (column + 1)))?;
    Ok(())
}

fn main() -> Result<(), RemoteError> {
    let mut table = [[0; COLUMNS]; ROWS];
    let mut failures = Vec::new();
    let exchange =
        Exchange::with_limit(4).store(|channel: &Channel<(), Cell>| match channel.receive() {
            Ok((row, column, product)) => table[row][column] = product,
            Err(error) => failures.push(error),
        });
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            exchange.add_wait(channel::start(calculate, (row, column)))?;
        }
    }
    exchange.finish();
    for row in table {
        println!("{}", row.map(|product| format!("{product:>3}")).concat());
    }
    failures.pop().map_or(Ok(()), |error| Err(error.into()))
}
