//! A pool from a user's side: the rows of docs/performance.md that are times, for ppool alone.
//!
//! `make bench` compares it with others; this is for telling whether a change made it faster. The
//! rows about memory, idle pools and the share of the CPUs are only there.
#![forbid(unsafe_code)]

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ppool::{Pool, task};

#[task]
fn same(n: u64) -> u64 {
    n
}

/// Reads one byte of each page.
#[task]
fn take_bytes(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .step_by(4096)
        .map(|byte| u64::from(*byte))
        .sum()
}

#[task]
fn echo_bytes(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[task]
fn abort_at_times(n: u64) -> u64 {
    if n % 20 == 10 {
        std::process::abort();
    }
    n
}

fn pool_of(workers: usize) -> Pool {
    let pool = Pool::builder().workers(workers).build();
    pool.expect("a plain pool")
}

/// With a worker for each CPU, and started.
fn warm_pool() -> Pool {
    let pool = Pool::new();
    pool.map(same, 0..1000).expect("no-ops don't fail");
    pool
}

fn calls(c: &mut Criterion) {
    let pool = warm_pool();
    let mut group = c.benchmark_group("calls");
    group.bench_function("one no-op, submit and wait", |b| {
        b.iter(|| pool.apply(same, 7).expect("no-ops don't fail"));
    });
    for n in [1000, 20_000] {
        group.throughput(Throughput::Elements(n));
        group.sample_size(10);
        group.bench_function(format!("{n} no-ops, awaited at the end"), |b| {
            b.iter(|| {
                let futures: Vec<_> = (0..n).map(|n| pool.submit(same, n)).collect();
                futures.into_iter().all(|future| future.wait().is_ok())
            });
        });
    }
    group.finish();
}

fn maps(c: &mut Criterion) {
    let pool = warm_pool();
    let mut group = c.benchmark_group("map");
    group.sample_size(10);
    for n in [10_000, 100_000] {
        group.throughput(Throughput::Elements(n));
        group.bench_function(format!("{n} u64"), |b| {
            b.iter(|| pool.map(same, 0..n).expect("no-ops don't fail"));
        });
    }
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("10000 u64, chunk_size(1)", |b| {
        b.iter(|| {
            let one_by_one = pool.task(same).chunk_size(1);
            one_by_one.map(0..10_000).expect("no-ops don't fail")
        });
    });
    group.finish();
}

fn bytes(c: &mut Criterion) {
    let pool = warm_pool();
    let mut group = c.benchmark_group("bytes");
    group.sample_size(10);
    for len in [4 << 10, 1 << 20, 64 << 20] {
        let bytes = vec![7u8; len];
        let name = format!("{} KiB", len >> 10);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("{name} as an argument"), |b| {
            b.iter(|| pool.apply(take_bytes, &bytes[..]).expect("it only reads"));
        });
        group.throughput(Throughput::Bytes(2 * len as u64));
        group.bench_function(format!("{name} there and back"), |b| {
            b.iter(|| pool.apply(echo_bytes, &bytes[..]).expect("it only copies"));
        });
    }
    group.finish();
}

fn lives(c: &mut Criterion) {
    let mut group = c.benchmark_group("life");
    group.sample_size(10);
    group.bench_function("pool of 2: start, first result, stop", |b| {
        b.iter(|| pool_of(2).apply(same, 7).expect("no-ops don't fail"));
    });
    group.bench_function("pool of 32: start, all workers idle, stop", |b| {
        b.iter(|| {
            let pool = pool_of(32);
            pool.apply(same, 7).expect("no-ops don't fail");
            while pool.idle_workers() < 32 {
                std::thread::sleep(Duration::from_micros(200));
            }
        });
    });
    group.bench_function("100 calls of which 5 abort", |b| {
        b.iter_batched_ref(
            warm_pool,
            |pool| {
                let futures: Vec<_> = (0..100).map(|n| pool.submit(abort_at_times, n)).collect();
                let results = futures.into_iter().map(|future| future.wait());
                assert_eq!(results.filter(Result::is_err).count(), 5);
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, calls, maps, bytes, lives);
criterion_main!(benches);
