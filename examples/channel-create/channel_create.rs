//! A process that goes on where its parent is, and a channel between the two: pprocess's "fork-style
//! processing", `channel = create()`.
#![expect(
    unsafe_code,
    reason = "`create` forks, and its caller has rules to keep"
)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::error::Error;

use ppool::channel::{self, Channel, ChannelError};

fn main() -> Result<(), Box<dyn Error>> {
    let offset = 1000;
    // SAFETY: the created process uses its channel and memory of this thread, and leaves by `exit`.
    let channel = unsafe { channel::create() }?;
    if channel.pid() == 0 {
        // This code is run by the created process, which has what its parent had.
        let done = add(&channel, offset);
        channel.exit(done.is_err().into());
    }
    // This code is run by the creating process.
    for n in 1..=3 {
        channel.send(n)?;
        let sum: u64 = channel.receive()?;
        println!("{n} + {offset} = {sum}");
    }
    channel.close();
    if let Some(exit) = channel.wait() {
        println!("the created process ended: {:?}", exit.exit_code());
    }
    Ok(())
}

/// Adds to each number that comes, until the other side hangs up.
fn add(channel: &Channel, offset: u64) -> Result<(), ChannelError> {
    loop {
        match channel.receive::<u64>() {
            Ok(n) => channel.send(n + offset)?,
            Err(ChannelError::HungUp) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
