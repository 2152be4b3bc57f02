//! Every decision of a pool, as one plain state machine: what is sent where, who is lost, what runs
//! again, when a worker is started or stopped, what a shutdown still waits for.
//!
//! Events come in as method calls with the time they happened at, [`Effect`]s go out into a list.
//! There is no clock and no I/O in here, so that a simulation can drive it through any schedule.
//!
//! # States of a slot
//!
//! ```text
//!            Spawn                 joined            sentinel
//!  Vacant ──────────► Starting ────────────► Ready ───────────► Leaving
//!    ▲                   │ too slow            │ time limit,       │ too slow
//!    │                   ▼                     ▼ kill              ▼
//!    └───── exited ── Killed ◄── grace ── Terminating ◄────────────┘
//! ```
//!
//! # Invariants
//!
//! API-1: each call of an item leaves exactly once, by `result` or by [`Effect::Fail`].
//! Q-1: at most `queue_capacity` items wait for their turn, with the pool or with a worker; at most
//! `call_queue` are with each worker.
//! SUP-1: an event with an old generation is ignored. SUP-2: a start-up failure breaks the pool.
//! SUP-3: every way out of a process has a deadline after which the next, harder one is taken.

mod broadcast;
mod calls;
mod crash_loop;
mod decide;
mod forks;
mod lifetime;
mod recycle;
mod size;
mod state;
mod time;
mod times;
mod totals;
mod view;
mod workers;

pub(crate) use lifetime::Departures;
pub(crate) use state::{Accepted, Calls, Cancel, Limits, Reactor, Terms};
use state::{
    FIRST_PAUSE, FRUITLESS_DEATHS, FRUITLESS_SPAN, LONGEST_PAUSE, Life, Row, SPAWN_FAILURES,
    START_DEATHS, State, UNREAD_DEATHS,
};
pub use times::{TimeBucket, TimeStats};
pub(crate) use totals::Totals;
pub(crate) use view::{Activity, PoolView, WorkerView};
