//! Waiting for all processes at the other ends.

use std::time::{Duration, Instant};

use crate::process::wait_until_none;

/// Waits until every process that this one has started for a channel has ended.
///
/// Processes that somebody else started are none of its business, nor are workers of pools and
/// [processes](crate::process) without a channel. A process that waits for this side to receive
/// something doesn't end: close the channels first.
pub fn wait_all() {
    wait_until_none(|record| record.of_channel, None);
}

/// [`wait_all`] that waits at most for that long. Says whether all have ended.
#[must_use]
pub fn wait_all_timeout(timeout: Duration) -> bool {
    // A time that the clock can't express is as good as none.
    wait_until_none(
        |record| record.of_channel,
        Instant::now().checked_add(timeout),
    )
}
