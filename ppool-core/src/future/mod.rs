//! The meeting point of whoever completes a call and whoever waits for it.
//!
//! ```text
//!   completer (queue manager, cancel)            waiters
//!
//!   starts() ──────────────┐                   ┌─ wait, wait_timeout         blocked threads
//!   returns_to_pending() ──┤                   ├─ .await                     one std Waker
//!   finish(outcome) ───────┴──► CallState ◄────┼─ wait(&[..]), as_completed  observers
//!                                   │          └─ on_done                    hooks
//!      │                            │                                          ▲
//!      │                            └─ Payload ──► ResultReader<R>     ──► R   │
//!      └──► Hooks::run ──► Waker, then the callbacks ──► CallbackRunner ───────┘
//! ```
//!
//! A whole map that is waited for at its end, a [`MapFuture`], has such a state for itself and
//! gathers the results of its calls behind it.
//!
//! A result stays as bytes until somebody takes it; it is decoded by the thread that takes it, so
//! the completer never runs a user's `Deserialize`. A callback decodes a value of its own from the
//! same bytes, which are then shared, not copied; without callbacks nothing is shared either.
//!
//! # States
//!
//! ```text
//!            starts                 finish
//!  Pending ─────────► Running ─────────────────► Finished (value or error)
//!    │  ▲                │ │
//!    │  └────────────────┘ └── finish with a Cancelled error ──► Cancelled
//!    │  returns_to_pending                                         ▲
//!    └──────────────── finish ──► Finished or Cancelled, as its outcome says
//! ```
//!
//! # Invariants
//!
//! - API-1: an outcome is set exactly once. All that waits is taken out under the same lock that
//!   sets it, and whatever registers later finds it there: each waiter is told once.
//! - QM-1: completing a call never runs user code on the completer's thread, but for the std
//!   `Waker`, which must not block by its own contract.
//! - QM-2: waiters register under the lock that the completer takes; nobody polls in a loop.
//! - No user code runs under a lock.
//!
//! # Failure
//!
//! A panic of a callback or a `Waker` is contained and reported by the usual panic hook; a
//! `Deserialize` that fails or panics is a `Decode` error of that call alone. Poisoned locks are
//! used as they are: what they protect is changed in single steps.
//!
//! # Safety
//!
//! There is no unsafe code here.

mod as_completed;
mod callback;
mod control;
mod hooks;
mod map_future;
mod outcome;
mod park;
mod shared;
mod state;
mod task_future;
mod wait;

pub use as_completed::{AsCompleted, as_completed};
pub use callback::Callbacks;
pub(crate) use callback::{CallbackRunner, contained};
pub(crate) use control::CallControl;
pub(crate) use hooks::{Hook, Hooks};
pub use map_future::MapFuture;
pub(crate) use map_future::MapState;
pub(crate) use outcome::{Outcome, ResultReader, SharedOutcome, panic_message};
pub(crate) use shared::{AddsHook, CallState, EndObserver, Observes};
pub use state::TaskState;
pub(crate) use state::{End, Returns, Starts};
pub use task_future::TaskFuture;
pub use wait::{WaitFor, Waited, wait};

#[cfg(test)]
mod tests;
