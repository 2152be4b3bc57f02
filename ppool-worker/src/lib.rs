//! The worker process's side of ppool. Use it through the crate `ppool`; what is public here and not
//! there may change at any time.
//!
//! ```text
//!  exec ──► initialisers ──► hook ──► boot: control thread ◄══ Boot, calls, Sentinel ══ parent
//!                             │           │        ▲
//!            no variable:     │     queue ▼        │ end
//!            main as ever ◄───┘       call thread: initializer, call_loop, finalizer
//!                                         ╚═════ Hello, Ready, results, Bye ══════════► parent
//! ```
//!
//! # Invariants
//!
//! - SUP-4: no worker outlives its parent, whatever its task does: the kernel kills it when the
//!   thread that started it ends, and the control thread ends it at the end of the link.
//! - Nothing here prints: what goes wrong is told to the parent. Only a process that is there for one
//!   task prints how that failed, as Rust's `main` does.
//!
//! # Failure
//!
//! A task that panics fails its call. Whatever ends the process is seen by the parent.

mod boot;
mod call_loop;
mod ends;
mod hook;
mod invoke;
mod limits;
mod manager;
mod output;
mod panic;
mod process;
#[cfg(feature = "tokio")]
mod runtime;
mod state;
mod stopping;
mod template;

pub use hook::{hook, init};
#[cfg(feature = "tokio")]
pub use runtime::block_on;
pub use state::{WorkerInfo, current, set_state, try_with_state, with_state};
pub use stopping::stop_requested;

#[cfg(test)]
mod tests;
