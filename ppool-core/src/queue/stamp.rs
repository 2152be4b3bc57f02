//! A time that only the histograms ask for.

use std::time::Duration;

/// When something happened. Without the feature `stats` nobody asks, and it takes no room.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Stamp {
    #[cfg(feature = "stats")]
    at: Duration,
}

impl Stamp {
    /// This moment.
    #[cfg_attr(
        not(feature = "stats"),
        expect(unused_variables, reason = "nobody will ask")
    )]
    pub(crate) fn new(at: Duration) -> Self {
        Stamp {
            #[cfg(feature = "stats")]
            at,
        }
    }

    /// How much later `now` is.
    #[cfg(feature = "stats")]
    pub(crate) fn until(self, now: Duration) -> Duration {
        now.saturating_sub(self.at)
    }
}
