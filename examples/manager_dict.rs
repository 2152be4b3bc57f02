//! A dict that ten workers write into: the article's `multiprocessing_manager_dict.py`.
#![forbid(unsafe_code)]

use std::{
    collections::BTreeMap,
    io::{Write as _, stdout},
};

use ppool::{
    Pool, RemoteError,
    manager::{Dict, Manager},
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
    let pool = Pool::builder().workers(10).build()?;
    let jobs: Vec<_> = (0..10)
        .map(|i| pool.submit(worker, (&d, i, i * 2)))
        .collect();
    for job in jobs {
        job.wait()??;
    }
    // In the order of the keys; the dict has them in that of their coming.
    let results: BTreeMap<u32, u32> = d.items()?.into_iter().collect();
    writeln!(stdout(), "Results: {results:?}")?;
    Ok(())
}
