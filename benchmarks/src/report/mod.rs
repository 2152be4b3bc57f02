//! What the results say: tables, goals, a plot, and where they are kept.
//!
//! ```text
//!  Results ──► figures (table with ratios) ─┐
//!          ──► goals (reached or not) ──────┼─► text ──► standard output
//!  machine ──► facts ───────────────────────┘    └────► between the markers of performance.md
//!          ──► plot ──────────────────────────────────► performance.svg
//! ```

mod document;
mod figures;
mod goal;
mod goal_table;
mod goals;
mod grid;
mod machine;
mod plot;
mod text;

pub use document::save;
pub use text::{Report, load, write};
