//! rayon: threads that steal work. The ceiling: it moves no bytes and starts no process.

use rayon::prelude::*;

use super::{Contender, one_shot::OneShot};
use crate::{
    Failure,
    jobs::{Job, Value, square},
};

/// A `rayon::ThreadPool`.
#[derive(Debug)]
pub struct Rayon(rayon::ThreadPool);

impl Contender for Rayon {
    type Pending<R: Value> = OneShot<R>;

    fn start(workers: usize) -> Result<Self, Failure> {
        let builder = rayon::ThreadPoolBuilder::new();
        Ok(Rayon(builder.num_threads(workers).build()?))
    }

    fn submit<A: Value, R: Value>(&self, job: impl Job<A, R>, argument: A) -> Self::Pending<R> {
        let (run, pending) = OneShot::wrap(move || job(argument));
        self.0.spawn(run);
        pending
    }

    fn map(&self, inputs: &[u64]) -> Result<Vec<u64>, Failure> {
        let squares = || inputs.par_iter().map(|n| square(*n)).collect();
        Ok(self.0.install(squares))
    }

    fn map_one_by_one(&self, inputs: &[u64]) -> Result<Vec<u64>, Failure> {
        let one_by_one = inputs.par_iter().with_max_len(1);
        Ok(self.0.install(|| one_by_one.map(|n| square(*n)).collect()))
    }

    fn take_bytes(&self, _: &mut Vec<u8>) -> Result<u64, Failure> {
        Err("threads share memory".into())
    }

    fn echo_bytes(&self, _: &mut Vec<u8>) -> Result<Vec<u8>, Failure> {
        Err("threads share memory".into())
    }

    fn stop(self) {}
}
