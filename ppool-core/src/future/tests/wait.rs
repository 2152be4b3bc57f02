use std::{sync::Arc, thread, time::Duration};

use super::{super::*, support::*};
use crate::ids::WorkId;

fn waited(done: &[usize], pending: &[usize]) -> Waited {
    Waited {
        done: done.to_vec(),
        pending: pending.to_vec(),
    }
}

#[test]
fn all_waits_for_the_slowest() {
    guarded(|| {
        let pool = TestPool::new();
        let (states, futures) = pool.numbers(50);
        thread::scope(|scope| {
            scope.spawn(|| {
                for state in states
                    .iter()
                    .step_by(2)
                    .chain(states.iter().skip(1).step_by(2))
                {
                    pool.finish(state, value(1));
                }
            });
            let all: Vec<_> = (0..50).collect();
            assert_eq!(wait(&futures, WaitFor::All, None), waited(&all, &[]));
        });
    });
}

#[test]
fn the_first_completed_ends_the_wait_and_leaves_nothing_registered() {
    guarded(|| {
        let pool = TestPool::new();
        let (states, futures) = pool.numbers(3);
        thread::scope(|scope| {
            scope.spawn(|| pool.finish(&states[1], value(1)));
            let found = wait(&futures, WaitFor::FirstCompleted, None);
            assert_eq!(found, waited(&[1], &[0, 2]));
        });
        assert_eq!(
            wait(&futures, WaitFor::FirstCompleted, None),
            waited(&[1], &[0, 2])
        );
        assert!(states.iter().all(|state| state.observers() == 0));
    });
}

#[test]
fn waiting_again_and_again_piles_nothing_up() {
    let pool = TestPool::new();
    let (states, futures) = pool.numbers(2);
    let hook_is_kept = futures[0].shared().adds_hook(Box::new(drop));
    assert!(matches!(hook_is_kept, AddsHook::Kept));
    for until in [
        WaitFor::All,
        WaitFor::FirstCompleted,
        WaitFor::FirstException,
    ] {
        for timeout in [Duration::ZERO, Duration::from_micros(10)] {
            assert_eq!(wait(&futures, until, Some(timeout)), waited(&[], &[0, 1]));
            assert!(states.iter().all(|state| state.observers() == 0));
        }
    }
}

#[test]
fn a_cancelled_call_counts_as_done_and_as_an_exception() {
    guarded(|| {
        let pool = TestPool::new();
        for until in [WaitFor::FirstCompleted, WaitFor::FirstException] {
            let (_states, futures) = pool.numbers(3);
            thread::scope(|scope| {
                scope.spawn(|| assert!(futures[2].cancel()));
                assert_eq!(wait(&futures, until, None), waited(&[2], &[0, 1]));
            });
            assert_eq!(wait(&futures, until, None), waited(&[2], &[0, 1]));
        }
    });
}

#[test]
fn values_do_not_end_the_wait_for_an_exception() {
    guarded(|| {
        let pool = TestPool::new();
        let (states, futures) = pool.numbers(4);
        pool.finish(&states[0], value(1));
        thread::scope(|scope| {
            scope.spawn(|| {
                pool.finish(&states[3], value(1));
                pool.finish(&states[1], Outcome::Error(panicked()));
            });
            let found = wait(&futures, WaitFor::FirstException, None);
            assert_eq!(found, waited(&[0, 1, 3], &[2]));
        });
        assert_eq!(states[2].observers(), 0);
    });
}

#[test]
fn without_an_exception_the_wait_ends_with_all() {
    guarded(|| {
        let pool = TestPool::new();
        let (states, futures) = pool.numbers(2);
        thread::scope(|scope| {
            scope.spawn(|| states.iter().for_each(|state| pool.finish(state, value(1))));
            let found = wait(&futures, WaitFor::FirstException, None);
            assert_eq!(found, waited(&[0, 1], &[]));
        });
    });
}

#[test]
fn no_futures_are_nothing_to_wait_for() {
    for until in [
        WaitFor::All,
        WaitFor::FirstCompleted,
        WaitFor::FirstException,
    ] {
        let none: [TaskFuture<u64>; 0] = [];
        assert_eq!(wait(&none, until, None), waited(&[], &[]));
    }
}

#[test]
fn futures_may_be_owned_borrowed_or_repeated() {
    let pool = TestPool::new();
    let (states, futures) = pool.numbers(2);
    pool.finish(&states[0], value(1));
    let [first, second] = &futures[..] else {
        unreachable!()
    };
    assert_eq!(
        wait(&[first, second, first], WaitFor::FirstCompleted, None),
        waited(&[0, 2], &[1])
    );
    pool.finish(&states[1], value(1));
    let boxed: Vec<Box<TaskFuture<u64>>> = futures.into_iter().map(Box::new).collect();
    assert_eq!(wait(&boxed, WaitFor::All, None), waited(&[0, 1], &[]));
}

/// A pool that ends the call as soon as somebody is about to block for it.
struct Helpful(CallbackRunner);

impl CallControl for Helpful {
    fn cancel(&self, _: WorkId, _: &CallState) -> bool {
        false
    }
    fn kill(&self, _: WorkId, _: &CallState) -> bool {
        false
    }
    fn cancel_all(&self, _: &[WorkId]) {}
    fn callbacks(&self) -> &CallbackRunner {
        &self.0
    }
    fn help_until_done(&self, state: &CallState, _: Option<std::time::Instant>) {
        state.finish(value(9)).run(&self.0);
    }
}

#[test]
fn a_thread_that_is_about_to_block_helps_first() {
    guarded(|| {
        let entry = Box::leak(Box::new(crate::task::TaskEntry::new(
            "t",
            "",
            "",
            &[],
            |_| Ok(()),
            || (),
        )));
        let call = || {
            let control = Arc::new(Helpful(CallbackRunner::new(Callbacks::Background)));
            let state = Arc::new(CallState::new());
            TaskFuture::<u64>::new(
                state,
                control,
                WorkId::new(1, 0),
                entry,
                crate::codec::Lane::raw(),
            )
        };
        assert_eq!(call().wait().unwrap(), 9);
        for until in [
            WaitFor::All,
            WaitFor::FirstCompleted,
            WaitFor::FirstException,
        ] {
            assert_eq!(wait(&[call()], until, None).done, [0]);
        }
        assert_eq!(as_completed([call(), call()]).count(), 2);
    });
}
