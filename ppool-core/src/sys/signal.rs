//! What a process does when a signal comes.
#![expect(unsafe_code, reason = "changes signal dispositions")]

use std::{io, os::unix::process::parent_id};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

pub use nix::libc::{SIGABRT, SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGTERM};

/// `sigaction(number, SIG_IGN)`—this process no longer notices the signal; programs that it starts
/// inherit that.
///
/// # Errors
/// `EINVAL` when there is no such signal, or it can't be ignored (SIGKILL, SIGSTOP).
///
/// # References
/// - [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html)
pub fn ignore(number: i32) -> io::Result<()> {
    dispose(number, SigHandler::SigIgn)
}

/// `sigaction(number, SIG_DFL)`—the signal does again what the system has it do.
///
/// # Errors
/// `EINVAL` when there is no such signal, or it can't be changed (SIGKILL, SIGSTOP).
///
/// # References
/// - [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html)
/// - [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)
pub fn restore_default(number: i32) -> io::Result<()> {
    dispose(number, SigHandler::SigDfl)
}

fn dispose(number: i32, handler: SigHandler) -> io::Result<()> {
    let signal = Signal::try_from(number)?;
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: only `ignore` and `restore_default` call this, so no function is installed that could
    // run at a bad moment.
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}

/// `sigaction(number, ..)`—when the signal comes, this process and all of its group are killed.
///
/// # Errors
/// `EINVAL` when there is no such signal, or it can't be handled (SIGKILL, SIGSTOP).
///
/// # References
/// - [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html)
pub fn end_group_on(number: i32) -> io::Result<()> {
    let signal = Signal::try_from(number)?;
    let handler = SigHandler::Handler(end_group);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler makes one system call, which may be made at any moment.
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}

extern "C" fn end_group(_signal: nix::libc::c_int) {
    kill_own_group();
}

/// `kill(0, SIGKILL)`—the end of this process and of all others of its group.
///
/// # References
/// - [kill(2)](https://man7.org/linux/man-pages/man2/kill.2.html)
pub fn kill_own_group() {
    // One may always signal oneself.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(0), Signal::SIGKILL);
}

/// `kill(-leader, SIGKILL)`—the end of all processes of the group that this one leads or led. The
/// leader must not have been reaped, or the number may be another's.
///
/// # References
/// - [kill(2)](https://man7.org/linux/man-pages/man2/kill.2.html)
pub fn kill_group(leader: u32) {
    // 0 and 1 would mean others than that group.
    if let Ok(leader @ 2..) = i32::try_from(leader) {
        // Mostly there is nobody left, or the process never led a group.
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(leader), Signal::SIGKILL);
    }
}

/// `kill(getpid(), SIGTERM)`—has this process end, unless it handles the signal.
///
/// # References
/// - [kill(2)](https://man7.org/linux/man-pages/man2/kill.2.html)
pub fn terminate_self() {
    // A process may always signal itself.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), Signal::SIGTERM);
}

/// `sigprocmask(SIG_SETMASK, {})`—the calling thread, and the threads that it starts from now on,
/// take every signal.
///
/// # Errors
/// None is known.
///
/// # References
/// - [sigprocmask(2)](https://man7.org/linux/man-pages/man2/sigprocmask.2.html)
pub fn unblock_all() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

/// `prctl(PR_SET_PDEATHSIG, number)`—this process gets the signal when the thread that started it
/// ends (SUP-4). Says whether that process, `parent`, still lives.
///
/// On `false` the parent has died before the wish was heard, so no signal will come, and the caller
/// has to end by itself.
///
/// It is the *thread* that counts: a worker must be started from one that lives as long as the pool.
/// The wish doesn't outlive an exec of a program with privileges of its own.
///
/// # Errors
/// `EINVAL` when there is no such signal.
///
/// # References
/// - [PR_SET_PDEATHSIG(2const)](https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html)
/// - [getppid(2)](https://man7.org/linux/man-pages/man2/getppid.2.html)
#[must_use = "on false nobody will end this process"]
pub fn set_parent_death_signal(number: i32, parent: u32) -> io::Result<bool> {
    let signal = Signal::try_from(number)?;
    nix::sys::prctl::set_pdeathsig(signal)?;
    // Asked only after the wish: a parent that dies in between is seen here, one that dies later
    // sends the signal.
    Ok(parent_id() == parent)
}

/// `raise(number)`—sends the signal to the calling thread.
///
/// # Errors
/// `EINVAL` when there is no such signal.
///
/// # References
/// - [raise(3)](https://man7.org/linux/man-pages/man3/raise.3.html)
pub fn raise(number: i32) -> io::Result<()> {
    Ok(nix::sys::signal::raise(Signal::try_from(number)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_signal_is_refused() {
        for number in [-1, 0, 65, i32::MAX] {
            assert_eq!(
                ignore(number).unwrap_err().raw_os_error(),
                Some(nix::libc::EINVAL)
            );
            assert_eq!(
                raise(number).unwrap_err().raw_os_error(),
                Some(nix::libc::EINVAL)
            );
        }
        assert_eq!(
            ignore(SIGKILL).unwrap_err().raw_os_error(),
            Some(nix::libc::EINVAL)
        );
    }

    #[test]
    fn an_ignored_signal_does_nothing_until_the_default_is_back() {
        // SIGWINCH, because its default is to do nothing either and no test uses it.
        let number = nix::libc::SIGWINCH;
        ignore(number).unwrap();
        raise(number).unwrap();
        restore_default(number).unwrap();
    }

    #[test]
    fn unblocking_empties_the_mask_of_this_thread() {
        SigSet::all().thread_block().unwrap();
        unblock_all().unwrap();
        assert_eq!(SigSet::thread_get_mask().unwrap(), SigSet::empty());
    }
}
