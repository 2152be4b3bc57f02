//! Random sequences of steps on one call, compared with a model that is plain to see.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::prelude::*;

use super::{super::*, support::*};

#[derive(Clone, Copy, Debug)]
enum Step {
    Starts,
    Returns,
    Cancel,
    Kill,
    Value,
    Fail,
    OnDone,
    Wait,
    TryResult,
}

fn step() -> impl Strategy<Value = Step> {
    prop::sample::select(vec![
        Step::Starts,
        Step::Returns,
        Step::Cancel,
        Step::Kill,
        Step::Value,
        Step::Fail,
        Step::OnDone,
        Step::OnDone,
        Step::Wait,
        Step::TryResult,
    ])
}

/// What a call ends with, told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Heard {
    Value,
    Panicked,
    Cancelled,
    Taken,
}

fn hear(result: Result<&u64, &crate::error::TaskError>) -> Heard {
    match result {
        Ok(5) => Heard::Value,
        Err(error) if error.is_panic() => Heard::Panicked,
        Err(error) if error.is_cancelled() => Heard::Cancelled,
        Err(error) if error.to_string().contains("already taken") => Heard::Taken,
        other => panic!("{other:?}"),
    }
}

#[derive(Default)]
struct Model {
    runs: bool,
    outcome: Option<Heard>,
    given: bool,
    callbacks_before_the_end: usize,
    heard: Vec<Heard>,
}

impl Model {
    fn ends(&mut self, outcome: Heard) -> bool {
        let first = self.outcome.is_none();
        if first {
            self.outcome = Some(outcome);
            self.heard = vec![outcome; self.callbacks_before_the_end];
        }
        first
    }

    fn state(&self) -> TaskState {
        match self.outcome {
            Some(Heard::Cancelled) => TaskState::Cancelled,
            Some(_) => TaskState::Finished,
            None if self.runs => TaskState::Running,
            None => TaskState::Pending,
        }
    }

    /// What one more asker gets.
    fn has(&self) -> Option<Heard> {
        match self.outcome {
            Some(Heard::Value) if self.given => Some(Heard::Taken),
            outcome => outcome,
        }
    }
}

proptest! {
    #[test]
    fn every_waiter_is_told_once_whatever_the_order(steps in prop::collection::vec(step(), 0..24)) {
        let pool = TestPool::with(CallbackRunner::new(Callbacks::Polled));
        let (state, mut future) = pool.number();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Starts => {
                    let starts = state.starts();
                    prop_assert_eq!(starts == Starts::Running, model.outcome.is_none());
                    model.runs = true;
                }
                Step::Returns => {
                    let returns = state.returns_to_pending();
                    prop_assert_eq!(returns == Returns::Pending, model.outcome.is_none());
                    model.runs = false;
                }
                Step::Cancel => {
                    let was_cancelled = model.outcome == Some(Heard::Cancelled);
                    let expected = was_cancelled || (!model.runs && model.ends(Heard::Cancelled));
                    prop_assert_eq!(future.cancel(), expected);
                }
                Step::Kill => {
                    let was_cancelled = model.outcome == Some(Heard::Cancelled);
                    let expected = was_cancelled || model.ends(Heard::Cancelled);
                    prop_assert_eq!(future.kill(), expected);
                }
                Step::Value => {
                    let ends = pool.try_finish(&state, value(5));
                    prop_assert_eq!(ends, model.ends(Heard::Value));
                }
                Step::Fail => {
                    let ends = pool.try_finish(&state, Outcome::Error(panicked()));
                    prop_assert_eq!(ends, model.ends(Heard::Panicked));
                }
                Step::OnDone => {
                    let heard = Arc::clone(&heard);
                    future.on_done(move |result| heard.lock().unwrap().push(hear(result)));
                    match model.has() {
                        Some(outcome) => model.heard.push(outcome),
                        None => model.callbacks_before_the_end += 1,
                    }
                }
                Step::Wait => {
                    let done = future.wait_timeout(Duration::ZERO);
                    prop_assert_eq!(done, model.outcome.is_some());
                    let until = WaitFor::FirstCompleted;
                    let waited = wait(&[&future], until, Some(Duration::ZERO));
                    prop_assert_eq!(waited.done.len() == 1, done);
                }
                Step::TryResult => {
                    let result = future.try_result().map(|result| hear(result.as_ref()));
                    let expected = if model.given { None } else { model.outcome };
                    prop_assert_eq!(result, expected);
                    model.given |= result.is_some();
                }
            }
            prop_assert_eq!(future.state(), model.state());
        }
        pool.callbacks().process(None);
        prop_assert_eq!(&*heard.lock().unwrap(), &model.heard);
        match model.has() {
            Some(outcome) => prop_assert_eq!(hear(future.wait().as_ref()), outcome),
            None => drop(future),
        }
        prop_assert_eq!(Arc::strong_count(&state), 1);
    }
}
