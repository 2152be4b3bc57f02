//! ppool itself, with default settings but for the number of workers.

use super::{Contender, Pending};
use crate::{
    Failure,
    jobs::{Job, Value, echo_bytes, square, take_bytes},
};

/// A `ppool::Pool`.
#[derive(Debug)]
pub struct Ppool(ppool::Pool);

impl Contender for Ppool {
    type Pending<R: Value> = ppool::TaskFuture<R>;

    fn start(workers: usize) -> Result<Self, Failure> {
        Ok(Ppool(ppool::Pool::builder().workers(workers).build()?))
    }

    fn submit<A: Value, R: Value>(&self, job: impl Job<A, R>, argument: A) -> Self::Pending<R> {
        self.0.submit(job, argument)
    }

    fn map(&self, inputs: &[u64]) -> Result<Vec<u64>, Failure> {
        Ok(self.0.map(square, inputs)?)
    }

    fn map_one_by_one(&self, inputs: &[u64]) -> Result<Vec<u64>, Failure> {
        Ok(self.0.task(square).chunk_size(1).map(inputs)?)
    }

    fn take_bytes(&self, bytes: &mut Vec<u8>) -> Result<u64, Failure> {
        Ok(self.0.apply(take_bytes, bytes.as_slice())?)
    }

    fn echo_bytes(&self, bytes: &mut Vec<u8>) -> Result<Vec<u8>, Failure> {
        Ok(self.0.apply(echo_bytes, bytes.as_slice())?)
    }

    fn stop(self) {
        self.0.close();
        self.0.join();
    }
}

impl<R: Value> Pending<R> for ppool::TaskFuture<R> {
    fn wait(self) -> Result<R, Failure> {
        // (Its own `wait`, not this one.)
        Ok(ppool::TaskFuture::wait(self)?)
    }
}
