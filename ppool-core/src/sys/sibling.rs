//! Making a copy of this process that is its sibling, not its child.
//!
//! ```text
//!   pool ──posix_spawn──► template          the one that calls fork_sibling
//!     └──────────────────► its copy         a child of the pool: waited for, and killed with it
//! ```
//!
//! `fork` of the C library can't do it, so this is the raw system call, and what the C library
//! would have done for the child is done here: its thread knows its new id, and the kernel knows
//! the list of its robust locks again. Nothing else is needed in a process of one thread, where no
//! lock is held by a thread that the child doesn't have. Of the handlers of `pthread_atfork`, only our
//! own run.
#![expect(unsafe_code, reason = "clone and its like are raw calls")]

use std::{fs, io, ptr};

use nix::{
    errno::Errno,
    libc,
    sys::resource::{Resource, getrlimit},
};

use super::fork_hook;

/// Which of the two processes this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forked {
    /// The new one.
    Child,
    /// The one that called.
    Parent {
        /// The id of the new one.
        pid: u32,
    },
}

/// How many threads this process has: the entries of `/proc/self/task`.
///
/// # Errors
/// When `/proc` is not there, or can't be read for want of descriptors.
pub fn threads() -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir("/proc/self/task")? {
        entry?;
        count += 1;
    }
    Ok(count)
}

/// The names of the threads of this process but the first, as far as they can be read.
#[must_use]
pub fn names_of_other_threads() -> Vec<String> {
    let first = std::process::id().to_string();
    let entries = fs::read_dir("/proc/self/task").into_iter().flatten();
    entries
        .flatten()
        .filter(|entry| entry.file_name() != first.as_str())
        .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

/// `clone(CLONE_PARENT)`—makes a copy of this process, whose parent is the parent of this one: the
/// *thread* that started this one, which is the one that counts for
/// [`set_parent_death_signal`](super::signal::set_parent_death_signal).
///
/// The child has copies of all memory (each page is copied when one of the two writes to it) and all
/// descriptors, and the signal dispositions of this process; it has no parent-death signal yet.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] when this process has more than one thread, or the C library or
/// the kernel doesn't let a thread of the child learn its id. `EAGAIN` when the user has too many
/// processes, `ENOMEM` when memory has run out.
///
/// # References
/// - [clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html)
/// - [PR_GET_TID_ADDRESS(2const)](https://man7.org/linux/man-pages/man2/PR_GET_TID_ADDRESS.2const.html)
/// - [set_robust_list(2)](https://man7.org/linux/man-pages/man2/set_robust_list.2.html)
pub fn fork_sibling() -> io::Result<Forked> {
    let threads = threads()?;
    if threads != 1 {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("a process of {threads} threads can't be forked"),
        ));
    }
    let tid_address = tid_address()?;
    let (robust_list, len) = robust_list()?;
    let flags = libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;
    // Not clone3: sandboxes refuse that one, since they can't look into its arguments. Which of the
    // last two is the address depends on the processor; the other one is not looked at without
    // CLONE_SETTLS.
    let (stack, parent_tid): (usize, usize) = (0, 0);
    let child_tid = tid_address;
    // SAFETY: without CLONE_VM and a stack the child goes on here, as after fork, with a copy of
    // this thread's stack. It is the only thread, so that no lock is held by one that the child
    // lacks. The address is that of the C library's word for the thread's id, as was checked.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::c_long::from(flags),
            stack,
            parent_tid,
            child_tid,
            child_tid,
        )
    };
    match Errno::result(pid)? {
        0 => {
            // SAFETY: the list's head is where it was in the process that this is a copy of.
            unsafe { libc::syscall(libc::SYS_set_robust_list, robust_list, len) };
            fork_hook::run();
            Ok(Forked::Child)
        }
        pid => Ok(Forked::Parent {
            pid: u32::try_from(pid).map_err(|_| Errno::EOVERFLOW)?,
        }),
    }
}

/// Whether the C library and the kernel let this process be copied by [`fork_sibling`].
///
/// # Errors
/// As [`fork_sibling`], but for what may be different the next time.
pub fn check() -> io::Result<()> {
    tid_address()?;
    robust_list()?;
    Ok(())
}

/// `prlimit(pid, RLIMIT_NPROC, ours)`—lets a child have as many processes as this process may have
/// now: the limit that it was born with may be another.
///
/// # Errors
/// `ESRCH` when it has ended, `EPERM` when it has become another user's, or may have fewer for good.
///
/// # References
/// - [prlimit(2)](https://man7.org/linux/man-pages/man2/prlimit.2.html)
pub fn share_process_limit(pid: u32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| Errno::ESRCH)?;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC)?;
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: the kernel reads one limit and writes none.
    let set = unsafe { libc::prlimit(pid, libc::RLIMIT_NPROC, &raw const limit, ptr::null_mut()) };
    Ok(Errno::result(set).map(drop)?)
}

/// `prctl(PR_GET_TID_ADDRESS)`—where the C library keeps the id of this thread.
fn tid_address() -> io::Result<*mut libc::pid_t> {
    // There `clone` takes its arguments in yet another order.
    if cfg!(target_arch = "s390x") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let unsupported = |why: &str| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            format!("{why}, so that a forked process could not know its own id"),
        )
    };
    let mut address: *mut libc::pid_t = ptr::null_mut();
    // SAFETY: the kernel writes one pointer, to a place of that type.
    let got = unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut address) };
    if got != 0 || address.is_null() {
        return Err(unsupported(
            "the kernel does not tell where the C library keeps a thread's id",
        ));
    }
    // SAFETY: the C library gave the kernel this address of a word of its own.
    let known = unsafe { address.read() };
    // Where another C library keeps something else there, writing to it would harm.
    if known != nix::unistd::gettid().as_raw() {
        return Err(unsupported(
            "the C library keeps a thread's id where the kernel can't set it",
        ));
    }
    Ok(address)
}

/// `get_robust_list(0)`—where this thread keeps the list of robust locks that it holds.
fn robust_list() -> io::Result<(*mut libc::c_void, libc::size_t)> {
    let mut head: *mut libc::c_void = ptr::null_mut();
    let mut len: libc::size_t = 0;
    // SAFETY: the kernel writes a pointer and a size, to places of these types.
    let got = unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut len) };
    Errno::result(got)?;
    Ok((head, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it does in a process of one thread is shown by programs of their own: a test has more.
    #[test]
    fn a_process_with_threads_is_not_forked() {
        assert!(threads().unwrap() > 1);
        let error = fork_sibling().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(!names_of_other_threads().is_empty());
    }
}
