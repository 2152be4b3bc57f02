//! How many inputs of a map travel together, when nobody says.
//!
//! A chunk costs about the same to send whatever is in it, so the more calls share that cost the
//! better; but a chunk is also what one worker holds while others may have nothing to do. So chunks
//! grow until one takes [`CHUNK_TIME`], which makes the cost of sending a small share, and shrink
//! towards the end of the inputs, so that the workers finish together.

use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How long a worker should be busy with a chunk: some hundred times what sending one costs.
const CHUNK_TIME: Duration = Duration::from_millis(2);
/// How long a worker should be busy with all that a map has in flight for it: some times as long as the
/// queue manager naps in a burst.
const IN_FLIGHT: Duration = Duration::from_millis(4);
/// How many chunks a map has in flight for each worker at the least: one that runs, one that waits
/// behind it, one on its way; and at the most.
const CHUNKS_IN_FLIGHT: RangeInclusive<u64> = 3..=16;
/// By how much a chunk may be larger than the largest before it.
const GROWTH: u64 = 8;
/// The most calls of a chunk.
const LARGEST: u64 = 16_384;

/// A chunk is full when its arguments take so many bytes: what a worker's ring carries, and little
/// enough that the chunks in flight don't count.
pub(super) const FULL: usize = 32 << 10;

/// What a map has learned of the cost of its calls.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Nanoseconds per call, as of the chunk that was measured last; 0 before the first.
    per_call: AtomicU64,
    /// How many calls that chunk had.
    measured: AtomicU64,
}

impl Pace {
    /// So many calls took a worker this long.
    pub(super) fn ran(&self, calls: u32, time: Duration) {
        let calls = u64::from(calls).max(1);
        self.per_call
            .store((nanos(time) / calls).max(1), Ordering::Relaxed);
        self.measured.fetch_max(calls, Ordering::Relaxed);
    }

    /// How many calls the next chunk should have, when `left` inputs are left at the most and there
    /// are `workers`.
    pub(super) fn chunk_size(&self, left: Option<u64>, workers: u64) -> u64 {
        let per_call = self.per_call.load(Ordering::Relaxed);
        if per_call == 0 {
            return 1;
        }
        let grown = self.measured.load(Ordering::Relaxed).saturating_mul(GROWTH);
        let fair = left.map_or(u64::MAX, |left| left / (2 * workers));
        (nanos(CHUNK_TIME) / per_call)
            .min(grown)
            .min(fair)
            .clamp(1, LARGEST)
    }

    /// How many chunks of this size should be in flight for each worker.
    pub(super) fn chunks_in_flight(&self, chunk_size: u64) -> u64 {
        let per_chunk = self.per_call.load(Ordering::Relaxed) * chunk_size;
        let (least, most) = CHUNKS_IN_FLIGHT.into_inner();
        let chunks = nanos(IN_FLIGHT).checked_div(per_chunk);
        chunks.map_or(least, |chunks| chunks.clamp(least, most))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_while_calls_are_cheap_and_not_when_they_are_not() {
        let pace = Pace::default();
        assert_eq!(pace.chunk_size(None, 2), 1);
        pace.ran(1, Duration::from_micros(20));
        assert_eq!(pace.chunk_size(None, 2), 8);
        pace.ran(8, Duration::from_micros(8));
        assert_eq!(pace.chunk_size(None, 2), 64);
        pace.ran(64, Duration::from_millis(640));
        assert_eq!(pace.chunk_size(None, 2), 1);
    }

    #[test]
    fn chunks_shrink_towards_the_end() {
        let pace = Pace::default();
        pace.ran(1000, Duration::from_micros(1000));
        assert_eq!(pace.chunk_size(Some(1_000_000), 2), 2000);
        assert_eq!(pace.chunk_size(Some(400), 2), 100);
        assert_eq!(pace.chunk_size(Some(3), 2), 1);
    }

    #[test]
    fn the_shorter_the_chunks_the_more_are_in_flight() {
        let pace = Pace::default();
        assert_eq!(pace.chunks_in_flight(1), 3);
        pace.ran(1, Duration::from_micros(1));
        assert_eq!(pace.chunks_in_flight(2000), 3);
        assert_eq!(pace.chunks_in_flight(400), 10);
        assert_eq!(pace.chunks_in_flight(1), 16);
    }
}
