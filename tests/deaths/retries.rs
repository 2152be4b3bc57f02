//! Calls that are tried again after their worker was lost.

use ppool::task;

use crate::{
    common::{Scratch, Tally, pool_of, tasks::End, watchdog},
    lost, square_or_die,
};

/// Ends its worker until it has been tried `good` times.
#[task(retries = 3)]
fn succeed_at_last(tries: &Tally, good: usize) -> usize {
    tries.add();
    if tries.count() < good {
        End::Kill.come();
    }
    tries.count()
}

#[test]
fn a_lost_call_is_tried_again_as_often_as_it_says() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(2);
    let tries = scratch.tally("good");
    assert_eq!(pool.apply(succeed_at_last, (&tries, 4)).unwrap(), 4);
    let tries = scratch.tally("bad");
    let error = pool.apply(succeed_at_last, (&tries, 5)).unwrap_err();
    assert_eq!(lost(&error).signal_name(), Some("SIGKILL"));
    assert_eq!(tries.count(), 4);
}

#[test]
fn a_call_may_say_itself_how_often_it_is_tried() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let tries = scratch.tally("none");
    assert!(
        pool.task(succeed_at_last)
            .retries(0)
            .apply((&tries, 2))
            .is_err()
    );
    assert_eq!(tries.count(), 1);
}

#[test]
fn a_lost_call_without_retries_runs_once() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pids = scratch.tally("pids");
    let error = pool_of(2)
        .apply(square_or_die, (1, true, &pids))
        .unwrap_err();
    assert!(error.is_worker_lost());
    assert_eq!(pids.count(), 1);
}
