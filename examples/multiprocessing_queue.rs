//! One object goes through a queue to another process: `multiprocessing_queue.py` of Python Module of
//! the Week.
//!
//! ```text
//! cargo run --release --example multiprocessing_queue
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::error::Error;

use ppool::{
    process::{self, Process},
    sync::Queue,
    task,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct MyFancyClass {
    name: String,
}

impl MyFancyClass {
    fn do_something(&self) {
        let process = process::current();
        println!(
            "Doing something fancy in {} for {}!",
            process.name(),
            self.name
        );
    }
}

#[task]
fn worker(queue: Queue<MyFancyClass>) {
    if let Ok(object) = queue.get() {
        object.do_something();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let queue = Queue::new();
    let process = Process::spawn(worker, &queue)?;
    queue.put(MyFancyClass {
        name: "Fancy Dan".into(),
    })?;
    // What is in the queue can still be taken. There is no thread to join: it was there at once.
    queue.close();
    process.join()?;
    Ok(())
}
