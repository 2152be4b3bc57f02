//! Two processes that go on when a third is done with its stage: the article's
//! `multiprocessing_condition.py`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use ppool::{
    RemoteError,
    process::{self, Process},
    sync::{Condition, Event},
    task,
};

/// Does the first stage of the work, then notifies stage 2 to go on.
#[task]
fn stage_1(cond: Condition, done: Event) {
    let this = process::current();
    println!("Starting {}", this.name());
    let _guard = cond.lock();
    println!("{} done and ready for stage 2", this.name());
    done.set();
    cond.notify_all();
}

/// Waits for the condition that tells that stage 1 is done.
///
/// The article waits for the notification alone, sleeps so as not to miss it, and hopes. With the
/// condition in words, it does not matter who comes first.
#[task]
fn stage_2(cond: Condition, done: Event) {
    let this = process::current();
    println!("Starting {}", this.name());
    let _guard = cond.wait_while(cond.lock(), || !done.is_set());
    println!("{} running", this.name());
}

fn main() -> Result<(), RemoteError> {
    let (condition, done) = (Condition::new(), Event::new());
    let mut processes = Vec::new();
    for i in 1..=2 {
        let client = Process::builder().name(format!("stage_2[{i}]"));
        processes.push(client.spawn(stage_2, (&condition, &done))?);
    }
    let s1 = Process::builder().name("s1");
    processes.push(s1.spawn(stage_1, (&condition, &done))?);
    for process in processes {
        process.join()?;
    }
    Ok(())
}
