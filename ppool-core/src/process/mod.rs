//! Any task as a process of its own.
//!
//! ```text
//!  Process::spawn ──► encode ──► keeper: one thread ──posix_spawn──► this program once more:
//!       │             (caller)      │ the boot message ══ socket ══► its hook, the task, exit
//!       ▼                           │
//!    Record: how it ended ◄─────────┴── pidfd: it has ended, and is reaped
//!       │
//!  join, exit_code, is_alive, active_children
//! ```
//!
//! It mirrors multiprocessing's `Process`. A process is started before `spawn` returns, and ended
//! ones are reaped by themselves, whether anybody asks for them or not.
//!
//! # States
//!
//! Running, then ended. A record is in the list of the living from before its process runs its task
//! until it has been reaped, and how it ended is set once.
//!
//! # Invariants
//!
//! - SUP-3: a process is signalled and reaped by its pidfd only, and by the keeper only.
//! - SUP-4: no process outlives its parent. The kernel kills it with the keeper, the thread that
//!   started it, which lives as long as the process does; and it ends when its socket does.
//!
//! # Failure
//!
//! What can't be started is an error of `spawn`, with nothing left. After that a process can only
//! end: its exit code or signal says how. A process that was forked (without exec) from this one has
//! no keeper and no children: handles that it inherited say so in an error.

mod at_exit;
mod builder;
mod current;
mod handle;
mod keeper;
mod record;

pub use builder::ProcessBuilder;
pub(crate) use builder::{Arguments, encode};
pub use current::{CurrentProcess, become_process, current};
pub use handle::{Process, active_children};
pub(crate) use keeper::{adopt, while_still};
pub(crate) use record::{Link, wait_until_none};

pub use crate::error::{ProcessExit, SpawnError};
