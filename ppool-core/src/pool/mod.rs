//! The pool as users see it: its builder, single calls, maps, callbacks and its end.

mod broadcast;
mod builder;
mod call;
mod callbacks;
mod chunk;
mod finalize;
mod gather;
mod handle;
mod limits;
mod map;
mod map_async;
mod options;
mod output;
mod pace;
mod start_method;
mod stats;
#[cfg(feature = "stream")]
mod stream;

pub use builder::{PoolBuilder, Workers};
pub use call::Call;
pub use callbacks::Done;
pub use handle::{Pool, Shutdown};
pub use map::Imap;
pub use options::TaskCall;
pub use start_method::StartMethod;
pub use stats::{PoolStats, WorkerState, WorkerStats};
#[cfg(feature = "stream")]
pub use stream::ImapStream;

pub use crate::queue_manager::{Finalized, FinalizerFailure, LostCall, TimeBucket, TimeStats};
