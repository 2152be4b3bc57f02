//! What the kernel tells of a process in text.

use std::{fs, io};

/// `/proc/PID/status`, `VmHWM`—the most memory that a living process has had resident at one time
/// since its last exec, in bytes.
///
/// # Errors
/// `ENOENT` or `ESRCH` when there is no such process. [`io::ErrorKind::InvalidData`] when it has no
/// memory of its own any more (it has ended and waits to be reaped).
///
/// # References
/// - [proc_pid_status(5)](https://man7.org/linux/man-pages/man5/proc_pid_status.5.html)
pub fn peak_memory(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    peak_of(&status).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the process's status names no peak of memory",
        )
    })
}

fn peak_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_memory() {
        assert!(peak_memory(std::process::id()).unwrap() > 100 << 10);
    }

    #[test]
    fn a_process_without_memory_has_no_peak() {
        assert_eq!(
            peak_of("Name:\tx\nVmHWM:\t    3964 kB\nVmRSS:\t 1 kB\n"),
            Some(3964 << 10)
        );
        assert_eq!(peak_of("Name:\tx\nState:\tZ (zombie)\n"), None);
        assert_eq!(peak_of("VmHWM:\tnonsense\n"), None);
    }
}
