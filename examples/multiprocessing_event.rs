//! One process waits for an event as long as it takes, another only so long:
//! `multiprocessing_event.py` of Python Module of the Week.
//!
//! ```text
//! cargo run --release --example multiprocessing_event
//! ```
//!
//! The second gives up before the event is set, because the program waits for that.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::{error::Error, time::Duration};

use ppool::{process::Process, sync::Event, task};

#[task]
fn wait_for_event(event: Event) {
    println!("wait_for_event: starting");
    event.wait();
    println!("wait_for_event: e.is_set()-> {}", event.is_set());
}

#[task]
fn wait_for_event_timeout(event: Event, timeout: Duration) {
    println!("wait_for_event_timeout: starting");
    // It returns without an error when the time is over.
    event.wait_timeout(timeout);
    println!("wait_for_event_timeout: e.is_set()-> {}", event.is_set());
}

fn main() -> Result<(), Box<dyn Error>> {
    let event = Event::new();
    let block = Process::builder()
        .name("block")
        .spawn(wait_for_event, &event)?;
    let timeout = Duration::from_millis(200);
    let non_block = Process::builder()
        .name("non-block")
        .spawn(wait_for_event_timeout, (&event, timeout))?;
    println!("main: waiting before calling Event.set()");
    non_block.join()?;
    event.set();
    println!("main: event is set");
    block.join()?;
    Ok(())
}
