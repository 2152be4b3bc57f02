//! The future of a whole map.

use std::sync::Arc;

use super::{
    super::{park::lock, *},
    support::*,
};
use crate::{codec::Values, ids::WorkId};

fn map(pool: &Arc<TestPool>) -> (Arc<MapState>, MapFuture<u64>) {
    let control: Arc<dyn CallControl> = pool.clone();
    let state = MapState::new(Arc::downgrade(&control));
    let reader = pool.number().1.reader();
    let future = MapFuture::new(Arc::clone(&state), control, reader);
    (state, future)
}

fn values(number: u64) -> Values {
    let Outcome::Value(bytes) = value(number) else {
        panic!("it is a value");
    };
    Values::one(bytes)
}

#[test]
fn a_map_is_done_when_the_last_result_of_the_last_input_is_there() {
    guarded(|| {
        let pool = TestPool::new();
        let (state, mut future) = map(&pool);
        assert_eq!(state.expects(1), 0);
        assert_eq!(state.expects(1), 1);
        assert!(state.put(1, values(11)).is_empty());
        assert!(state.put(0, values(10)).is_empty());
        assert!(!future.is_done(), "there may be more inputs");
        assert!(state.completes().is_empty());
        assert_eq!(future.try_result().unwrap().unwrap(), [10, 11]);
        assert!(future.try_result().is_none());
        assert!(future.wait().is_err(), "the results were taken");
    });
}

#[test]
fn the_first_failure_ends_a_map_and_cancels_what_was_submitted() {
    guarded(|| {
        let pool = TestPool::new();
        let (state, future) = map(&pool);
        assert_eq!(state.expects(3), 0);
        let (one, other) = (WorkId::new(1, 0), WorkId::new(2, 1));
        assert!(state.submitted(one) && state.submitted(other));
        let hooks = state.fails(cancelled(false));
        assert!(future.is_done() && state.has_failed());
        assert!(lock(&pool.cancelled).is_empty(), "not under any lock");
        hooks.run(pool.callbacks());
        assert_eq!(*lock(&pool.cancelled), [one, other]);
        // What comes later changes nothing, and what is submitted later is not wanted.
        assert!(!state.submitted(WorkId::new(3, 2)));
        assert!(state.put(0, values(1)).is_empty());
        assert!(state.fails(panicked()).is_empty());
        assert!(state.completes().is_empty());
        assert!(future.is_cancelled());
        assert!(future.wait().unwrap_err().is_cancelled());
    });
}

#[test]
fn a_map_outlives_its_future_and_its_pool() {
    guarded(|| {
        let pool = TestPool::new();
        let (state, future) = map(&pool);
        assert_eq!(state.expects(2), 0);
        drop(future);
        assert!(state.put(0, values(1)).is_empty());
        drop(pool);
        let hooks = state.fails(cancelled(true));
        hooks.run(&CallbackRunner::new(Callbacks::Polled));
    });
}
