//! An object for a process, through a queue: the article's `multiprocessing_queue.py`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use ppool::{
    RemoteError,
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
        let this = process::current();
        println!(
            "Doing something fancy in {} for {}!",
            this.name(),
            self.name
        );
    }
}

#[task]
fn worker(q: Queue<MyFancyClass>) -> Result<(), RemoteError> {
    let obj = q.get()?;
    obj.do_something();
    Ok(())
}

fn main() -> Result<(), RemoteError> {
    let queue = Queue::new();
    let p = Process::spawn(worker, &queue)?;
    let name = "Fancy Dan".to_owned();
    queue.put(MyFancyClass { name })?;
    // Wait for the worker to finish.
    queue.close();
    p.join()?;
    Ok(())
}
