//! Where threads run, and how much they give way to others.
#![expect(unsafe_code, reason = "setpriority is a raw call")]

use std::io;

use nix::{
    errno::Errno,
    libc,
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// One more than the highest number of a processor that can be named here.
pub const MOST_CPUS: usize = CpuSet::count();

/// `setpriority(PRIO_PROCESS, 0, nice)`—sets the niceness of the calling thread, and of those that
/// it starts from now on: from -20, the least nice, to 19.
///
/// # Errors
/// `EACCES` or `EPERM` for a lower one than it has, without the right to that.
///
/// # References
/// - [setpriority(2)](https://man7.org/linux/man-pages/man2/setpriority.2.html)
pub fn set_nice(nice: i32) -> io::Result<()> {
    // SAFETY: it takes three numbers and touches no memory of ours.
    let set = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    Errno::result(set)?;
    Ok(())
}

/// `sched_setaffinity(0, cpus)`—the calling thread, and those that it starts from now on, run on
/// these processors and no others.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when one of them is not there or not this process's to use; the
/// text names it.
///
/// # References
/// - [sched_setaffinity(2)](https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html)
pub fn set_cpus(cpus: &[usize]) -> io::Result<()> {
    let mut wanted = CpuSet::new();
    for &cpu in cpus {
        wanted.set(cpu).map_err(|_| unusable(cpu))?;
    }
    let this_thread = Pid::from_raw(0);
    match sched_setaffinity(this_thread, &wanted) {
        Ok(()) => {}
        // None of them.
        Err(Errno::EINVAL) => return Err(unusable(cpus.first().copied().unwrap_or_default())),
        Err(errno) => return Err(errno.into()),
    }
    // The kernel leaves out what can't be used, without a word.
    let got = sched_getaffinity(this_thread)?;
    let missing = |&cpu: &usize| !got.is_set(cpu).unwrap_or(false);
    match cpus.iter().copied().find(missing) {
        Some(cpu) => Err(unusable(cpu)),
        None => Ok(()),
    }
}

fn unusable(cpu: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("there is no processor {cpu} that this process may run on"),
    )
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// On a thread of its own, which alone is changed.
    fn try_cpus(cpus: &[usize]) -> io::Result<()> {
        thread::scope(|scope| scope.spawn(|| set_cpus(cpus)).join().unwrap())
    }

    #[test]
    fn what_this_process_runs_on_can_be_asked_for_and_more_is_named() {
        let own = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let first = (0..MOST_CPUS)
            .find(|cpu| own.is_set(*cpu).unwrap())
            .unwrap();
        try_cpus(&[first]).unwrap();
        for far in [MOST_CPUS - 1, MOST_CPUS, usize::MAX] {
            for cpus in [&[far][..], &[first, far]] {
                let error = try_cpus(cpus).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                assert!(error.to_string().contains(&far.to_string()), "{error}");
            }
        }
    }

    #[test]
    fn a_thread_can_become_nicer() {
        thread::scope(|scope| scope.spawn(|| set_nice(19)).join().unwrap()).unwrap();
    }
}
