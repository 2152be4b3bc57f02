//! Consumers that take tasks from one queue and put results into another, until each has got its
//! poison pill: the article's `multiprocessing_producer_consumer.py`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::{
    fmt,
    thread::{available_parallelism, sleep},
    time::Duration,
};

use ppool::{
    Callable, RemoteError,
    process::{self, Process},
    sync::Queue,
    task,
};
use serde::{Deserialize, Serialize};

/// A process as an object: what the article's subclass of `Process` with a `run` method is.
#[derive(Serialize, Deserialize)]
struct Consumer {
    task_queue: Queue<Option<Task>>,
    result_queue: Queue<String>,
}

#[task]
impl Callable for Consumer {
    type Output = Result<(), RemoteError>;

    fn call(self) -> Result<(), RemoteError> {
        let this = process::current();
        // `None` is the poison pill: it means that we should exit.
        while let Some(next_task) = self.task_queue.get()? {
            println!("{}: {next_task}", this.name());
            self.result_queue.put(next_task.answer())?;
        }
        println!("{}: Exiting", this.name());
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Task {
    a: u32,
    b: u32,
}

impl Task {
    fn answer(&self) -> String {
        // Pretend to take some time to do the work.
        sleep(Duration::from_millis(100));
        format!("{self} = {}", self.a * self.b)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} * {}", self.a, self.b)
    }
}

fn main() -> Result<(), RemoteError> {
    let (tasks, results) = (Queue::new(), Queue::new());

    let num_consumers = available_parallelism()?.get() * 2;
    println!("Creating {num_consumers} consumers");
    let mut consumers = Vec::new();
    for i in 1..=num_consumers {
        let consumer = Consumer {
            task_queue: tasks.clone(),
            result_queue: results.clone(),
        };
        let process = Process::builder().name(format!("Consumer-{i}"));
        consumers.push(process.spawn_object(consumer)?);
    }

    let num_jobs = 10;
    for i in 0..num_jobs {
        tasks.put(Some(Task { a: i, b: i }))?;
    }
    for _ in &consumers {
        tasks.put(None)?;
    }

    // In the order in which they were done, which is not always the one in which they were put.
    for _ in 0..num_jobs {
        println!("Result: {}", results.get()?);
    }
    Ok(())
}
