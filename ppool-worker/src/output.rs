//! The worker's standard streams, where the pool has taken them: where they go, and the marks that
//! say which call begins.

use std::{
    io::{self, Write},
    os::fd::OwnedFd,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use ppool_core::{
    codec::attach::Attached,
    ids::WorkId,
    output::{CallMark, Output},
    sys::streams,
    task::TaskKey,
};

/// The pipes of a worker whose output is captured. They stay open here whatever tasks do to the
/// streams, and marks go to them alone.
static PIPES: OnceLock<[OwnedFd; 2]> = OnceLock::new();

/// The call of the last mark. Only the call thread uses it.
static MARKED: AtomicU64 = AtomicU64::new(u64::MAX);

/// How many descriptors the boot message brings for this.
pub(crate) fn descriptors(output: Output) -> usize {
    match output {
        Output::Capture => 2,
        _ => 0,
    }
}

/// Has this process print where the pool says. `pipes` are what came for it.
///
/// # Errors
/// When there is no `/dev/null`, or a pipe did not come.
pub(crate) fn redirect(output: Output, pipes: Attached) -> io::Result<()> {
    match output {
        Output::Null => {
            let null = streams::null()?;
            streams::redirect(&null, &null)
        }
        Output::Capture => {
            let pipes = <[OwnedFd; 2]>::try_from(pipes.into_descriptors());
            let pipes = pipes.map_err(|_| io::Error::other("the pipes for it did not come"))?;
            streams::redirect(&pipes[0], &pipes[1])?;
            let _ = PIPES.set(pipes);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A call begins on this thread: what is printed from now on belongs to it.
#[inline]
pub(crate) fn call_begins(work_id: WorkId, task: TaskKey) {
    if let Some(pipes) = PIPES.get() {
        mark(pipes, work_id, task);
    }
}

/// A call has ended on this thread: what it printed without an end of line is printed now.
#[inline]
pub(crate) fn call_ends() {
    if PIPES.get().is_some() {
        // It fails when the task has closed the stream.
        let _ = io::stdout().flush();
    }
}

#[cold]
fn mark(pipes: &[OwnedFd; 2], work_id: WorkId, task: TaskKey) {
    // Calls that travel together have one number.
    if MARKED.swap(work_id.0, Relaxed) == work_id.0 {
        return;
    }
    let mark = CallMark {
        work_id,
        task: task.0,
    };
    for pipe in pipes {
        // That nobody reads any more is seen elsewhere.
        let _ = streams::write_whole(pipe, &mark.encode());
    }
}
