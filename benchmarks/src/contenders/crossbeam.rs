//! A thread pool over a crossbeam channel, as many programs have one: threads that take boxed
//! functions from one queue.

use std::thread::JoinHandle;

use crossbeam_channel::{Sender, unbounded};

use super::{Contender, Pending, one_shot::OneShot};
use crate::{
    Failure,
    jobs::{Job, Value, square_chunk},
};

/// The threads and their queue.
#[derive(Debug)]
pub struct Crossbeam {
    queue: Sender<Box<dyn FnOnce() + Send>>,
    threads: Vec<JoinHandle<()>>,
}

impl Contender for Crossbeam {
    type Pending<R: Value> = OneShot<R>;

    fn start(workers: usize) -> Result<Self, Failure> {
        let (queue, calls) = unbounded::<Box<dyn FnOnce() + Send>>();
        let start = |_| {
            let calls = calls.clone();
            std::thread::spawn(move || calls.into_iter().for_each(|call| call()))
        };
        let threads = (0..workers).map(start).collect();
        Ok(Crossbeam { queue, threads })
    }

    fn submit<A: Value, R: Value>(&self, job: impl Job<A, R>, argument: A) -> Self::Pending<R> {
        let (run, pending) = OneShot::wrap(move || job(argument));
        // When the threads are gone, the future says so.
        let _ = self.queue.send(Box::new(run));
        pending
    }

    /// It has no map: chunks by hand, four for each thread.
    fn map(&self, inputs: &[u64]) -> Result<Vec<u64>, Failure> {
        let size = inputs.len().div_ceil(4 * self.threads.len()).max(1);
        let chunks = inputs.chunks(size).map(<[u64]>::to_vec);
        let calls: Vec<_> = chunks.map(|c| self.submit(square_chunk, c)).collect();
        let results: Result<Vec<_>, _> = calls.into_iter().map(Pending::wait).collect();
        Ok(results?.concat())
    }

    fn take_bytes(&self, _: &mut Vec<u8>) -> Result<u64, Failure> {
        Err("threads share memory".into())
    }

    fn echo_bytes(&self, _: &mut Vec<u8>) -> Result<Vec<u8>, Failure> {
        Err("threads share memory".into())
    }

    fn stop(self) {
        drop(self.queue);
        for thread in self.threads {
            // A thread whose call panicked has had its say.
            let _ = thread.join();
        }
    }
}
