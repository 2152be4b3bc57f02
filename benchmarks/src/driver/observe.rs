//! Looks at processes from outside, through `/proc`.

use std::{collections::BTreeMap, fs, io, thread, time::Duration};

use crate::{
    Failure,
    bench::{Activity, Memory},
};

/// The memory of some processes, added up.
pub(super) fn memory(pids: &[u32]) -> Result<Memory, Failure> {
    let mut sum = Memory {
        pss: 0.0,
        private: 0.0,
    };
    for pid in pids {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        sum.pss += kilobytes(&text, "Pss:")? * 1024.0;
        let private = kilobytes(&text, "Private_Clean:")? + kilobytes(&text, "Private_Dirty:")?;
        sum.private += private * 1024.0;
    }
    Ok(sum)
}

fn kilobytes(text: &str, field: &str) -> Result<f64, Failure> {
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    Ok(number
        .ok_or_else(|| format!("no {field} in smaps_rollup"))?
        .parse()?)
}

/// CPU nanoseconds and context switches of each thread.
type Threads = BTreeMap<(u32, String), (u64, u64)>;

/// What all threads of some processes do in a while.
pub(super) fn activity(while_: Duration, pids: &[u32]) -> Result<Activity, Failure> {
    // The process that asks falls asleep to wait for the answer.
    thread::sleep(Duration::from_millis(20));
    let before = threads(pids)?;
    thread::sleep(while_);
    let mut activity = Activity {
        cpu: 0.0,
        switches: 0.0,
    };
    for (thread, (cpu, switches)) in threads(pids)? {
        let (cpu_before, switches_before) = before.get(&thread).copied().unwrap_or_default();
        activity.cpu += cpu.saturating_sub(cpu_before) as f64 / 1e9;
        activity.switches += switches.saturating_sub(switches_before) as f64;
    }
    Ok(activity)
}

fn threads(pids: &[u32]) -> Result<Threads, Failure> {
    let mut threads = Threads::new();
    for pid in pids {
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(counts) = thread_counts(*pid, &name)? {
                threads.insert((*pid, name), counts);
            }
        }
    }
    Ok(threads)
}

/// `None` for a thread that has ended meanwhile.
fn thread_counts(pid: u32, thread: &str) -> Result<Option<(u64, u64)>, Failure> {
    let read = |file: &str| match fs::read_to_string(format!("/proc/{pid}/task/{thread}/{file}")) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && file == "status" => Ok(None),
        Err(error) => Err(error),
    };
    let Some(status) = read("status")? else {
        return Ok(None);
    };
    let switches = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"]
        .iter()
        .filter_map(|field| status.lines().find_map(|line| line.strip_prefix(field)))
        .filter_map(|rest| rest.trim().parse::<u64>().ok())
        .sum();
    // In nanoseconds, where `stat` counts in hundredths of a second.
    let schedstat = read("schedstat")?.unwrap_or_default();
    let cpu = schedstat.split_whitespace().next();
    let cpu = cpu
        .ok_or("the kernel counts no CPU time in schedstat")?
        .parse()?;
    Ok(Some((cpu, switches)))
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;

    #[test]
    fn this_process_has_memory_and_does_something() -> Result<(), Failure> {
        let memory = memory(&[process::id()])?;
        assert!(memory.pss > 0.0 && memory.private > 0.0);
        let activity = activity(Duration::from_millis(1), &[process::id()])?;
        assert!(activity.switches >= 1.0);
        assert!(super::memory(&[u32::MAX]).is_err());
        Ok(())
    }
}
