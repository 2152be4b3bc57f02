//! The same workloads over ppool and its peers, in one run.
//!
//! ```text
//!  ppool-benchmarks (driver)                    one process for each sample
//!
//!  for each workload, round, contender ──────►  measure WORKLOAD CONTENDER
//!                                                 a pool, the workload, a clock
//!        memory, CPU time, switches  ◄─ asks ──
//!  results ◄──────────────────────── figures ──  (measure.py for Python's pools)
//!     │
//!     └──► tables, goals, plot ──► standard output, docs/performance.md and .svg
//! ```
//!
//! Each sample is taken in a process of its own, so that no contender inherits the threads, the
//! warm allocator or the descriptors of another, and one that hangs can be ended. Contenders take
//! turns within each round, and the first turn moves on from round to round: a drift of the machine
//! hits all of them.
//!
//! A figure that can't be measured is a dash with its reason. Nothing here asserts a speed.

pub mod about;
pub mod bench;
pub mod contenders;
pub mod driver;
pub mod gate;
pub mod jobs;
pub mod limits;
pub mod report;
pub mod unit;
pub mod workloads;

/// What goes wrong here ends a sample or the run, and is shown as text.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
