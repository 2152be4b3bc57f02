//! A value that one process puts into a namespace and another finds there: the article's
//! `multiprocessing_namespaces.py`.
#![forbid(unsafe_code)]

use std::io::{Write as _, stdout};

use ppool::{
    RemoteError,
    manager::{Manager, Namespace},
    process::Process,
    sync::Event,
    task,
};

#[task]
fn producer(ns: Namespace, event: Event) -> Result<(), RemoteError> {
    ns.set("value", "This is the value")?;
    event.set();
    Ok(())
}

/// `looked` is not in the article, where it is left to chance that the consumer looks first.
#[task]
fn consumer(ns: Namespace, event: Event, looked: Event) -> Result<(), RemoteError> {
    match ns.get::<String>("value") {
        Ok(value) => writeln!(stdout(), "Before event, consumer got: {value}")?,
        Err(error) => writeln!(stdout(), "Before event, consumer got: {error}")?,
    }
    looked.set();
    event.wait();
    let value: String = ns.get("value")?;
    writeln!(stdout(), "After event, consumer got: {value}")?;
    Ok(())
}

fn main() -> Result<(), RemoteError> {
    let manager = Manager::start()?;
    let namespace = manager.namespace()?;
    let (event, looked) = (Event::new(), Event::new());
    let c = Process::spawn(consumer, (&namespace, &event, &looked))?;
    looked.wait();
    let p = Process::spawn(producer, (&namespace, &event))?;
    c.join()?;
    p.join()?;
    Ok(())
}
