//! What it costs to queue calls and to take them back, while the only worker is busy: encoding, the
//! table of work items, the queue, the pool's lock; no worker takes part.
#![forbid(unsafe_code)]

use std::{
    thread,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ppool::{Pool, SubmitError, TaskFuture, task};

#[task]
fn same(n: u64) -> u64 {
    n
}

/// Keeps its worker busy until the pool is terminated.
#[task]
fn never_ends() {
    loop {
        thread::park();
    }
}

const CALLS: u64 = 10_000;

/// A pool whose only worker is busy.
struct Busy(Pool);

impl Busy {
    fn with_room_for(calls: usize) -> Busy {
        let pool = Pool::builder().workers(1).queue_capacity(calls).build();
        let pool = pool.expect("a plain pool");
        drop(pool.submit(never_ends, ()));
        while pool.busy_workers() == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        Busy(pool)
    }

    fn fill(&self) -> Vec<TaskFuture<u64>> {
        (0..CALLS).map(|n| self.0.submit(same, n)).collect()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.terminate();
    }
}

/// The time of `CALLS` submissions, and that of taking them back.
fn fill_and_cancel(pool: &Busy) -> (Duration, Duration) {
    let start = Instant::now();
    let futures = pool.fill();
    let filled = start.elapsed();
    let start = Instant::now();
    for future in &futures {
        future.cancel();
    }
    (filled, start.elapsed())
}

fn queue(c: &mut Criterion) {
    let pool = Busy::with_room_for(1 << 20);
    let mut group = c.benchmark_group("queue");
    group.throughput(Throughput::Elements(CALLS));
    group.bench_function("submit 10,000 calls", |b| {
        b.iter_custom(|times| (0..times).map(|_| fill_and_cancel(&pool).0).sum());
    });
    group.bench_function("cancel 10,000 calls", |b| {
        b.iter_custom(|times| (0..times).map(|_| fill_and_cancel(&pool).1).sum());
    });
    group.finish();
}

/// The arguments come back.
fn full(c: &mut Criterion) {
    let pool = Busy::with_room_for(1);
    drop(pool.0.submit(same, 7));
    c.bench_function("queue/try_submit when full", |b| {
        b.iter(|| match pool.0.try_submit(same, 7) {
            Err(SubmitError::Full(n)) => n,
            other => panic!("the queue is full: {other:?}"),
        });
    });
}

criterion_group!(benches, queue, full);
criterion_main!(benches);
