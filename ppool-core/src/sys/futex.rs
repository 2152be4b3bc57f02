//! Sleeping until another process changes a word in shared memory.
//!
//! ```text
//!  waiter                              waker
//!  load: is it what I wait for? no     store what it waits for
//!  wait(word, what was loaded) ◄────── wake(word, n)
//!  load again
//! ```
//!
//! The kernel compares and goes to sleep in one step, so a wake-up between the load and the wait
//! isn't lost: the wait then returns at once. It orders no other memory: the loads and stores of the
//! word do that.
//!
//! These are the shared futexes, which work across processes; a private one would only see threads.
#![expect(unsafe_code, reason = "futex is a raw call")]

use std::{
    io, ptr,
    sync::atomic::AtomicU32,
    time::{Duration, Instant},
};

use nix::{errno::Errno, libc};

/// Why a wait is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a wait can also be over because time is"]
pub enum Waited {
    /// Somebody woke this thread, or a signal did, or nobody at all: load the word and see.
    Woken,
    /// It didn't sleep, for the word had another value already.
    Changed,
    /// The time is over.
    TimedOut,
}

/// `futex(word, FUTEX_WAIT, expected, timeout)`—sleeps while the word is `expected`, until
/// [`wake`], for at most `timeout` (without one: for ever).
///
/// # Errors
/// None is known for a word that is mapped.
///
/// # References
/// - [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html)
/// - [FUTEX_WAIT(2const)](https://man7.org/linux/man-pages/man2/FUTEX_WAIT.2const.html)
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> io::Result<Waited> {
    let timeout = timeout.and_then(timespec);
    let timeout: *const libc::timespec = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let operation = libc::FUTEX_WAIT;
    // SAFETY: the word is a live atomic, and the timeout is null or lives until the end of this
    // function.
    let waited =
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, expected, timeout) };
    match Errno::result(waited) {
        Ok(_) | Err(Errno::EINTR) => Ok(Waited::Woken),
        Err(Errno::EAGAIN) => Ok(Waited::Changed),
        Err(Errno::ETIMEDOUT) => Ok(Waited::TimedOut),
        Err(errno) => Err(errno.into()),
    }
}

/// As [`wait`], until a point in time: for loops, where each spurious wake-up would otherwise begin
/// the time anew.
///
/// # Errors
/// None is known for a word that is mapped.
pub fn wait_until(
    word: &AtomicU32,
    expected: u32,
    deadline: Option<Instant>,
) -> io::Result<Waited> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    wait(word, expected, left)
}

/// `futex(word, FUTEX_WAKE, count)`—wakes at most `count` of those that sleep on the word, and says
/// how many.
///
/// # References
/// - [futex(2)](https://man7.org/linux/man-pages/man2/futex.2.html)
/// - [FUTEX_WAKE(2const)](https://man7.org/linux/man-pages/man2/FUTEX_WAKE.2const.html)
pub fn wake(word: &AtomicU32, count: u32) -> u32 {
    // The kernel's count is signed, and a negative one wakes one sleeper.
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    // SAFETY: the word is a live atomic; the kernel doesn't write it.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
    // It fails only for an address that is not mapped or not aligned, and this one is a reference.
    u32::try_from(woken).unwrap_or(0)
}

/// The kernel's form of a duration; None when it is longer than the kernel can count, which is as
/// good as for ever.
fn timespec(duration: Duration) -> Option<libc::timespec> {
    Some(libc::timespec {
        tv_sec: duration.as_secs().try_into().ok()?,
        tv_nsec: duration.subsec_nanos().into(),
    })
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::Ordering::{Acquire, Release},
        thread,
    };

    use super::{
        super::{mapping::Mapping, memfd::Memfd},
        *,
    };

    #[test]
    fn a_word_that_has_changed_is_not_slept_on() {
        let word = AtomicU32::new(1);
        assert_eq!(wait(&word, 0, None).unwrap(), Waited::Changed);
        assert_eq!(wait_until(&word, 0, None).unwrap(), Waited::Changed);
    }

    #[test]
    fn time_can_run_out() {
        let word = AtomicU32::new(0);
        let start = Instant::now();
        let timeout = Duration::from_millis(2);
        // A signal may end a wait early; that is not what is tested here.
        while wait_until(&word, 0, Some(start + timeout)).unwrap() != Waited::TimedOut {}
        assert!(start.elapsed() >= timeout);
        assert_eq!(
            wait(&word, 0, Some(Duration::ZERO)).unwrap(),
            Waited::TimedOut
        );
    }

    #[test]
    fn an_endless_duration_has_no_end() {
        assert!(timespec(Duration::MAX).is_none());
        assert!(timespec(Duration::from_secs(u64::MAX >> 1)).is_some());
    }

    #[test]
    fn nobody_sleeps_so_nobody_is_woken() {
        assert_eq!(wake(&AtomicU32::new(0), u32::MAX), 0);
    }

    #[test]
    fn a_wake_through_one_mapping_reaches_a_sleeper_at_another() {
        let memfd = Memfd::create("ppool-test", 4).unwrap();
        let mappings = [(); 2].map(|()| Mapping::new(&memfd, 4).unwrap());
        let [here, there] = mappings.each_ref().map(|mapping| {
            // SAFETY: aligned to a page, four bytes long, alive as long as the mapping, and only
            // ever used as this atomic.
            unsafe { mapping.as_ptr().cast::<AtomicU32>().as_ref() }
        });
        let watchdog = Instant::now() + Duration::from_secs(60);
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                while there.load(Acquire) == 0 {
                    let waited = wait_until(there, 0, Some(watchdog)).unwrap();
                    assert_ne!(waited, Waited::TimedOut, "nobody woke the sleeper");
                }
            });
            // Woken before the store it goes back to sleep; so wake until one slept.
            while wake(here, 1) == 0 && !sleeper.is_finished() {
                thread::yield_now();
            }
            here.store(1, Release);
            wake(here, u32::MAX);
        });
    }
}
