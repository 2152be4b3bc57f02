//! A dict that ten processes write into: the article's `multiprocessing_manager_dict.py`.
#![forbid(unsafe_code)]

use std::{
    collections::BTreeMap,
    io::{Write as _, stdout},
};

use ppool::{
    RemoteError,
    manager::{Dict, Manager},
    process::Process,
    task,
};

#[task]
fn worker(d: Dict<u32, u32>, key: u32, value: u32) -> Result<(), RemoteError> {
    d.insert(key, value)?;
    Ok(())
}

fn main() -> Result<(), RemoteError> {
    let manager = Manager::start()?;
    let d = manager.dict()?;
    let mut jobs = Vec::new();
    for i in 0..10 {
        jobs.push(Process::spawn(worker, (&d, i, i * 2))?);
    }
    for job in jobs {
        job.join()?;
    }
    // In the order of the keys; the dict has them in that of their coming.
    let results: BTreeMap<u32, u32> = d.items()?.into_iter().collect();
    writeln!(stdout(), "Results: {results:?}")?;
    Ok(())
}
