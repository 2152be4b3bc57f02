//! Messages between processes: what pprocess is.
//!
//! ```text
//!  start(task, args) ──► a process that runs task(Channel, args)
//!     │                       │
//!     ▼                       ▼
//!  Channel<S, R> ◄═packets═► Channel<R, S>
//!     │
//!  Exchange: many channels, those first that have something
//! ```
//!
//! [`start`] gives a task a process and a [`Channel`] to this one; [`create`] forks, and both go on
//! with an end. An [`Exchange`] collects from many channels what comes, in the order in which it
//! comes.
//!
//! # Invariants
//!
//! - A packet arrives whole or not at all, so a process that dies leaves half of none behind.
//! - What was sent before the other side closed, or died, is received before the close is.
//! - LINK-2: what comes is checked as if hostile.
//!
//! # Failure
//!
//! A task that fails sends how, and both `receive` and `send` give it. A process that is killed hangs
//! up. Nobody waits for a process that is gone.

mod create;
mod end;
mod exchange;
mod handle;
mod message;
mod packet;
mod start;
mod state;
mod travel;
mod wait_all;

pub use create::create;
pub use end::report;
pub use exchange::Exchange;
pub use handle::Channel;
pub use message::{Anything, Carries, IntoMessage};
pub use start::{ChannelFirst, OtherEnd, start, start_with, try_start};
pub use wait_all::{wait_all, wait_all_timeout};

pub use crate::error::{ChannelError, RemoteFailure};
