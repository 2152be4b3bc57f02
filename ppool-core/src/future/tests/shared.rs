use std::sync::Arc;

use super::{super::*, support::*};

#[test]
fn a_call_state_fits_a_cache_line_with_its_arc() {
    let counts = 2 * size_of::<usize>();
    let size = counts + size_of::<CallState>();
    assert!(size <= 64, "{size} bytes");
}

#[test]
fn a_call_starts_returns_and_finishes() {
    let state = CallState::new();
    assert_eq!(state.state(), TaskState::Pending);
    assert_eq!(state.starts(), Starts::Running);
    assert_eq!(state.state(), TaskState::Running);
    assert_eq!(state.returns_to_pending(), Returns::Pending);
    assert_eq!(state.state(), TaskState::Pending);
    assert_eq!(state.starts(), Starts::Running);
    assert!(!state.is_done());
    drop(state.finish(value(1)));
    assert_eq!(state.state(), TaskState::Finished);
    assert_eq!(state.end(), Some(End::Value));
    assert_eq!(state.starts(), Starts::Ended);
    assert_eq!(state.returns_to_pending(), Returns::Ended);
}

#[test]
fn a_cancelled_call_does_not_start_and_ignores_a_late_outcome() {
    let state = CallState::new();
    drop(state.finish(Outcome::Error(cancelled(false))));
    assert_eq!(state.starts(), Starts::Ended);
    drop(state.finish(value(1)));
    assert_eq!(state.end(), Some(End::Cancelled));
}

#[test]
fn a_call_that_finishes_with_the_error_cancelled_is_cancelled() {
    let state = CallState::new();
    assert_eq!(state.starts(), Starts::Running);
    drop(state.finish(Outcome::Error(cancelled(true))));
    assert_eq!(state.state(), TaskState::Cancelled);

    let state = CallState::new();
    drop(state.finish(Outcome::Error(panicked())));
    assert_eq!(
        (state.state(), state.end()),
        (TaskState::Finished, Some(End::Error))
    );
}

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "finished twice (API-1)"))]
fn a_second_outcome_is_a_bug_and_ignored() {
    let state = CallState::new();
    drop(state.finish(value(1)));
    drop(state.finish(Outcome::Error(panicked())));
    assert_eq!(state.end(), Some(End::Value));
}

#[test]
fn an_observer_that_comes_late_is_told_at_once_and_only_so() {
    struct Never;
    impl EndObserver for Never {
        fn call_ended(&self, _: usize, _: End) {
            panic!("it was told by its return value");
        }
    }
    let state = CallState::born_ended(value(1));
    let observer: Arc<dyn EndObserver> = Arc::new(Never);
    assert_eq!(state.observes(&observer, 3), Observes::Ended(End::Value));
    assert_eq!(state.observers(), 0);
}
