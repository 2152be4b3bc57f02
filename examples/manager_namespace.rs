//! A value that one worker puts into a namespace and another finds there: the article's
//! `multiprocessing_namespaces.py`.
#![forbid(unsafe_code)]

use std::io::{Write as _, stdout};

use ppool::{
    Pool, RemoteError,
    manager::{Event, Manager, Namespace},
    task,
};

#[task]
fn producer(ns: Namespace, event: Event) -> Result<(), RemoteError> {
    ns.set("value", "This is the value")?;
    event.set()?;
    Ok(())
}

/// `looked` is not in the article, where it is left to chance that the consumer looks first.
#[task]
fn consumer(ns: Namespace, event: Event, looked: Event) -> Result<(), RemoteError> {
    match ns.get::<String>("value") {
        Ok(value) => writeln!(stdout(), "Before event, consumer got: {value}")?,
        Err(error) => writeln!(stdout(), "Before event, consumer got: {error}")?,
    }
    looked.set()?;
    event.wait()?;
    let value: String = ns.get("value")?;
    writeln!(stdout(), "After event, consumer got: {value}")?;
    Ok(())
}

fn main() -> Result<(), RemoteError> {
    let manager = Manager::start()?;
    let namespace = manager.namespace()?;
    let (event, looked) = (manager.event()?, manager.event()?);
    let pool = Pool::builder().workers(2).build()?;
    let c = pool.submit(consumer, (&namespace, &event, &looked));
    looked.wait()?;
    let p = pool.submit(producer, (&namespace, &event));
    c.wait()??;
    p.wait()??;
    Ok(())
}
