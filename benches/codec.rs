//! How long values take to become bytes and values again: the raw lanes, and CBOR for the rest.
#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ppool_core::codec::{
    ByCbor, ByPlainSlice, ByRaw, ChunkReader, ChunkWriter, Decoder, Encoder, Lane, Probe, Spacing,
};
use serde::{Deserialize, Serialize};

/// The lane that `#[task]` picks for a type.
macro_rules! lane_of {
    ($type:ty) => {
        (&&&&Probe::<$type>::new()).lane()
    };
}

#[derive(Clone, Serialize, Deserialize)]
struct Small {
    id: u64,
    name: String,
    ratio: f64,
    tags: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Signal {
    name: String,
    samples: Vec<f64>,
}

#[derive(Clone, Serialize, Deserialize)]
struct RawSignal {
    name: String,
    #[serde(with = "ppool_core::raw")]
    samples: Vec<f64>,
}

/// Encodes into a buffer that is there already, and decodes from it.
fn both_ways<P>(c: &mut Criterion, name: &str, lane: Lane<P>, value: &P) {
    let mut buffer = Vec::new();
    let mut group = c.benchmark_group("codec");
    let mut out = Encoder::new();
    lane.encode(value, &mut out).expect("the value is plain");
    group.throughput(Throughput::Bytes(out.len() as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            let mut out = Encoder::reuse(std::mem::take(&mut buffer));
            lane.encode(black_box(value), &mut out)
                .expect("the value is plain");
            let decoded = lane.decode(&mut Decoder::new(out.bytes()));
            buffer = out.into_bytes();
            decoded.expect("it was just encoded")
        });
    });
    group.finish();
}

fn values(c: &mut Criterion) {
    let small = Small {
        id: 7,
        name: "a name".into(),
        ratio: 0.5,
        tags: vec!["one".into(), "two".into()],
    };
    both_ways(c, "u64", lane_of!(u64), &7);
    both_ways(c, "u64 as CBOR", Lane::cbor(), &7u64);
    both_ways(c, "text of 100 bytes", lane_of!(String), &"x".repeat(100));
    both_ways(c, "small struct (CBOR)", lane_of!(Small), &small);
    both_ways(c, "1 MiB of bytes", lane_of!(Vec<u8>), &vec![7; 1 << 20]);
    both_ways(c, "1M f64", lane_of!(Vec<f64>), &vec![0.5; 1 << 20]);
    let name = String::from("a name");
    let samples = vec![0.5; 1 << 20];
    let raw = RawSignal { name, samples };
    both_ways(c, "struct of 1M f64, raw", lane_of!(RawSignal), &raw);
    let RawSignal { name, samples } = raw;
    let signal = Signal { name, samples };
    both_ways(c, "struct of 1M f64", lane_of!(Signal), &signal);
}

/// A slice parameter is read where it lies, when it is aligned there.
fn slice_in_place(c: &mut Criterion) {
    let lane: Lane<Vec<u8>> = lane_of!(Vec<u8>);
    let mut out = Encoder::new();
    lane.encode(&vec![7; 1 << 20], &mut out)
        .expect("the value is plain");
    let bytes = out.into_bytes();
    c.bench_function("codec/1 MiB of bytes in place", |b| {
        b.iter(|| {
            let mut input = Decoder::new(black_box(&bytes));
            lane.decode_slice(&mut input)
                .map(|slice| slice.len())
                .expect("it was just encoded")
        });
    });
}

/// A chunk of a map: a thousand calls in one payload.
fn chunk(c: &mut Criterion) {
    let lane: Lane<u64> = lane_of!(u64);
    let mut group = c.benchmark_group("codec/chunk of 1000 u64");
    group.throughput(Throughput::Elements(1000));
    let write = || {
        let mut chunk = ChunkWriter::new(Some(Spacing::Lengths));
        for n in 0..1000 {
            chunk
                .write(|out| lane.encode(&n, out))
                .expect("a number is plain");
        }
        chunk.into_payload()
    };
    group.bench_function("write", |b| b.iter(write));
    group.bench_function("read", |b| {
        b.iter_batched(
            write,
            |payload| {
                let calls = ChunkReader::new(payload.bytes(), Spacing::Lengths);
                calls
                    .map(|call| lane.decode(&mut Decoder::new(call)).expect("a number"))
                    .fold(0, u64::wrapping_add)
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, values, slice_in_place, chunk);
criterion_main!(benches);
