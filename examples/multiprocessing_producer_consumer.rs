//! Several consumers of one queue of jobs, ended by a poison pill each:
//! `multiprocessing_producer_consumer.py` of Python Module of the Week.
//!
//! ```text
//! cargo run --release --example multiprocessing_producer_consumer
//! ```
//!
//! Which consumer takes which job, and which result comes first, is a matter of chance. With ppool the
//! pills could be left out: consumers that go through `&queue` end when it is closed and empty.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::{error::Error, fmt, thread, time::Duration};

use ppool::{
    process::{self, Process},
    sync::Queue,
    task,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Job {
    a: u64,
    b: u64,
}

impl Job {
    fn call(&self) -> String {
        // It pretends to take some time to do its work.
        thread::sleep(Duration::from_millis(20));
        format!("{self} = {}", self.a * self.b)
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} * {}", self.a, self.b)
    }
}

#[task]
fn consume(tasks: Queue<Option<Job>>, results: Queue<String>) {
    let process = process::current();
    let name = process.name();
    while let Ok(next) = tasks.get() {
        let Some(job) = next else {
            println!("{name}: Exiting");
            break;
        };
        println!("{name}: {job}");
        if results.put(job.call()).is_err() {
            break;
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (tasks, results) = (Queue::new(), Queue::new());
    let consumers = thread::available_parallelism()?.get() * 2;
    println!("Creating {consumers} consumers");
    let start = |_| Process::spawn(consume, (&tasks, &results));
    let consumers: Vec<Process> = (0..consumers).map(start).collect::<Result<_, _>>()?;

    let jobs = 10;
    for n in 0..jobs {
        tasks.put(Some(Job { a: n, b: n }))?;
    }
    // A poison pill for each consumer.
    for _ in &consumers {
        tasks.put(None)?;
    }
    for _ in 0..jobs {
        println!("Result: {}", results.get()?);
    }
    for consumer in consumers {
        consumer.join()?;
    }
    Ok(())
}
