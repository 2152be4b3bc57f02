//! A limit on the processor time that a process takes from now on.

use std::{io, time::Duration};

use nix::{
    sys::{
        signal::{SigEvent, SigevNotify, Signal},
        timer::{Expiration, Timer, TimerSetTimeFlags},
    },
    time::ClockId,
};

pub use nix::libc::SIGXCPU;

/// Sends this process SIGXCPU when it has used so much processor time, all threads together.
///
/// Unless the signal is handled, it ends the process. Programs that the process starts don't
/// inherit the timer, and their time doesn't count.
#[derive(Debug)]
pub struct CpuTimer(Timer);

impl CpuTimer {
    /// `timer_create(CLOCK_PROCESS_CPUTIME_ID, SIGXCPU)`—a timer that is not set.
    ///
    /// # Errors
    /// `EAGAIN` when the user has too many timers and signals waiting (RLIMIT_SIGPENDING).
    ///
    /// # References
    /// - [timer_create(2)](https://man7.org/linux/man-pages/man2/timer_create.2.html)
    pub fn new() -> io::Result<Self> {
        let notify = SigevNotify::SigevSignal {
            signal: Signal::SIGXCPU,
            si_value: 0,
        };
        let clock = ClockId::CLOCK_PROCESS_CPUTIME_ID;
        Ok(CpuTimer(Timer::new(clock, SigEvent::new(notify))?))
    }

    /// `timer_settime`—the signal comes after so much more time, and not for what was set before.
    /// A limit of zero is the smallest that there is.
    ///
    /// # Errors
    /// None is known: a time beyond what the kernel can count is as much as it can.
    ///
    /// # References
    /// - [timer_settime(2)](https://man7.org/linux/man-pages/man2/timer_settime.2.html)
    pub fn set(&mut self, limit: Duration) -> io::Result<()> {
        /// Some centuries.
        const LONGEST: Duration = Duration::from_secs(1 << 33);
        let limit = limit.clamp(Duration::from_nanos(1), LONGEST);
        self.settime(limit)
    }

    /// `timer_settime(0)`—no signal comes.
    ///
    /// # Errors
    /// None is known.
    pub fn clear(&mut self) -> io::Result<()> {
        self.settime(Duration::ZERO)
    }

    fn settime(&mut self, after: Duration) -> io::Result<()> {
        let expiration = Expiration::OneShot(after.into());
        Ok(self.0.set(expiration, TimerSetTimeFlags::empty())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_that_was_cleared_or_is_far_away_does_nothing() {
        let mut timer = CpuTimer::new().unwrap();
        timer.set(Duration::MAX).unwrap();
        timer.set(Duration::from_secs(3600)).unwrap();
        timer.clear().unwrap();
        assert_eq!(timer.0.get().unwrap(), None);
    }
}
