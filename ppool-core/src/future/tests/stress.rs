//! Everything at once, from several threads, by seed: each waiter is told exactly once (API-1).

use std::{
    hint,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use super::{super::*, support::*};

/// A small generator (xorshift), so that a seed names a schedule's pauses.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn pause(&mut self) {
        match self.below(8) {
            0 => thread::yield_now(),
            turns => (0..turns * 20).for_each(|_| hint::spin_loop()),
        }
    }
}

#[derive(Default)]
struct Counts {
    values: AtomicUsize,
    failures: AtomicUsize,
}

/// The completer: starts the call, now and then loses its worker and tries again, ends it.
fn complete(pool: &TestPool, state: &CallState, random: &mut Random) {
    loop {
        random.pause();
        if state.starts() == Starts::Ended {
            return;
        }
        random.pause();
        if random.below(4) > 0 {
            break;
        }
        if state.returns_to_pending() == Returns::Ended {
            return;
        }
    }
    let outcome = match random.below(3) {
        0 => Outcome::Error(panicked()),
        _ => value(5),
    };
    pool.try_finish(state, outcome);
}

fn one_call(seed: u64, pool: &Arc<TestPool>) {
    let (state, future) = pool.number();
    let counts = Arc::new(Counts::default());
    let start = Barrier::new(4);
    let add_callback = || {
        let counts = Arc::clone(&counts);
        future.on_done(move |result| {
            let count = if result.is_ok() {
                &counts.values
            } else {
                &counts.failures
            };
            count.fetch_add(1, SeqCst);
        });
    };
    let random = |thread: u64| Random((seed * 8 + thread + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    add_callback();
    thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            complete(pool, &state, &mut random(0));
        });
        scope.spawn(|| {
            let mut random = random(1);
            start.wait();
            random.pause();
            match random.below(3) {
                0 => assert_eq!(future.cancel(), future.is_cancelled()),
                1 => assert_eq!(future.kill(), future.is_cancelled()),
                _ => {}
            }
        });
        scope.spawn(|| {
            let mut random = random(2);
            start.wait();
            for _ in 0..3 {
                random.pause();
                add_callback();
                wait(
                    &[&future],
                    WaitFor::FirstException,
                    Some(Duration::from_micros(20)),
                );
            }
        });
        start.wait();
        assert!(future.wait_timeout(Duration::MAX));
    });

    let was_cancelled = future.is_cancelled();
    let result = match seed % 3 {
        0 => future.wait(),
        1 => block_on(future),
        _ => as_completed([future]).next().unwrap().wait(),
    };
    assert_eq!(
        result.as_ref().is_err_and(|error| error.is_cancelled()),
        was_cancelled
    );
    assert!(pool.callbacks().wait_until_idle(None));
    let heard = (counts.values.load(SeqCst), counts.failures.load(SeqCst));
    let expected = if result.is_ok() { (4, 0) } else { (0, 4) };
    assert_eq!(heard, expected, "seed {seed}: {result:?}");
    assert_eq!((state.observers(), Arc::strong_count(&state)), (0, 1));
}

#[test]
fn everybody_is_told_exactly_once() {
    guarded(|| {
        let pool = TestPool::new();
        for seed in 0..500 {
            one_call(seed, &pool);
        }
        pool.callbacks().drain_and_stop();
    });
}

#[test]
fn futures_may_be_dropped_while_their_calls_end() {
    guarded(|| {
        let pool = TestPool::new();
        for seed in 0..500 {
            let (state, future) = pool.number();
            let start = Barrier::new(2);
            let told = Arc::new(AtomicUsize::new(0));
            let telling = Arc::clone(&told);
            future.on_done(move |_| {
                telling.fetch_add(1, SeqCst);
            });
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    pool.finish(&state, value(5));
                });
                let mut random = Random(seed + 1);
                start.wait();
                random.pause();
                match seed % 2 {
                    0 => drop(future),
                    _ => drop(as_completed([future])),
                }
            });
            assert!(pool.callbacks().wait_until_idle(None));
            assert_eq!((told.load(SeqCst), Arc::strong_count(&state)), (1, 1));
        }
    });
}
