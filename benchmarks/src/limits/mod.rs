//! What the machine itself can do: the bounds that no pool gets past.

mod catalogue;
mod copies;
mod process;
mod wake_up;

pub use catalogue::{ABOUT, NOTHING, measure};
