//! What the end of a call sets off outside every lock.

use std::task::Waker;

use super::{CallbackRunner, SharedOutcome, callback::contained};

/// One callback: gets the outcome, or `None` when the result was taken before it came. It knows
/// its type itself.
pub(crate) type Hook = Box<dyn FnOnce(Option<SharedOutcome>) + Send>;

/// What a finished call still has to set off: the task that awaits it, and its callbacks.
#[must_use = "the call's waker and callbacks run only when `run` is called"]
#[derive(Default)]
pub(crate) struct Hooks {
    pub(super) waker: Option<Waker>,
    /// In the order in which they were added.
    pub(super) callbacks: Vec<Hook>,
    /// There when there are callbacks.
    pub(super) outcome: Option<SharedOutcome>,
}

impl Hooks {
    /// The callback of a call that nobody has a future of.
    pub(crate) fn callback(callback: Hook, outcome: SharedOutcome) -> Self {
        Hooks {
            waker: None,
            callbacks: vec![callback],
            outcome: Some(outcome),
        }
    }

    /// Whether there is nothing to run.
    pub(crate) fn is_empty(&self) -> bool {
        self.waker.is_none() && self.callbacks.is_empty()
    }

    /// Wakes the waker here and hands the callbacks to `runner`. Neither blocks nor panics, unless
    /// the runner has no thread and must run them here.
    pub(crate) fn run(self, runner: &CallbackRunner) {
        if let Some(waker) = self.waker {
            contained(|| waker.wake());
        }
        for hook in self.callbacks {
            let outcome = self.outcome.clone();
            runner.run(Box::new(move || hook(outcome)));
        }
    }
}
