//! Ten processes, of which at most three use something at a time: `multiprocessing_semaphore.py` of
//! Python Module of the Week.
//!
//! ```text
//! cargo run --release --example multiprocessing_semaphore
//! ```
//!
//! Who is active is in shared memory here, where the article needs a manager for it.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "the program shows its result on standard output"
)]

use std::{error::Error, fmt, thread, time::Duration};

use ppool::{process::Process, shared::SharedArray, sync::Semaphore, task};
use serde::{Deserialize, Serialize};

const JOBS: u8 = 10;
/// A free place in the list.
const NOBODY: u8 = u8::MAX;

/// The names of those who are active.
#[derive(Clone, Serialize, Deserialize)]
struct ActivePool {
    active: SharedArray<u8>,
}

impl ActivePool {
    fn make_active(&self, name: u8) {
        self.replace(NOBODY, name);
    }

    fn make_inactive(&self, name: u8) {
        self.replace(name, NOBODY);
    }

    fn replace(&self, old: u8, new: u8) {
        self.active.with_lock(|active| {
            if let Some(place) = active.iter_mut().find(|place| **place == old) {
                *place = new;
            }
        });
    }
}

impl fmt::Display for ActivePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let active = self.active.to_vec();
        let names = active.into_iter().filter(|name| *name != NOBODY);
        f.debug_list()
            .entries(names.map(|name| name.to_string()))
            .finish()
    }
}

#[task]
fn worker(semaphore: Semaphore, pool: ActivePool, name: u8) {
    let _permit = semaphore.acquire();
    pool.make_active(name);
    println!("Now running: {pool}");
    thread::sleep(Duration::from_millis(u64::from(name) * 7 % 30));
    pool.make_inactive(name);
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = ActivePool {
        active: (0..JOBS).map(|_| NOBODY).collect(),
    };
    let semaphore = Semaphore::new(3);
    let start = |name: u8| {
        let process = Process::builder().name(name.to_string());
        process.spawn(worker, (&semaphore, &pool, name))
    };
    let jobs: Vec<Process> = (0..JOBS).map(start).collect::<Result<_, _>>()?;
    for job in jobs {
        job.join()?;
        println!("Now running: {pool}");
    }
    Ok(())
}
