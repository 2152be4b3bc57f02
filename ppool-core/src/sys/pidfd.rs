//! Watching a process until it ends, and signalling it without ever hitting another.
//!
//! ```text
//!  running ──(exit, signal)──► ended ──(try_wait, wait)──► reaped
//!             descriptor: not readable │ readable │ readable
//! ```
//!
//! A process id can be given to another process once the old one is reaped; a pidfd can't. So every
//! worker is watched, signalled and reaped by its pidfd (SUP-3).
//!
//! # Failure
//!
//! The exit status can be lost to others in this process: with SIGCHLD ignored the kernel throws it
//! away, and a `waitpid(-1)` elsewhere may take it. The end itself is still seen; it is reported as
//! [`ExitHow::Unknown`].
//!
//! # Peak memory
//!
//! The kernel keeps one peak per process, across exec. A process made by `posix_spawn` shares the
//! memory of its parent until it calls exec, so its peak starts at the parent's. What doesn't exceed
//! that says nothing about the process itself and is left out; see
//! [`ExitWatch::with_inherited_peak`].
#![expect(
    unsafe_code,
    reason = "pidfd_open, pidfd_send_signal and waitid are raw calls"
)]

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::fcntl::lift;
use crate::error::ExitHow;

/// How far beyond the inherited peak a peak must lie to be the process's own: the kernel counts
/// pages per CPU and adds up late, so two readings of the same memory differ a little.
const PEAK_MARGIN: u64 = 1 << 20;

/// A process that can be waited for; its descriptor is readable once the process has ended.
#[derive(Debug)]
pub struct ExitWatch {
    fd: OwnedFd,
    inherited_peak: u64,
}

/// How a process ended, and what it took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exit {
    /// Its exit code, or the signal that ended it.
    pub how: ExitHow,
    /// The most memory that it, or a child that it waited for, had resident at one time, in bytes.
    /// None when the exit status was lost, or when what its parent had used hides it.
    pub peak_memory: Option<u64>,
}

impl Exit {
    /// It has ended, and somebody else took the status.
    const UNKNOWN: Exit = Exit {
        how: ExitHow::Unknown,
        peak_memory: None,
    };
}

impl ExitWatch {
    /// `pidfd_open(pid, 0)`—watches a process.
    ///
    /// It need not be a child of this one; but how others end is [`ExitHow::Unknown`].
    ///
    /// # Errors
    /// `ESRCH` when there is no such process (any more), `EMFILE` or `ENFILE` when descriptors have
    /// run out.
    ///
    /// # References
    /// - [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html)
    #[expect(
        clippy::missing_panics_doc,
        reason = "a descriptor always fits its type"
    )]
    pub fn open(pid: u32) -> io::Result<Self> {
        let flags: libc::c_uint = 0;
        // SAFETY: pidfd_open takes two numbers and touches no memory of ours.
        let number = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) };
        let number = Errno::result(number)?;
        let number = RawFd::try_from(number).expect("a descriptor is a small number");
        // SAFETY: the kernel has just made this descriptor (close-on-exec) for us alone.
        let fd = unsafe { OwnedFd::from_raw_fd(number) };
        Ok(ExitWatch {
            fd: lift(fd)?,
            inherited_peak: 0,
        })
    }

    /// [`open`](ExitWatch::open) for a child that has just been started.
    ///
    /// While SIGCHLD is ignored, a child that ends at once is reaped by the kernel, and its number
    /// may be given to another process before it is watched. Then there is nothing to watch: None.
    ///
    /// # Errors
    /// `EMFILE` or `ENFILE` when descriptors have run out.
    pub fn open_child(pid: u32) -> io::Result<Option<Self>> {
        let watch = match ExitWatch::open(pid) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            opened => opened?,
        };
        // WNOWAIT: only asks. A child that has ended stays to be reaped.
        let asked = watch.waitid(libc::WEXITED | libc::WNOHANG | libc::WNOWAIT);
        if asked == Err(Errno::ECHILD) && !watch.has_ended(PollTimeout::ZERO)? {
            return Ok(None);
        }
        Ok(Some(watch))
    }

    /// Says what the process's peak of memory was, in bytes, before it called exec: what its parent
    /// had used until then.
    #[must_use]
    pub fn with_inherited_peak(mut self, bytes: u64) -> Self {
        self.inherited_peak = bytes;
        self
    }

    /// `pidfd_send_signal(fd, number)`—sends a signal. False when the process has been reaped, so
    /// that nobody is left to get it. (One that has ended but waits to be reaped still counts.)
    ///
    /// # Errors
    /// `EINVAL` when there is no such signal, `EPERM` when the process has become another user's.
    ///
    /// # References
    /// - [pidfd_send_signal(2)](https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html)
    pub fn signal(&self, number: i32) -> io::Result<bool> {
        let info: *const libc::siginfo_t = ptr::null();
        let flags: libc::c_uint = 0;
        let fd = self.fd.as_raw_fd();
        // SAFETY: the descriptor is open while `self` lives; a null `info` asks the kernel to fill
        // one in as for kill(2).
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, number, info, flags) };
        match Errno::result(sent) {
            Ok(_) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// `waitid(P_PIDFD, WEXITED | WNOHANG)`—reaps the process if it has ended, and says how.
    ///
    /// The status is handed out once: whoever asks again hears [`ExitHow::Unknown`]. None while the
    /// process runs. Never blocks (QM-1).
    ///
    /// # Errors
    /// `EINVAL` on a kernel before 5.4.
    ///
    /// # References
    /// - [waitid(2)](https://man7.org/linux/man-pages/man2/waitid.2.html)
    pub fn try_wait(&self) -> io::Result<Option<Exit>> {
        match self.waitid(libc::WEXITED | libc::WNOHANG) {
            // Not a child, or none any more. Only the pidfd knows whether it has ended.
            Err(Errno::ECHILD) => Ok(self.has_ended(PollTimeout::ZERO)?.then_some(Exit::UNKNOWN)),
            other => Ok(other?),
        }
    }

    /// `waitid(P_PIDFD, WEXITED)`—blocks until the process has ended, reaps it and says how.
    ///
    /// # Errors
    /// `EINVAL` on a kernel before 5.4.
    ///
    /// # References
    /// - [waitid(2)](https://man7.org/linux/man-pages/man2/waitid.2.html)
    pub fn wait(&self) -> io::Result<Exit> {
        loop {
            match self.waitid(libc::WEXITED) {
                Ok(Some(exit)) => return Ok(exit),
                Ok(None) | Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => {
                    if self.has_ended(PollTimeout::NONE)? {
                        return Ok(Exit::UNKNOWN);
                    }
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// `poll(fd, POLLIN, limit)`—waits for the end of the process, for so long at the most (whole
    /// milliseconds); whether it has come. It is not reaped.
    #[must_use]
    pub fn has_ended_within(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match self.has_ended(timeout) {
                Ok(false) if !left.is_zero() => {}
                Ok(ended) => return ended,
                Err(_) => return false,
            }
        }
    }

    /// `poll(fd, POLLIN)`—whether the process has ended, reaped or not. Never blocks.
    ///
    /// # Errors
    /// `ENOMEM` when the kernel has no memory.
    ///
    /// # References
    /// - [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html)
    pub fn is_over(&self) -> io::Result<bool> {
        self.has_ended(PollTimeout::ZERO)
    }

    /// `poll(fd, POLLIN)`—whether the process has ended, by whomever it was reaped.
    fn has_ended(&self, timeout: PollTimeout) -> io::Result<bool> {
        let mut watched = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The raw call: unlike libc's function it has the resource usage as a fifth argument. None when
    /// `WNOHANG` found the process running.
    fn waitid(&self, options: libc::c_int) -> nix::Result<Option<Exit>> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the descriptor is open while `self` lives, and both pointers are to writable
        // memory of the type that the kernel fills in.
        let waited = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                self.fd.as_raw_fd(),
                info.as_mut_ptr(),
                options,
                usage.as_mut_ptr(),
            )
        };
        Errno::result(waited)?;
        // SAFETY: plain numbers, zeroed above and then filled in by the kernel.
        let info = unsafe { info.assume_init() };
        // SAFETY: as above.
        let usage = unsafe { usage.assume_init() };
        if info.si_signo == 0 {
            return Ok(None);
        }
        // SAFETY: a siginfo of waitid describes a child, and so has a status.
        let status = unsafe { info.si_status() };
        let how = match info.si_code {
            libc::CLD_EXITED => ExitHow::Code(status),
            code => ExitHow::Signal {
                number: status,
                core_dumped: code == libc::CLD_DUMPED,
            },
        };
        Ok(Some(Exit {
            how,
            peak_memory: own_peak(usage.ru_maxrss, self.inherited_peak),
        }))
    }
}

impl AsFd for ExitWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The peak in bytes of which the kernel says `kibibytes`, unless the inherited one hides it.
fn own_peak(kibibytes: i64, inherited: u64) -> Option<u64> {
    let peak = u64::try_from(kibibytes).ok()?.checked_mul(1024)?;
    let hidden = inherited.saturating_add(if inherited == 0 { 0 } else { PEAK_MARGIN });
    (peak > hidden).then_some(peak)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_peak_counts_only_beyond_the_inherited_one() {
        assert_eq!(own_peak(2048, 0), Some(2 << 20));
        assert_eq!(own_peak(8 << 10, 4 << 20), Some(8 << 20));
        assert_eq!(own_peak(4 << 10, 4 << 20), None);
        assert_eq!(own_peak(4 << 10, 8 << 20), None);
        assert_eq!(own_peak(-1, 0), None);
    }

    #[test]
    fn no_process_has_the_number_zero() {
        let error = ExitWatch::open(0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn a_living_process_that_is_no_child_is_not_taken_for_one() {
        let parent = std::os::unix::process::parent_id();
        assert!(ExitWatch::open(parent).is_ok());
        assert!(ExitWatch::open_child(parent).unwrap().is_none());
    }

    #[test]
    #[expect(clippy::zombie_processes, reason = "the watch reaps it")]
    fn a_child_is_watched_signalled_and_reaped_once() {
        let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let watch = ExitWatch::open_child(child.id()).unwrap().unwrap();
        assert_eq!(watch.try_wait().unwrap(), None);
        assert!(watch.signal(libc::SIGKILL).unwrap());
        let killed = ExitHow::Signal {
            number: libc::SIGKILL,
            core_dumped: false,
        };
        assert_eq!(watch.wait().unwrap().how, killed);
        assert_eq!(watch.try_wait().unwrap(), Some(Exit::UNKNOWN));
        assert_eq!(watch.wait().unwrap(), Exit::UNKNOWN);
        assert!(!watch.signal(libc::SIGKILL).unwrap());
    }
}
