//! Ten processes, of which three at a time are active, and say who is: the article's
//! `multiprocessing_semaphore.py`.
#![forbid(unsafe_code)]

use std::{
    io::{Write as _, stdout},
    thread,
    time::Duration,
};

use ppool::{
    RemoteError,
    manager::{List, Manager, ManagerError},
    process::{self, Process},
    sync::{Lock, Semaphore},
    task,
};
use serde::{Deserialize, Serialize};

/// Who is active. It travels with the handles in it.
#[derive(Serialize, Deserialize)]
struct ActivePool {
    active: List<String>,
    lock: Lock,
}

impl ActivePool {
    fn new(manager: &Manager) -> Result<Self, ManagerError> {
        Ok(ActivePool {
            active: manager.list()?,
            lock: Lock::new(),
        })
    }

    fn make_active(&self, name: &str) -> Result<(), ManagerError> {
        let _lock = self.lock.lock();
        self.active.push(name)
    }

    fn make_inactive(&self, name: &str) -> Result<(), ManagerError> {
        let _lock = self.lock.lock();
        self.active.remove_item(name).map(drop)
    }

    fn names(&self) -> Result<Vec<String>, ManagerError> {
        let _lock = self.lock.lock();
        self.active.to_vec()
    }
}

#[task]
fn worker(s: Semaphore, pool: ActivePool) -> Result<(), RemoteError> {
    let current = process::current();
    let name = current.name();
    let _permit = s.acquire();
    pool.make_active(name)?;
    writeln!(stdout(), "Now running: {:?}", pool.names()?)?;
    // Pretend to take some time, some less than others.
    let seed: u64 = name.parse()?;
    thread::sleep(Duration::from_millis(seed * 37 % 100));
    pool.make_inactive(name)?;
    Ok(())
}

fn main() -> Result<(), RemoteError> {
    let manager = Manager::start()?;
    let pool = ActivePool::new(&manager)?;
    let s = Semaphore::new(3);
    let mut jobs = Vec::new();
    for i in 0..10 {
        let job = Process::builder().name(i.to_string());
        jobs.push(job.spawn(worker, (&s, &pool))?);
    }
    for job in jobs {
        job.join()?;
        writeln!(stdout(), "Now running: {:?}", pool.names()?)?;
    }
    Ok(())
}
