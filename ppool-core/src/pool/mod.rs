//! The pool as users see it: its builder, single calls, maps, callbacks and its end.

mod builder;
mod callbacks;
mod gather;
mod handle;
mod map;
mod options;
mod pace;

pub use builder::{PoolBuilder, Workers};
pub use callbacks::Done;
pub use handle::{Pool, Shutdown};
pub use map::Imap;
pub use options::TaskCall;
