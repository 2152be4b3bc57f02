//! What a future costs: asking it, waiting for it when it is done, waiting for many.
#![forbid(unsafe_code)]

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ppool::{Pool, TaskFuture, WaitFor, as_completed, task, wait};

#[task]
fn same(n: u64) -> u64 {
    n
}

const MANY: u64 = 100;

fn pool() -> Pool {
    let pool = Pool::builder().workers(1).build();
    pool.expect("a plain pool")
}

/// Futures whose values are there.
fn done(pool: &Pool) -> Vec<TaskFuture<u64>> {
    let futures: Vec<_> = (0..MANY).map(|n| pool.submit(same, n)).collect();
    wait(&futures, WaitFor::All, None);
    futures
}

fn one(c: &mut Criterion) {
    let pool = pool();
    let future = pool.submit(same, 7);
    wait(std::slice::from_ref(&future), WaitFor::All, None);
    c.bench_function("future/is_done", |b| b.iter(|| future.is_done()));
    c.bench_function("future/state", |b| b.iter(|| future.state()));
    c.bench_function("future/wait, done", |b| {
        b.iter_batched(
            || done(&pool),
            |futures| futures.into_iter().map(TaskFuture::wait).all(|r| r.is_ok()),
            BatchSize::SmallInput,
        );
    });
    c.bench_function("future/await, done", |b| {
        b.iter_batched(
            || done(&pool),
            |futures| {
                let mut context = Context::from_waker(Waker::noop());
                futures.into_iter().all(|future| {
                    let polled = pin!(future).poll(&mut context);
                    matches!(polled, Poll::Ready(Ok(_)))
                })
            },
            BatchSize::SmallInput,
        );
    });
}

fn many(c: &mut Criterion) {
    let pool = pool();
    c.bench_function("future/wait for all of 100, done", |b| {
        b.iter_batched_ref(
            || done(&pool),
            |futures| wait(futures, WaitFor::All, None),
            BatchSize::SmallInput,
        );
    });
    c.bench_function("future/as_completed of 100, done", |b| {
        b.iter_batched(
            || done(&pool),
            |futures| as_completed(futures).count(),
            BatchSize::SmallInput,
        );
    });
    c.bench_function("future/submit 100, as_completed", |b| {
        b.iter(|| {
            let futures: Vec<_> = (0..MANY).map(|n| pool.submit(same, n)).collect();
            as_completed(futures).count()
        });
    });
    c.bench_function("future/submit 100, drop", |b| {
        b.iter(|| (0..MANY).for_each(|n| drop(pool.submit(same, n))));
    });
}

criterion_group!(benches, one, many);
criterion_main!(benches);
