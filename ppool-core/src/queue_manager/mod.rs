//! The queue manager: the one place where a pool's calls, workers and time come together.
//!
//! ```text
//!  submit, cancel, kill ──┐                       ┌──► link: call items, sentinels
//!  results (link) ────────┤   ┌───────────────┐   ├──► launcher: new workers
//!  exits (pidfd) ─────────┼──►│    Reactor    │──►┼──► exit watch: SIGTERM, SIGKILL
//!  deadlines ─────────────┘   │    (pure)     │   └──► sinks: futures, maps, callbacks
//!                   events    └───────────────┘  effects
//! ```
//!
//! The [`reactor`] decides, [`core`] carries out under one lock, whoever holds it: a thread
//! that submits places its call itself. The [`event_loop`] is the queue-manager thread, which waits
//! for what nobody else waits for.
//!
//! Invariants: QM-1 (nothing in here blocks on a worker), QM-2 (one wait point, in `event_loop`).

mod at_exit;
mod burst;
mod cargo;
mod core;
mod effect;
mod engine;
mod event_loop;
mod finalizers;
mod in_process;
mod incoming;
mod lifetime;
mod manager;
mod outcome;
mod outlets;
mod printed;
mod reactor;
mod results;
#[cfg(test)]
mod simulation;
mod starts;
mod survey;
mod template;
mod token;
mod worker;

pub(crate) use at_exit::drain;
pub(crate) use cargo::{Cargo, Sink};

pub(crate) use effect::Refusal;
pub use finalizers::FinalizerFailure;
pub use lifetime::{Finalized, LostCall};
pub(crate) use manager::{QueueManager, Settings};
pub(crate) use printed::TakeLine;
pub(crate) use reactor::{Activity, Limits, Terms};
pub use reactor::{TimeBucket, TimeStats};
pub(crate) use survey::WorkerSurvey;
