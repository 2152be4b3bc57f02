//! The kernel's view of processes, from `/proc`.

use std::{fs, path::Path};

use super::until;

/// The state letter of a process: `R`, `S`, `T`, `Z`, ..; none when there is no such process.
pub(crate) fn state(pid: u32) -> Option<char> {
    stat(pid)?.first()?.chars().next()
}

/// Whether the process is there and not merely waiting to be reaped.
pub(crate) fn is_alive(pid: u32) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

/// Waits until none of the processes lives.
pub(crate) fn wait_until_gone(pids: &[u32]) {
    until(|| !pids.iter().any(|pid| is_alive(*pid)));
}

/// The processes whose parent is `parent`, zombies included.
pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    numbers_in("/proc")
        .into_iter()
        .filter(|pid| {
            let stat = stat(*pid).unwrap_or_default();
            stat.get(1).and_then(|ppid| ppid.parse().ok()) == Some(parent)
        })
        .collect()
}

/// `parent`, its children, their children, and so on.
pub(crate) fn family_of(parent: u32) -> Vec<u32> {
    let mut family = vec![parent];
    let mut next = 0;
    while let Some(pid) = family.get(next) {
        family.extend(children_of(*pid));
        next += 1;
    }
    family
}

/// The ids of a process's threads.
pub(crate) fn threads(pid: u32) -> Vec<u32> {
    numbers_in(format!("/proc/{pid}/task"))
}

/// The numbers of a process's open descriptors.
pub(crate) fn descriptors(pid: u32) -> Vec<u32> {
    let mut numbers = numbers_in(format!("/proc/{pid}/fd"));
    if pid == std::process::id() {
        // The one by which the directory was read is closed again.
        numbers.retain(|fd| Path::new(&format!("/proc/{pid}/fd/{fd}")).exists());
    }
    numbers
}

/// A number from `/proc/<pid>/status`: kibibytes, threads, ..
pub(crate) fn status(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix(field)?
                .strip_prefix(':')?
                .split_whitespace()
                .next()
        })
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("`{field}` of process {pid} in {status:?}"))
}

/// The fields of `/proc/<pid>/stat` from the state on (the name before it may hold anything).
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = stat.get(stat.rfind(')')? + 2..)?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

fn numbers_in(directory: impl AsRef<Path>) -> Vec<u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}
