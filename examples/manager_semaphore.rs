//! Ten workers, of which three at a time are active, and say who is: the article's
//! `multiprocessing_semaphore.py`.
#![forbid(unsafe_code)]

use std::{
    io::{Write as _, stdout},
    thread,
    time::Duration,
};

use ppool::{
    Pool, RemoteError,
    manager::{List, Lock, Manager, ManagerError, Semaphore},
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
            lock: manager.lock()?,
        })
    }

    fn make_active(&self, name: &str) -> Result<(), ManagerError> {
        let _lock = self.lock.lock()?;
        self.active.push(name)
    }

    fn make_inactive(&self, name: &str) -> Result<(), ManagerError> {
        let _lock = self.lock.lock()?;
        self.active.remove_item(name).map(drop)
    }

    fn names(&self) -> Result<Vec<String>, ManagerError> {
        let _lock = self.lock.lock()?;
        self.active.to_vec()
    }
}

#[task]
fn worker(s: Semaphore, pool: ActivePool, name: &str) -> Result<(), RemoteError> {
    let _permit = s.acquire()?;
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
    let active = ActivePool::new(&manager)?;
    let s = manager.semaphore(3)?;
    let pool = Pool::builder().workers(10).build()?;
    let jobs: Vec<_> = (0..10)
        .map(|i| pool.submit(worker, (&s, &active, i.to_string())))
        .collect();
    for job in jobs {
        job.wait()??;
        writeln!(stdout(), "Now running: {:?}", active.names()?)?;
    }
    Ok(())
}
