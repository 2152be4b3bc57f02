//! How long calls wait and run, counted where a pool was told to.
//!
//! The times are those that the reactor is told with its events anyway; what remains is some ten
//! nanoseconds for each item. Calls that travel together share the time of their item. Without the
//! feature `stats` there is nothing of it.

use std::time::Duration;

use serde::Serialize;

use crate::queue::Stamp;

/// How long something took, over all calls that did it.
///
/// The numbers are right to a hundredth of their size.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct TimeStats {
    /// How many calls.
    pub count: u64,
    /// The shortest time.
    pub min: Duration,
    /// The mean.
    pub mean: Duration,
    /// Half of the calls took no longer than this.
    pub p50: Duration,
    /// Nine of ten took no longer.
    pub p90: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// 999 of 1000 took no longer.
    pub p999: Duration,
    /// The longest time.
    pub max: Duration,
    /// How many took how long, from the shortest on: steps that double.
    pub buckets: Vec<TimeBucket>,
}

/// One step of a histogram.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct TimeBucket {
    /// The calls took no longer than this, and longer than that of the step before.
    pub up_to: Duration,
    /// How many did.
    pub count: u64,
}

#[cfg(feature = "stats")]
pub(super) use recorded::Times;
#[cfg(not(feature = "stats"))]
pub(super) use unrecorded::Times;

#[cfg(feature = "stats")]
mod recorded {
    use hdrhistogram::Histogram;

    use super::{Duration, Stamp, TimeBucket, TimeStats};

    /// The two histograms, if they are wanted.
    #[derive(Debug)]
    pub(in super::super) struct Times(Option<Box<Both>>);

    #[derive(Debug)]
    struct Both {
        waiting: Histogram<u64>,
        running: Histogram<u64>,
    }

    impl Times {
        pub(in super::super) fn new(wanted: bool) -> Self {
            Times(wanted.then(|| {
                Box::new(Both {
                    waiting: histogram(),
                    running: histogram(),
                })
            }))
        }

        /// Whether it is worth while to tell of a call.
        pub(in super::super) fn is_on(&self) -> bool {
            self.0.is_some()
        }

        /// Calls have begun that came in together at `submitted`.
        pub(in super::super) fn begins(&mut self, submitted: Stamp, calls: u32, now: Duration) {
            if let Some(both) = &mut self.0 {
                record(&mut both.waiting, submitted.until(now), calls);
            }
        }

        /// Calls have ended that together ran for so long.
        pub(in super::super) fn ends(&mut self, ran: Duration, calls: u32) {
            if let Some(both) = &mut self.0 {
                record(&mut both.running, ran / calls.max(1), calls);
            }
        }

        /// Waiting and running times.
        pub(in super::super) fn look(&self) -> Option<(TimeStats, TimeStats)> {
            let both = self.0.as_deref()?;
            Some((summary(&both.waiting), summary(&both.running)))
        }
    }

    /// Nanoseconds up to a day, to two digits: some 40 KiB.
    fn histogram() -> Histogram<u64> {
        Histogram::new_with_max(86_400_000_000_000, 2).expect("the bounds are in order")
    }

    fn record(histogram: &mut Histogram<u64>, time: Duration, calls: u32) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        histogram.saturating_record_n(nanos, u64::from(calls));
    }

    fn summary(histogram: &Histogram<u64>) -> TimeStats {
        let quantile = |q| Duration::from_nanos(histogram.value_at_quantile(q));
        let steps = histogram.iter_log(1024, 2.0);
        let buckets = steps.map(|step| TimeBucket {
            up_to: Duration::from_nanos(step.value_iterated_to()),
            count: step.count_since_last_iteration(),
        });
        TimeStats {
            count: histogram.len(),
            min: Duration::from_nanos(histogram.min()),
            mean: Duration::from_secs_f64(histogram.mean() / 1e9),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: Duration::from_nanos(histogram.max()),
            buckets: buckets.skip_while(|bucket| bucket.count == 0).collect(),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn times_are_summed_up() {
            let mut times = Times::new(true);
            for micros in 1..=1000 {
                times.ends(Duration::from_micros(micros), 1);
            }
            times.begins(
                Stamp::new(Duration::from_secs(1)),
                1,
                Duration::from_secs(3),
            );
            let (waiting, running) = times.look().unwrap();
            let near = |time: Duration, wanted: Duration| {
                let (time, wanted) = (time.as_secs_f64(), wanted.as_secs_f64());
                assert!((time / wanted - 1.0).abs() < 0.02, "{time} is not {wanted}");
            };
            assert_eq!((waiting.count, running.count), (1, 1000));
            near(waiting.p50, Duration::from_secs(2));
            near(running.min, Duration::from_micros(1));
            near(running.p50, Duration::from_micros(500));
            near(running.p90, Duration::from_micros(900));
            near(running.mean, Duration::from_micros(500));
            near(running.max, Duration::from_millis(1));
            let counts = running.buckets.iter().map(|bucket| bucket.count);
            assert_eq!(counts.sum::<u64>(), 1000);
            assert!(running.buckets.is_sorted_by_key(|bucket| bucket.up_to));
        }

        #[test]
        fn nothing_is_counted_unless_it_is_wanted() {
            let mut times = Times::new(false);
            times.ends(Duration::from_secs(1), 1);
            assert!(times.look().is_none());
        }

        #[test]
        fn times_beyond_all_bounds_are_taken_for_the_longest() {
            let mut times = Times::new(true);
            times.ends(Duration::MAX, 1);
            times.ends(Duration::ZERO, 1);
            let (_, running) = times.look().unwrap();
            assert_eq!((running.count, running.min), (2, Duration::ZERO));
            assert!(running.max >= Duration::from_secs(86_400));
        }
    }
}

#[cfg(not(feature = "stats"))]
mod unrecorded {
    use super::{Duration, Stamp, TimeStats};

    /// No histograms.
    #[derive(Debug)]
    pub(in super::super) struct Times;

    impl Times {
        pub(in super::super) fn new(_wanted: bool) -> Self {
            Times
        }

        pub(in super::super) fn is_on(&self) -> bool {
            false
        }

        pub(in super::super) fn begins(&mut self, _submitted: Stamp, _calls: u32, _now: Duration) {}

        pub(in super::super) fn ends(&mut self, _ran: Duration, _calls: u32) {}

        pub(in super::super) fn look(&self) -> Option<(TimeStats, TimeStats)> {
            None
        }
    }
}
