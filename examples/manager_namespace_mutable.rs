//! What comes out of a namespace is a copy: a change to it is not propagated. The article's
//! `multiprocessing_namespaces_mutable.py`, and below it the way that works.
#![forbid(unsafe_code)]

use std::io::{Write as _, stdout};

use ppool::{
    Pool, RemoteError,
    manager::{Event, Manager, Namespace},
    task,
};

#[task]
fn producer(ns: Namespace, event: Event) -> Result<(), RemoteError> {
    let mut my_list: Vec<String> = ns.get("my_list")?;
    my_list.push("This is the value".into()); // DOES NOT UPDATE GLOBAL VALUE!
    event.set()?;
    Ok(())
}

#[task]
fn updating_producer(ns: Namespace, event: Event) -> Result<(), RemoteError> {
    ns.update("my_list", |my_list: &mut Vec<String>| {
        my_list.push("This is the value".into());
    })?;
    event.set()?;
    Ok(())
}

/// `looked` is not in the article, where it is left to chance that the consumer looks first.
#[task]
fn consumer(ns: Namespace, event: Event, looked: Event) -> Result<(), RemoteError> {
    let before: Vec<String> = ns.get("my_list")?;
    writeln!(stdout(), "Before event, consumer got: {before:?}")?;
    looked.set()?;
    event.wait()?;
    let after: Vec<String> = ns.get("my_list")?;
    writeln!(stdout(), "After event, consumer got: {after:?}")?;
    Ok(())
}

fn main() -> Result<(), RemoteError> {
    let manager = Manager::start()?;
    let namespace = manager.namespace()?;
    namespace.set("my_list", Vec::<String>::new())?;
    let pool = Pool::builder().workers(2).build()?;

    let (event, looked) = (manager.event()?, manager.event()?);
    let c = pool.submit(consumer, (&namespace, &event, &looked));
    looked.wait()?;
    let p = pool.submit(producer, (&namespace, &event));
    c.wait()??;
    p.wait()??;

    writeln!(stdout(), "With an update:")?;
    let (event, looked) = (manager.event()?, manager.event()?);
    let c = pool.submit(consumer, (&namespace, &event, &looked));
    looked.wait()?;
    let p = pool.submit(updating_producer, (&namespace, &event));
    c.wait()??;
    p.wait()??;
    Ok(())
}
