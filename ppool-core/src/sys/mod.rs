//! The kernel: one interface per file, each with a safe face.
//!
//! | file | kernel interface | used for |
//! | --- | --- | --- |
//! | `spawn` | `posix_spawn` | starting a worker |
//! | `socketpair` | `socketpair` | the link to a worker, pipes |
//! | `inherit` | `close_range`, `fcntl` | taking what was handed over, in the worker |
//! | `pidfd` | `pidfd_open`, `pidfd_send_signal`, `waitid` | watching, signalling and reaping a worker |
//! | `sibling` | `clone`, `prctl`, `prlimit` | copies of a template process |
//! | `stdio` | `fflush` | writing what C code has printed, before a fork |
//! | `waitpid` | `kill`, `waitpid` | ending a worker that could not be watched |
//! | `procfs` | `/proc/PID/status`, `/proc/PID/stat`, `/proc/thread-self/children` | how much memory a process has used, when it started, which ones were started from here |
//! | `signal` | `sigaction`, `sigprocmask`, `prctl`, `raise` | what a worker ignores, and when it must die |
//! | `epoll` | `epoll_create1`, `epoll_ctl`, `epoll_wait` | the one wait point (QM-2) |
//! | `poll` | `poll` | waiting for one descriptor |
//! | `fork` | `fork`, `on_exit`, `F_SETSIG`, `_exit` | a channel's process that goes on where its parent is |
//! | `eventfd` | `eventfd` | waking that wait point |
//! | `clock` | `clock_gettime` | when a call started |
//! | `memfd` | `memfd_create` | memory that processes share |
//! | `mapping` | `mmap` | seeing that memory |
//! | `futex` | `futex` | sleeping on a word in that memory |
//! | `fcntl` | `fcntl` | moving descriptors out of the way |
//! | `limits` | `getrlimit` | how many descriptors and processes there may be, and whether they have run out |
//! | `fork_hook` | `pthread_atfork` | learning that this process is a forked child |
//! | `memory_limit` | `setrlimit`, `sigaction` | what memory a worker may have, and whether it died of that |
//! | `cpu_timer` | `timer_create`, `timer_settime` | what processor time a call may take |
//! | `scheduling` | `setpriority`, `sched_setaffinity` | how nice a worker is, and where it runs |
//! | `streams` | `pipe2`, `dup2` | what workers print |
//! | `exit_hook` | `atexit` | draining pools when the process exits |
//!
//! # Invariants
//!
//! - Descriptors are [`OwnedFd`](std::os::fd::OwnedFd) or
//!   [`BorrowedFd`](std::os::fd::BorrowedFd) from birth, and close-on-exec from birth, so that no
//!   program that another thread starts meanwhile gets one.
//! - No descriptor made here has a number below [`fcntl::FIRST_FREE`]: a program that was started
//!   with its standard streams closed must not print into a link.
//! - SUP-3: children are waited for by pidfd, never by `waitpid(-1)`, which would take the exit
//!   status of children that are not ours.
//!
//! # Failure
//!
//! Everything returns [`std::io::Error`] with the kernel's number still in it
//! ([`raw_os_error`](std::io::Error::raw_os_error)), so that callers can tell a shortage from a
//! mistake ([`limits::is_shortage`]). No type of nix leaves this module. Linux 5.4 is needed
//! (`waitid` on a pidfd); newer calls have a fallback.
//!
//! # Safety
//!
//! The workspace denies `unsafe`. A file here that needs it opens it with
//! `#![expect(unsafe_code, reason = "..")]`, so the compiler says when the need is gone. Each block
//! holds one operation, and its `SAFETY` comment names what must hold and who sees to it. nix is
//! used where it wraps a call safely; what it lacks (futex, pidfd_open, pidfd_send_signal,
//! close_range, waitid with resource usage) is one raw call in one place each.

pub mod clock;
pub mod cpu_timer;
pub mod epoll;
pub mod eventfd;
pub mod exit_hook;
pub mod fcntl;
pub mod fd_passing;
pub mod fork;
pub mod fork_hook;
pub mod futex;
pub mod huge_pages;
pub mod inherit;
pub mod limits;
pub mod mapping;
pub mod memfd;
pub mod memory_limit;
pub mod pidfd;
pub mod poll;
pub mod procfs;
pub mod scheduling;
pub mod sibling;
pub mod signal;
pub mod socketpair;
pub mod spawn;
pub mod stdio;
pub mod streams;
pub mod waitpid;
