//! What the behaviour tests share: a watchdog, flags that processes raise for each other, programs
//! that a test starts and kills, and a look at the kernel's list of processes.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

pub(crate) mod example;
pub(crate) mod flag;
pub(crate) mod pools;
pub(crate) mod processes;
pub(crate) mod program;
pub(crate) mod tasks;
pub(crate) mod watchdog;

pub(crate) use flag::{Flag, Raise, Scratch, Tally};
pub(crate) use pools::{Busy, busy_pool, fill, pool_of};
pub(crate) use watchdog::{until, watchdog};
