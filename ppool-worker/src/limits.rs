//! The limits that a worker puts on itself, and what they cost at each call.
//!
//! Threads inherit where they run and how nice they are, so these come first, on the control thread.
//! What concerns calls is set up by the call thread, before the initializer.

use std::{
    cell::RefCell,
    io, process,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use nix::unistd::{Pid, setpgid};
use ppool_core::{
    error::MEMORY_LIMIT_EXIT,
    supervise::not_so_nice,
    sys::{cpu_timer::CpuTimer, memory_limit, procfs, scheduling, signal},
    wire::{Boot, WorkerLimits},
};

/// How much memory a worker must be able to take beyond what it has before its first call.
const LEAST_MEMORY: u64 = 1 << 20;

/// Whether there is anything to do at each call.
static AT_CALLS: AtomicBool = AtomicBool::new(false);

/// Whether this process leads a group, which is to die with it.
static IN_OWN_GROUP: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// On the call thread: the limit of processor time, with its timer.
    static CPU_TIME: RefCell<Option<(CpuTimer, Duration)>> = const { RefCell::new(None) };
}

/// What holds for all threads of this process, which has only one yet.
///
/// # Errors
/// Why the worker can't be as it should.
pub(crate) fn put_on_process(boot: &Boot) -> Result<(), String> {
    let limits = &boot.limits;
    if limits.own_group {
        let this = Pid::from_raw(0);
        setpgid(this, this).map_err(|error| format!("could not begin a process group: {error}"))?;
        die_with_group(boot.parent_pid)
            .map_err(|error| format!("could not bind a process group to the pool: {error}"))?;
    }
    if let Some(nice) = limits.nice {
        scheduling::set_nice(nice).map_err(|error| not_so_nice(nice, &error).to_string())?;
    }
    match limits.cpus_of(boot.worker.slot.0) {
        [] => Ok(()),
        cpus => scheduling::set_cpus(cpus).map_err(|error| error.to_string()),
    }
}

/// From now on, what this process starts dies with the pool's process too. The signal that the kernel
/// sends then has been one that only ends this process.
fn die_with_group(parent: u32) -> io::Result<()> {
    signal::end_group_on(signal::SIGHUP)?;
    IN_OWN_GROUP.store(true, Relaxed);
    match signal::set_parent_death_signal(signal::SIGHUP, parent)? {
        true => Ok(()),
        false => {
            signal::kill_own_group();
            Ok(())
        }
    }
}

/// The pool's process is gone: with this one ends what it has started, where the pool wants that.
pub(crate) fn end_group() {
    if IN_OWN_GROUP.load(Relaxed) {
        signal::kill_own_group();
    }
}

/// What concerns calls; for the call thread, before it runs anything of a user's.
///
/// # Errors
/// Why the worker can't be as it should.
pub(crate) fn put_on_calls(limits: &WorkerLimits) -> Result<(), String> {
    if let Some(bytes) = limits.memory {
        limit_memory(bytes)?;
    }
    if let Some(limit) = limits.cpu_time {
        let timer = CpuTimer::new()
            .map_err(|error| format!("could not make a timer for the cpu_time_limit: {error}"))?;
        CPU_TIME.set(Some((timer, limit)));
    }
    let at_calls = limits.memory.is_some() || limits.cpu_time.is_some();
    AT_CALLS.store(at_calls, Relaxed);
    Ok(())
}

fn limit_memory(bytes: u64) -> Result<(), String> {
    let failed = |error| format!("could not limit the memory: {error}");
    let before = procfs::data_size(process::id()).map_err(failed)?;
    if bytes < before + LEAST_MEMORY {
        return Err(format!(
            "a memory_limit of {bytes} bytes is too low: a worker of this program has {before} \
             bytes before its first call, and must be able to take {LEAST_MEMORY} more"
        ));
    }
    memory_limit::set(bytes).map_err(failed)?;
    memory_limit::exit_when_refused(MEMORY_LIMIT_EXIT).map_err(failed)
}

/// Whether there is anything to do at each call.
#[inline]
pub(crate) fn are_at_calls() -> bool {
    AT_CALLS.load(Relaxed)
}

/// A call begins on this thread.
#[inline]
pub(crate) fn call_begins() {
    if are_at_calls() {
        begin();
    }
}

/// It has ended.
#[inline]
pub(crate) fn call_ends() {
    if are_at_calls() {
        end();
    }
}

#[cold]
fn begin() {
    memory_limit::forget_refusals();
    CPU_TIME.with_borrow_mut(|limited| {
        if let Some((timer, limit)) = limited {
            // It fails for no reason that a timer of ours can have.
            let _ = timer.set(*limit);
        }
    });
}

#[cold]
fn end() {
    CPU_TIME.with_borrow_mut(|limited| {
        if let Some((timer, _)) = limited {
            let _ = timer.clear();
        }
    });
}
