//! What the end of a call sets off outside every lock.

use std::task::Waker;

use super::{CallbackRunner, SharedOutcome, callback::contained};

/// One callback: gets the outcome, or `None` when the result was taken before it came. It knows
/// its type itself.
pub(crate) type Hook = Box<dyn FnOnce(Option<SharedOutcome>) + Send>;

/// What a finished call still has to set off: the task that awaits it, what follows from it inside
/// the pool, and its callbacks.
#[must_use = "the call's waker and callbacks run only when `run` is called"]
#[derive(Default)]
pub(crate) struct Hooks {
    pub(super) waker: Option<Waker>,
    /// Ours, not a user's: it runs at once, whether or not callbacks wait to be asked for, and does
    /// not block.
    pub(super) consequence: Option<Box<dyn FnOnce() + Send>>,
    /// In the order in which they were added.
    pub(super) callbacks: Vec<Hook>,
    /// There when there are callbacks.
    pub(super) outcome: Option<SharedOutcome>,
}

impl Hooks {
    /// The callback of a call that nobody has a future of.
    pub(crate) fn callback(callback: Hook, outcome: SharedOutcome) -> Self {
        Hooks {
            callbacks: vec![callback],
            outcome: Some(outcome),
            ..Hooks::default()
        }
    }

    /// The task that waits for something else than one call.
    pub(crate) fn waker(waker: Waker) -> Self {
        Hooks {
            waker: Some(waker),
            ..Hooks::default()
        }
    }

    /// Whether there is nothing to run.
    pub(crate) fn is_empty(&self) -> bool {
        self.waker.is_none() && self.consequence.is_none() && self.callbacks.is_empty()
    }

    /// The same, as it is passed on: nothing, when there is nothing to run.
    pub(crate) fn unless_empty(self) -> Option<Self> {
        (!self.is_empty()).then_some(self)
    }

    /// Wakes the waker here and hands the callbacks to `runner`. Neither blocks nor panics, unless
    /// the runner has no thread and must run them here.
    pub(crate) fn run(self, runner: &CallbackRunner) {
        if let Some(consequence) = self.consequence {
            consequence();
        }
        if let Some(waker) = self.waker {
            contained(|| waker.wake());
        }
        for hook in self.callbacks {
            let outcome = self.outcome.clone();
            runner.run(Box::new(move || hook(outcome)));
        }
    }
}
