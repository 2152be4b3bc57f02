//! The run: which samples are taken, in which order, and what comes of them.
//!
//! ```text
//!  Options ──► Roster (who can run) ──► run: workload × round × contender ──► Results
//!                                          └─► sample (one process) ◄──► observe (/proc)
//! ```
//!
//! Failure: a sample that fails or hangs gives a reason in place of figures, and that contender is not
//! asked for that workload again; the run goes on.

mod observe;
mod options;
mod python;
mod results;
mod roster;
mod run;
mod sample;

pub use options::{Options, USAGE};
pub use results::{Results, Why};
pub use roster::{Player, Roster};
pub use run::run;
