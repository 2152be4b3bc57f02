//! Ending a child that could not be watched.

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{self, WaitPidFlag},
    },
    unistd::Pid,
};

/// `kill(pid, SIGKILL)`, `waitpid(pid)`—ends a child and reaps it, by its number.
///
/// Only for a child that was started just now and has no pidfd, because opening one failed: its
/// number can't have been given away, since nobody has reaped it. Everything else goes through
/// [`ExitWatch`](super::pidfd::ExitWatch) (SUP-3). It blocks for as long as the kernel takes to end
/// the process.
///
/// # References
/// - [kill(2)](https://man7.org/linux/man-pages/man2/kill.2.html)
/// - [waitpid(2)](https://man7.org/linux/man-pages/man2/waitpid.2.html)
pub fn kill_and_reap(pid: u32) {
    // To kill(2), zero and negative numbers mean many processes.
    let Some(pid) = i32::try_from(pid).ok().filter(|&pid| pid > 0) else {
        return;
    };
    let pid = Pid::from_raw(pid);
    // Only asks. What is no child of ours is not ours to end.
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    if wait::waitid(wait::Id::Pid(pid), flags) == Err(Errno::ECHILD) {
        return;
    }
    // The only errors are ESRCH and ECHILD: it has been reaped after all (by a `waitpid(-1)`, or
    // because SIGCHLD is ignored).
    let _ = kill(pid, Signal::SIGKILL);
    while wait::waitpid(pid, None) == Err(Errno::EINTR) {}
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_is_no_child_is_left_alone() {
        kill_and_reap(std::process::id());
    }

    #[test]
    fn a_child_is_ended_and_reaped() {
        // It ends by itself only when its input does.
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        kill_and_reap(child.id());
        let gone = child.try_wait().unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(nix::libc::ECHILD));
    }
}
