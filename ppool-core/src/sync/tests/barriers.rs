use std::{thread, time::Duration};

use super::support::{until, watchdog};
use crate::sync::{Barrier, BrokenBarrier};

#[test]
fn each_round_has_one_leader_and_an_index_for_all() {
    let _watchdog = watchdog();
    let barrier = Barrier::new(3);
    let rounds = || -> Vec<_> { (0..500).map(|_| barrier.wait().unwrap()).collect() };
    let turns = thread::scope(|scope| {
        [(); 3]
            .map(|()| scope.spawn(rounds))
            .map(|thread| thread.join().unwrap())
    });
    for round in 0..500 {
        let mut indices = turns.each_ref().map(|turns| turns[round].index());
        indices.sort_unstable();
        assert_eq!(indices, [0, 1, 2]);
        let leaders = turns.iter().filter(|turns| turns[round].is_leader());
        assert_eq!(leaders.count(), 1);
    }
}

#[test]
fn a_wait_that_takes_too_long_breaks_the_barrier_until_it_is_reset() {
    let _watchdog = watchdog();
    let barrier = Barrier::new(2);
    let waited = barrier.wait_timeout(Duration::from_millis(2));
    assert_eq!(waited, Err(BrokenBarrier));
    assert!(barrier.is_broken());
    assert_eq!(barrier.wait(), Err(BrokenBarrier));
    barrier.reset();
    thread::scope(|scope| {
        scope.spawn(|| barrier.wait().unwrap());
        barrier.wait().unwrap();
    });
}

#[test]
fn an_abort_and_a_reset_end_the_waits() {
    let _watchdog = watchdog();
    let barrier = Barrier::new(2);
    for end in [Barrier::abort, Barrier::reset] {
        thread::scope(|scope| {
            let waiter = scope.spawn(|| barrier.wait());
            until(|| barrier.waiting() == 1);
            end(&barrier);
            assert_eq!(waiter.join().unwrap(), Err(BrokenBarrier));
        });
        barrier.reset();
        assert_eq!((barrier.waiting(), barrier.is_broken()), (0, false));
    }
}

#[test]
fn a_barrier_needs_a_party() {
    assert!(Barrier::try_new(0).is_err());
    assert!(Barrier::try_new(1 << 15).is_err());
    assert!(Barrier::new(1).wait().unwrap().is_leader());
}
