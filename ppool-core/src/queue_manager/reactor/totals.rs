//! What a pool has done so far, in numbers.

use std::time::Duration;

use crate::queue_manager::effect::Failure;

/// Over how many seconds the throughput is taken.
const SECONDS: usize = 10;

/// Numbers that only grow.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Totals {
    /// Calls that came in.
    pub(crate) submitted: u64,
    /// Those that gave a value.
    pub(crate) finished: u64,
    /// Those that gave an error.
    pub(crate) failed: u64,
    /// Those that were cancelled or killed.
    pub(crate) cancelled: u64,
    /// How often one ran again after its worker was lost.
    pub(crate) retried: u64,
    /// Processes that were started.
    pub(crate) workers_started: u64,
    /// Messages of workers that were gone, or about calls that were resolved.
    pub(crate) stale: u64,
}

impl Totals {
    pub(super) fn fail(&mut self, calls: u32, failure: &Failure) {
        match failure {
            Failure::Cancelled { .. } => self.cancelled += u64::from(calls),
            Failure::Lost(_)
            | Failure::TimedOut(_)
            | Failure::CpuTimedOut(_)
            | Failure::MemoryLimit
            | Failure::Broken(_) => {
                self.failed += u64::from(calls);
            }
        }
    }

    /// How many calls have neither a value nor an error yet.
    pub(crate) fn unresolved(&self) -> u64 {
        self.submitted - self.finished - self.failed - self.cancelled
    }
}

/// How many results came in each of the last seconds.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Rate {
    /// By the second modulo their number.
    results: [u32; SECONDS],
    /// The second of the last one.
    last: u64,
}

impl Rate {
    /// So many results have come.
    pub(super) fn note(&mut self, count: u32, now: Duration) {
        let second = now.as_secs();
        if second != self.last {
            self.forget_until(second);
        }
        let results = &mut self.results[place(second)];
        *results = results.saturating_add(count);
    }

    /// Results for each second of the last ten, or of those since `begin`.
    pub(super) fn per_second(mut self, begin: Duration, now: Duration) -> f64 {
        self.forget_until(now.as_secs());
        let results: u64 = self.results.iter().copied().map(u64::from).sum();
        let window = Duration::from_secs((now.as_secs() + 1).saturating_sub(SECONDS as u64));
        let span = now.saturating_sub(begin.max(window)).as_secs_f64();
        // In the first moment, the numbers would be of no use.
        results as f64 / span.max(1e-3)
    }

    /// Empties the places of the seconds after the last one, up to this one.
    fn forget_until(&mut self, second: u64) {
        let passed = second.saturating_sub(self.last).min(SECONDS as u64);
        for later in 0..passed {
            self.results[place(second - later)] = 0;
        }
        self.last = self.last.max(second);
    }
}

fn place(second: u64) -> usize {
    usize::try_from(second % SECONDS as u64).expect("a small number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let mut rate = Rate::default();
        // Ten in each second.
        for tenth in 0..1000 {
            rate.note(1, seconds(f64::from(tenth) / 10.0));
        }
        let at = |at: f64| rate.per_second(Duration::ZERO, seconds(at)).round();
        assert_eq!(at(99.95), 10.0);
        // No more came, so the window is half empty, and then empty.
        assert_eq!(at(104.95), 5.0);
        assert_eq!(at(120.0), 0.0);
    }

    #[test]
    fn a_young_pool_is_judged_by_its_own_time() {
        let mut rate = Rate::default();
        for tenth in 0..20 {
            rate.note(1, seconds(50.0 + f64::from(tenth) / 10.0));
        }
        let rate = rate.per_second(seconds(50.0), seconds(52.0));
        assert_eq!(rate.round(), 10.0);
    }
}
