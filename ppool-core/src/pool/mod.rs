//! The pool as users see it: its builder, single calls, maps, callbacks and its end.

mod builder;
mod call;
mod callbacks;
mod finalize;
mod gather;
mod handle;
mod map;
mod map_async;
mod options;
mod pace;
#[cfg(feature = "stream")]
mod stream;

pub use builder::{PoolBuilder, Workers};
pub use call::Call;
pub use callbacks::Done;
pub use handle::{Pool, Shutdown};
pub use map::Imap;
pub use options::TaskCall;
#[cfg(feature = "stream")]
pub use stream::ImapStream;

pub use crate::queue_manager::{Finalized, LostCall};
