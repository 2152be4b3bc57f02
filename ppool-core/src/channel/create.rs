//! A process that goes on where this one is.
#![expect(unsafe_code, reason = "forks, and hands on the caller's promises")]

use std::io;

use super::{
    Channel,
    end::{End, Role},
};
use crate::{
    process::{Link, Process, adopt, while_still},
    sys::{
        fcntl::{FIRST_FREE, duplicate},
        fork,
        pidfd::ExitWatch,
        socketpair::{packet_pair, stream_pair},
        waitpid::kill_and_reap,
    },
};

/// The exit code of a child whose parent was gone before it began, or that could not be tied to it.
const NOT_BEGUN_EXIT: i32 = 87;

/// Forks this process: it returns twice, and gives this process and the new one an end of a channel
/// each. What pprocess's `create` is.
///
/// In the new process [`pid`](Channel::pid) is 0, and dropping the channel ends it with the code 0 (101
/// when it is dropped by a panic), as does [`Channel::exit`] with any code: by `_exit`, so that none of
/// the parent's exit handlers, destructors and buffers are run or flushed twice. Should it call
/// `std::process::exit` all the same, the parent's exit handlers are skipped. It dies with its parent. Other threads, and what they were doing, are not there in it: a pool or a
/// [`Process`](crate::process::Process) of the parent can't be used there.
///
/// [`start`](super::start) needs none of the promises below, and has a process that is as good as new.
///
/// # Errors
/// When processes, threads, memory or descriptors have run out; then it returns once.
///
/// # Safety
/// The new process is a copy of this one with the calling thread alone, so what other threads had
/// locked at that moment is locked there for ever, and what they were changing is half changed.
/// Therefore:
///
/// - Where the process has other threads (and it has, after the first call of this function), the new
///   process must only use what none of them uses. The C library sees to its own allocator; everything
///   else that may be locked (standard output, the environment, a pool, anything of a library with
///   threads) is the caller's business.
/// - The new process must keep its channel until it is done, and must not return into code that
///   believes to be the only one: what the caller's callers hold (files half written, temporary
///   directories that are removed when dropped, a test harness) is there twice. Dropping the channel
///   before that ends it.
///
/// ```
/// # use ppool_core as ppool;
/// use ppool::channel;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // SAFETY: the new process uses its channel, and nothing of another thread.
/// let channel = unsafe { channel::create() }?;
/// if channel.pid() == 0 {
///     let sent = channel.receive::<u64>().and_then(|n| channel.send(n * n));
///     channel.exit(sent.is_err().into());
/// }
/// channel.send(7)?;
/// assert_eq!(channel.receive::<u64>()?, 49);
/// assert!(channel.wait().is_some_and(|exit| exit.success()));
/// # Ok(())
/// # }
/// ```
pub unsafe fn create() -> io::Result<Channel> {
    let (ours, theirs) = packet_pair()?;
    let (our_line, lifeline) = stream_pair()?;
    let kept = duplicate(&ours, FIRST_FREE)?;
    let forked = while_still(|| {
        // SAFETY: what the child may do is the caller's promise; ours, below, are system calls and
        // memory of this thread's.
        unsafe { fork::fork() }
    })?;
    let Some(pid) = forked else {
        drop((ours, our_line, kept));
        match fork::die_with(&lifeline) {
            Ok(true) => {}
            Ok(false) | Err(_) => fork::exit_now(NOT_BEGUN_EXIT),
        }
        return Ok(Channel::new(End::new(theirs, Role::Forked(lifeline))));
    };
    drop((theirs, lifeline));
    let link = Link::Fork {
        lifeline: our_line,
        channel: kept,
    };
    let process = watch(pid, link)?;
    Ok(Channel::new(End::new(ours, Role::Parent(process))))
}

/// Watches the new child. If that fails it is killed and reaped.
fn watch(pid: u32, link: Link) -> io::Result<Process> {
    let watch = ExitWatch::open_child(pid).inspect_err(|_| kill_and_reap(pid))?;
    let watch = watch.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "the process ended at once, and how is lost because SIGCHLD is ignored",
        )
    })?;
    adopt(pid, watch, link)
}
