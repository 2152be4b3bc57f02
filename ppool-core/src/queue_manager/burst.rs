//! Whether calls end so fast that to wake somebody for each would cost more than the calls.

use std::time::Duration;

/// It is a burst when so many results have come together, and came faster than one in this time.
const MANY: u32 = 4;
const BETWEEN: Duration = Duration::from_micros(20);

/// How many calls a submitter submits until it is its turn to look after the links.
const LOOK_EACH: u32 = 16;

/// What came and went since the queue-manager thread last asked.
#[derive(Debug, Default)]
pub(super) struct Burst {
    results: u32,
    submitted: u32,
    since: Duration,
    /// Whether it was a burst then.
    lasts: bool,
}

impl Burst {
    /// A worker has sent a result.
    #[inline]
    pub(super) fn result_came(&mut self) {
        self.results = self.results.saturating_add(1);
    }

    /// A call was submitted. Whether the submitter is to look after the links: in a burst somebody must,
    /// while the queue-manager thread naps.
    #[inline]
    pub(super) fn call_submitted(&mut self) -> bool {
        self.submitted = self.submitted.wrapping_add(1);
        self.lasts && self.submitted.is_multiple_of(LOOK_EACH)
    }

    /// The queue-manager thread has nothing to do right now. Whether it may nap: in a burst, unless
    /// somebody waits for what it does next, or calls wait that nobody but it would hand out.
    pub(super) fn allows_nap(
        &mut self,
        now: Duration,
        is_awaited: bool,
        has_pending: bool,
    ) -> bool {
        let results = std::mem::take(&mut self.results);
        let submitted = std::mem::take(&mut self.submitted);
        let passed = now.saturating_sub(std::mem::replace(&mut self.since, now));
        self.lasts = results >= MANY && passed < BETWEEN * results && !is_awaited;
        self.lasts && (submitted >= LOOK_EACH || !has_pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One turn of the queue-manager thread, this long after the last one.
    fn turn(burst: &mut Burst, results: u32, submitted: u32, micros: u64) -> [bool; 3] {
        for _ in 0..results {
            burst.result_came();
        }
        let mut looks = false;
        for _ in 0..submitted {
            looks |= burst.call_submitted();
        }
        let now = burst.since + Duration::from_micros(micros);
        let pending = submitted > 0;
        [looks, burst.allows_nap(now, false, pending), burst.lasts]
    }

    #[test]
    fn many_results_in_a_short_time_are_a_burst_and_few_or_slow_ones_are_none() {
        let burst = &mut Burst::default();
        assert_eq!(turn(burst, 100, 0, 1000), [false, true, true]);
        assert_eq!(turn(burst, 100, 0, 3000), [false, false, false]);
        assert_eq!(turn(burst, 3, 0, 1), [false, false, false]);
        assert_eq!(turn(burst, 0, 0, 0), [false, false, false]);
    }

    #[test]
    fn in_a_burst_submitters_look_and_hand_out_what_waits() {
        let burst = &mut Burst::default();
        assert_eq!(turn(burst, 100, 5, 1000), [false, false, true]);
        assert_eq!(turn(burst, 100, 16, 1000), [true, true, true]);
    }

    #[test]
    fn nobody_naps_while_somebody_waits() {
        let mut burst = Burst::default();
        (0..100).for_each(|_| burst.result_came());
        assert!(!burst.allows_nap(Duration::from_micros(10), true, false));
        assert!(!burst.lasts);
    }
}
