//! How long it takes one thread to wake another that sleeps, and to be woken by it in turn.

use std::{
    sync::atomic::{
        AtomicU8,
        Ordering::{Acquire, Release},
    },
    thread,
    time::Instant,
};

use crate::{
    Failure,
    bench::{Bench, median},
};

const OURS: u8 = 0;
const THEIRS: u8 = 1;
const OVER: u8 = 2;

pub(super) fn round_trip(bench: &Bench) -> Result<f64, Failure> {
    let turn = AtomicU8::new(OURS);
    let main = thread::current();
    let mut times = Vec::new();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            loop {
                match turn.load(Acquire) {
                    OURS => thread::park(),
                    THEIRS => {
                        turn.store(OURS, Release);
                        main.unpark();
                    }
                    _ => return,
                }
            }
        });
        let start = Instant::now();
        while start.elapsed() < bench.budget() {
            let sent = Instant::now();
            turn.store(THEIRS, Release);
            other.thread().unpark();
            while turn.load(Acquire) != OURS {
                thread::park();
            }
            times.push(sent.elapsed().as_secs_f64());
        }
        turn.store(OVER, Release);
        other.thread().unpark();
    });
    median(&mut times).ok_or_else(|| "not one round trip in time".into())
}
