//! The second stage of a job, in two processes, waits until the first is done:
//! `multiprocessing_condition.py` of Python Module of the Week.
//!
//! ```text
//! cargo run --release --example multiprocessing_condition
//! ```
//!
//! Who is notified before it waits would wait for ever; so what is waited for is a value, which the
//! condition says to look at, and nothing depends on who is first.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::error::Error;

use ppool::{
    process::{self, Process},
    shared::SharedValue,
    sync::Condition,
    task,
};

#[task]
fn stage_1(condition: Condition, stage: SharedValue<u32>) {
    let process = process::current();
    println!("Starting {}", process.name());
    let _guard = condition.lock();
    println!("{} done and ready for stage 2", process.name());
    stage.set(2);
    condition.notify_all();
}

#[task]
fn stage_2(condition: Condition, stage: SharedValue<u32>) {
    let process = process::current();
    println!("Starting {}", process.name());
    let guard = condition.lock();
    let _guard = condition.wait_while(guard, || stage.get() < 2);
    println!("{} running", process.name());
}

fn main() -> Result<(), Box<dyn Error>> {
    let (condition, stage) = (Condition::new(), SharedValue::new(1));
    let mut processes = Vec::new();
    for i in 1..3 {
        let client = Process::builder().name(format!("stage_2[{i}]"));
        processes.push(client.spawn(stage_2, (&condition, &stage))?);
    }
    let first = Process::builder().name("s1");
    processes.push(first.spawn(stage_1, (&condition, &stage))?);
    for process in processes {
        process.join()?;
    }
    Ok(())
}
