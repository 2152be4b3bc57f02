use std::{sync::Arc, thread, time::Duration};

use super::{super::*, support::*};

#[test]
fn futures_come_as_their_calls_end() {
    guarded(|| {
        let pool = TestPool::new();
        let (states, futures) = pool.numbers(4);
        pool.finish(&states[2], value(2));
        let mut completed = as_completed(futures);
        assert_eq!(completed.len(), 4);
        assert_eq!(completed.next().unwrap().wait().unwrap(), 2);
        pool.finish(&states[3], value(3));
        pool.finish(&states[0], value(0));
        assert_eq!(completed.next().unwrap().wait().unwrap(), 3);
        assert_eq!(completed.next().unwrap().wait().unwrap(), 0);
        assert!(completed.next_timeout(Duration::ZERO).is_none());
        assert_eq!(completed.len(), 1);
        let last = Arc::clone(&states[1]);
        let finisher = thread::spawn(move || drop(last.finish(value(1))));
        assert_eq!(completed.next().unwrap().wait().unwrap(), 1);
        finisher.join().unwrap();
        assert!(completed.next().is_none());
        assert!(completed.next_timeout(Duration::MAX).is_none());
    });
}

#[test]
fn every_future_comes_once_whoever_ends_its_call() {
    guarded(|| {
        let pool = TestPool::new();
        let (states, futures) = pool.numbers(2000);
        thread::scope(|scope| {
            for part in 0..4 {
                let (pool, states) = (&pool, &states);
                scope.spawn(move || {
                    for at in (part..states.len()).step_by(4) {
                        pool.finish(&states[at], value(at as u64));
                    }
                });
            }
            let mut numbers: Vec<_> = as_completed(futures).map(|f| f.wait().unwrap()).collect();
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..2000));
        });
    });
}

#[test]
fn what_is_left_can_be_had_back_or_dropped() {
    let pool = TestPool::new();
    let (states, futures) = pool.numbers(3);
    pool.finish(&states[0], value(0));
    let mut completed = as_completed(futures);
    assert!(completed.next_timeout(Duration::ZERO).is_some());
    assert_eq!(states[1].observers(), 1);
    let rest = completed.into_remaining();
    assert_eq!(rest.len(), 2);
    assert_eq!(states[1].observers(), 0);

    drop(as_completed(rest));
    assert!(states.iter().all(|state| Arc::strong_count(state) == 1));
    assert_eq!(states[1].observers(), 0);
}
