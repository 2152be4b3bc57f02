//! Two processes that wait for an event, one of them not for ever: the article's
//! `multiprocessing_event.py`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::time::Duration;

use ppool::{RemoteError, process::Process, sync::Event, task};

/// Waits for the event to be set before it does anything.
#[task]
fn wait_for_event(e: Event) {
    println!("wait_for_event: starting");
    e.wait();
    println!("wait_for_event: e.is_set()-> {}", e.is_set());
}

/// Waits for so long and then goes on, whether it is set or not.
#[task]
fn wait_for_event_timeout(e: Event, t: Duration) {
    println!("wait_for_event_timeout: starting");
    e.wait_timeout(t);
    println!("wait_for_event_timeout: e.is_set()-> {}", e.is_set());
}

fn main() -> Result<(), RemoteError> {
    let e = Event::new();
    let w1 = Process::builder().name("block").spawn(wait_for_event, &e)?;
    let w2 = Process::builder()
        .name("non-block")
        .spawn(wait_for_event_timeout, (&e, Duration::from_millis(200)))?;

    println!("main: waiting before calling Event.set()");
    // The article sleeps for longer than the other waits; this can't be too short.
    w2.join()?;
    e.set();
    println!("main: event is set");
    w1.join()?;
    Ok(())
}
