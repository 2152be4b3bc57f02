//! The clock that all processes of a machine share.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// `clock_gettime(CLOCK_MONOTONIC)`—nanoseconds since some fixed point in the past, the same in every
/// process. Makes no system call where the kernel maps its clock.
///
/// # References
/// - [clock_gettime(2)](https://man7.org/linux/man-pages/man2/clock_gettime.2.html)
#[must_use]
pub fn monotonic_nanos() -> u64 {
    // Every Linux has this clock.
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
    // 2^64 nanoseconds are 584 years.
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes() {
        let before = monotonic_nanos();
        std::thread::sleep(Duration::from_millis(1));
        assert!(monotonic_nanos() >= before + 1_000_000);
    }
}
