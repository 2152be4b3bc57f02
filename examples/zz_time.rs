use ppool::{Pool, task};
use std::time::Instant;
#[task]
fn nothing() {}
#[task]
fn inc(n: u64) -> u64 {
    n + 1
}
#[task]
fn len(b: &[u8]) -> u64 {
    b.len() as u64
}
#[task]
fn back(b: Vec<u8>) -> Vec<u8> {
    b
}
fn main() {
    let pool = Pool::builder().workers(2).build().unwrap();
    pool.apply(nothing, ()).unwrap();
    let mut v = vec![];
    for _ in 0..20000 {
        let t = Instant::now();
        pool.apply(nothing, ()).unwrap();
        v.push(t.elapsed().as_nanos());
    }
    v.sort();
    println!("rtt p50 {} ns p90 {}", v[v.len() / 2], v[v.len() * 9 / 10]);
    let n = 200_000;
    let t = Instant::now();
    let f: Vec<_> = (0..n).map(|_| pool.submit(nothing, ())).collect();
    let ts = t.elapsed();
    for f in f {
        f.wait().unwrap();
    }
    println!(
        "one by one {:.0}/s (submit {:.0}/s)",
        n as f64 / t.elapsed().as_secs_f64(),
        n as f64 / ts.as_secs_f64()
    );
    let input: Vec<u64> = (0..1_000_000).collect();
    for _ in 0..4 {
        let t = Instant::now();
        let r = pool.map(inc, &input).unwrap();
        assert_eq!(r[9], 10);
        println!("map {:.2} M/s", 1.0 / t.elapsed().as_secs_f64());
    }
    let t = Instant::now();
    let r = pool.task(inc).chunk_size(1).map(0..200_000u64).unwrap();
    assert_eq!(r.len(), 200_000);
    println!("map chunk 1 {:.0}/s", 0.2e6 / t.elapsed().as_secs_f64());
    let b = vec![1u8; 64 << 20];
    for _ in 0..4 {
        let t = Instant::now();
        pool.apply(len, &b[..]).unwrap();
        print!(
            "arg {:.2} GB/s ",
            b.len() as f64 / 1e9 / t.elapsed().as_secs_f64()
        );
        let t = Instant::now();
        pool.apply(back, &b[..]).unwrap();
        println!(
            "back {:.2} GB/s",
            2.0 * b.len() as f64 / 1e9 / t.elapsed().as_secs_f64()
        );
    }
}
