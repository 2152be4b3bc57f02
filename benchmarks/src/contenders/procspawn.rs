//! procspawn: the process pool that Rust had before.

use std::mem;

use nix::sys::resource::{Resource, getrlimit};
use procspawn::JoinHandle;
use serde_bytes::ByteBuf;

use super::{Contender, Pending};
use crate::{
    Failure,
    jobs::{Job, Value, square_chunk, take_bytes},
};

/// How many descriptors a queued call holds.
const DESCRIPTORS_PER_CALL: u64 = 3;

/// A `procspawn::Pool`.
#[derive(Debug)]
pub struct Procspawn {
    pool: procspawn::Pool,
    workers: usize,
}

impl Contender for Procspawn {
    type Pending<R: Value> = JoinHandle<R>;

    fn start(workers: usize) -> Result<Self, Failure> {
        let pool = procspawn::Pool::new(workers)?;
        Ok(Procspawn { pool, workers })
    }

    fn submit<A: Value, R: Value>(&self, job: impl Job<A, R>, argument: A) -> Self::Pending<R> {
        self.pool.spawn(argument, *job)
    }

    /// It has no map: chunks by hand, four for each worker.
    fn map(&self, inputs: &[u64]) -> Result<Vec<u64>, Failure> {
        let size = inputs.len().div_ceil(4 * self.workers).max(1);
        let chunks = inputs.chunks(size).map(<[u64]>::to_vec);
        let calls: Vec<_> = chunks.map(|c| self.submit(square_chunk, c)).collect();
        let results: Result<Vec<_>, _> = calls.into_iter().map(Pending::wait).collect();
        Ok(results?.concat())
    }

    /// Waits for calls when as many are queued as there are descriptors for.
    fn map_one_by_one(&self, inputs: &[u64]) -> Result<Vec<u64>, Failure> {
        let most = Self::most_queued().map_or(usize::MAX, |(most, _)| most);
        let mut squares = Vec::with_capacity(inputs.len());
        for batch in inputs.chunks(most) {
            let submit = |n: &u64| self.submit(crate::jobs::square, *n);
            let calls: Vec<_> = batch.iter().map(submit).collect();
            for call in calls {
                squares.push(Pending::wait(call)?);
            }
        }
        Ok(squares)
    }

    /// As bytes (`serde_bytes`), which is many times as fast as a sequence of numbers.
    fn take_bytes(&self, bytes: &mut Vec<u8>) -> Result<u64, Failure> {
        let argument = ByteBuf::from(mem::take(bytes));
        let call = self.pool.spawn(argument, |bytes| take_bytes(&bytes));
        Ok(call.join()?)
    }

    fn echo_bytes(&self, bytes: &mut Vec<u8>) -> Result<Vec<u8>, Failure> {
        let argument = ByteBuf::from(mem::take(bytes));
        let call = self.pool.spawn(argument, |bytes| bytes);
        Ok(call.join()?.into_vec())
    }

    fn most_queued() -> Option<(usize, &'static str)> {
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
        let most = soft.saturating_sub(128) / DESCRIPTORS_PER_CALL;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Some((most, "each queued call holds three descriptors"))
    }

    /// Waits for the calls, then kills the workers; it has no gentler end.
    fn stop(self) {
        self.pool.shutdown();
    }
}

impl<R: Value> Pending<R> for JoinHandle<R> {
    fn wait(self) -> Result<R, Failure> {
        Ok(self.join()?)
    }
}
