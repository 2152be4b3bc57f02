//! A function as a process of its own and a channel to it: pprocess's "thread-style processing",
//! `channel = start(fn, arg1, arg2)`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use ppool::{
    RemoteError,
    channel::{self, Channel},
    task,
};

/// Answers a name with greetings. What it returns is ignored, unless it is an error.
#[task]
fn greet(channel: Channel<String, String>, greeting: &str, times: u32) -> Result<(), RemoteError> {
    let name = channel.receive()?;
    for n in 1..=times {
        channel.send(format!("{n}: {greeting}, {name}!"))?;
    }
    if name.is_empty() {
        return Err(RemoteError::new("whom did it greet?"));
    }
    Ok(())
}

fn main() -> Result<(), RemoteError> {
    for name in ["Dan", ""] {
        let channel = channel::start(greet, ("hello", 2));
        channel.send(name)?;
        loop {
            match channel.receive() {
                Ok(line) => println!("{line}"),
                Err(error) => break println!("-- {error}"),
            }
        }
    }
    Ok(())
}
