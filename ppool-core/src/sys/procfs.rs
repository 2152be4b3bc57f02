//! What the kernel tells of a process in text.

use std::{fs, io, sync::OnceLock};

use nix::unistd::{SysconfVar, sysconf};

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

/// `/proc/PID/stat`, `starttime`—when a process started, in clock ticks after the system did. With the
/// process id it names one process for ever, for ids are given again.
///
/// # Errors
/// `ENOENT` or `ESRCH` when there is no such process. [`io::ErrorKind::InvalidData`] when the kernel
/// says it in another form than it does today.
///
/// # References
/// - [proc_pid_stat(5)](https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)
pub fn start_time(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    start_of(&stat).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the process's stat names no start",
        )
    })
}

fn start_of(stat: &str) -> Option<u64> {
    // The name in parentheses may hold anything; the start is the twentieth field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn peak_of(status: &str) -> Option<u64> {
    bytes_of(status, "VmHWM:")
}

fn bytes_of(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// `/proc/PID/status`, `VmData`—how many bytes of private writable memory a process has, touched or
/// not: what RLIMIT_DATA is about.
///
/// # Errors
/// As [`peak_memory`].
///
/// # References
/// - [proc_pid_status(5)](https://man7.org/linux/man-pages/man5/proc_pid_status.5.html)
pub fn data_size(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    bytes_of(&status, "VmData:").ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the process's status does not name the size of its data",
        )
    })
}

/// What a process has in memory, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// All of it: what `ps` calls RSS.
    pub resident: u64,
    /// Without the pages of files and of memory that is shared on purpose: mostly heap and stacks.
    pub private: u64,
}

/// `/proc/PID/statm`—how much memory a process has resident now. The kernel counts in batches, so
/// the numbers can be off by some dozen pages for each thread.
///
/// # Errors
/// `ENOENT` or `ESRCH` when there is no such process. [`io::ErrorKind::InvalidData`] when it has no
/// memory of its own any more.
///
/// # References
/// - [proc_pid_statm(5)](https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html)
pub fn memory(pid: u32) -> io::Result<Memory> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    memory_of(&statm, page_size()).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the process has no memory of its own",
        )
    })
}

fn memory_of(statm: &str, page: u64) -> Option<Memory> {
    let mut pages = statm.split_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    if resident == 0 {
        return None;
    }
    Some(Memory {
        resident: resident.checked_mul(page)?,
        private: resident.saturating_sub(shared).checked_mul(page)?,
    })
}

fn page_size() -> u64 {
    static SIZE: OnceLock<u64> = OnceLock::new();
    *SIZE.get_or_init(|| {
        let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
        size.and_then(|size| u64::try_from(size).ok())
            .unwrap_or(4096)
    })
}

/// `/proc/thread-self/children`—the processes that this thread has started, those included that have
/// ended and wait to be reaped, with their names.
///
/// A child that is reaped meanwhile may hide another one: ask when none can be.
///
/// # Errors
/// `ENOENT` where the kernel doesn't list them.
///
/// # References
/// - [proc_tid_children(5)](https://man7.org/linux/man-pages/man5/proc_tid_children.5.html)
pub fn children_of_this_thread() -> io::Result<Vec<(u32, String)>> {
    let children = fs::read_to_string("/proc/thread-self/children")?;
    let pids = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    Ok(pids
        .filter_map(|pid: u32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            Some((pid, name.trim_end().to_owned()))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_memory() {
        assert!(peak_memory(std::process::id()).unwrap() > 100 << 10);
        assert!(data_size(std::process::id()).unwrap() > 100 << 10);
    }

    #[test]
    fn a_process_starts_once() {
        let pid = std::process::id();
        assert_eq!(start_time(pid).unwrap(), start_time(pid).unwrap());
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 9 1 18";
        assert_eq!(start_of(stat), Some(4711));
        assert_eq!(start_of("7 (x) S 1"), None);
    }

    #[test]
    fn what_a_process_touches_is_its_private_memory() {
        let before = memory(std::process::id()).unwrap();
        assert!(before.private > 0 && before.resident > before.private);
        let touched = vec![1u8; 64 << 20];
        let after = memory(std::process::id()).unwrap();
        assert!(
            after.private > before.private + (32 << 20),
            "{}",
            touched.len()
        );
    }

    #[test]
    fn a_child_is_listed_by_its_name_until_it_is_reaped() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let is_listed = |pid| {
            let children = children_of_this_thread().unwrap();
            children.contains(&(pid, "cat".to_owned()))
        };
        assert!(is_listed(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_listed(child.id()));
    }

    #[test]
    fn nonsense_is_no_memory() {
        let memory = |text| memory_of(text, 4096).map(|memory| (memory.resident, memory.private));
        assert_eq!(memory("20 10 4 1 0 9 0\n"), Some((40_960, 24_576)));
        assert_eq!(memory("0 0 0 0 0 0 0\n"), None);
        assert_eq!(memory("1 x 2"), None);
        assert_eq!(memory(""), None);
        assert_eq!(memory("1 18446744073709551615 2"), None);
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
