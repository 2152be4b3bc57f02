//! Results of many processes, each as soon as it is there: pprocess's "message exchanges", with
//! `add`, `active` and `ready`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::{thread, time::Duration};

use ppool::{
    RemoteError,
    channel::{self, Channel, Exchange},
    task,
};

/// Takes its time, and sends twice.
#[task]
fn work(channel: Channel<String, ()>, name: &str, time: Duration) -> Result<(), RemoteError> {
    channel.send(format!("{name} has begun"))?;
    thread::sleep(time);
    channel.send(format!("{name} is done"))?;
    Ok(())
}

fn main() -> Result<(), RemoteError> {
    let exchange = Exchange::new();
    // The slowest first: nobody waits for it.
    for (name, time) in [("slow", 400), ("medium", 200), ("fast", 0)] {
        let time = Duration::from_millis(time);
        exchange.add(channel::start(work, (name, time)))?;
    }
    while !exchange.active().is_empty() {
        for channel in exchange.ready(None) {
            println!("{}", channel.receive()?);
        }
    }
    Ok(())
}
