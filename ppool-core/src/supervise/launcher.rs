//! Starts one worker process: this program once more, with a socket to it.
//!
//! ```text
//!  parent                                     worker
//!  socketpair ── posix_spawn ───────────────► this program, descriptor 3, PPOOL_WORKER
//!     │             │ pid                        │
//!     │             ▼                            ▼
//!     │          pidfd_open = exit watch      handover::parse, sys::inherit::take
//!     └──────── socket ◄══════ bytes ══════► socket
//! ```
//!
//! Invariants: SUP-3 (from the moment that it exists a worker is watched by a pidfd, or it is killed
//! and reaped before the error is returned), SUP-4 (the hand-over names the parent, so that the
//! worker can ask to die with it).
//!
//! # Failure
//!
//! Whatever runs out on the way, nothing is left behind: no process, zombie or descriptor. A program
//! that was started as a worker and reached `main` all the same (its hook is not linked in, say) is
//! refused a worker of its own; otherwise each process would start more of its kind without end.

use std::{
    env,
    ffi::{CString, OsString},
    fmt, io,
    os::fd::{AsFd, OwnedFd},
    process,
};

use super::{
    environment::{Change, abort_without_backtrace, environment},
    handover::{self, Role},
};
use crate::{
    ids::WorkerId,
    sys::{
        limits,
        pidfd::ExitWatch,
        procfs,
        socketpair::stream_pair,
        spawn::{Inherited, spawn_self},
        waitpid::kill_and_reap,
    },
};

/// What all workers of a pool are started with.
#[derive(Clone, Debug, Default)]
pub struct LaunchConfig {
    /// The pool's name, for people who look at the list of processes. May be empty.
    pub pool_name: String,
    /// Changes to the environment that a worker gets from this process; None removes a variable.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Whether a worker's memory is limited.
    pub memory_is_limited: bool,
}

/// A worker process that has been started. It may not have got as far as its own code yet.
///
/// Dropping this neither ends the process nor reaps it.
#[derive(Debug)]
pub struct Launched {
    /// Its process id, for people. To signal it or wait for it, use the watch.
    pub pid: u32,
    /// Tells when and how it ends.
    pub exit_watch: ExitWatch,
    /// The parent's end of the socket to it: a stream, blocking, close-on-exec. It reads the end of
    /// the file once the worker and all that inherited its end are gone.
    pub socket: OwnedFd,
}

/// Why a worker process could not be started. Nothing of it is left.
#[derive(Debug)]
pub struct LaunchError {
    worker: WorkerId,
    what: &'static str,
    source: io::Error,
}

/// Why a process could not be started: what could not be done ("start the process"), and why.
/// Nothing of it is left.
#[derive(Debug)]
pub struct StartError {
    /// What could not be done.
    pub what: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.what, self.source)
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Starts the process of one worker.
///
/// It may be called with any number of descriptors open, with the standard streams closed, beside
/// threads that do anything, and whatever SIGCHLD is set to. It doesn't wait for the worker, only
/// for the kernel to have loaded the program.
///
/// Call it from a thread that lives as long as the worker may: a worker that asks to die with its
/// parent dies with the *thread* that started it
/// ([`set_parent_death_signal`](crate::sys::signal::set_parent_death_signal)).
///
/// # Errors
/// When the kernel refuses a step ([`LaunchError::is_shortage`] says whether it may be different
/// later), when the worker ended before it could be watched while SIGCHLD is ignored
/// ([`io::ErrorKind::NotFound`]), when the configuration holds a text with a NUL or a variable that can't be, or when this
/// process is itself a worker that has not taken its place.
pub fn launch(config: &LaunchConfig, worker: WorkerId) -> Result<Launched, LaunchError> {
    let title = title(&config.pool_name, worker);
    let started = start(title, &config.env, config.memory_is_limited, Role::Worker);
    started.map_err(|StartError { what, source }| LaunchError {
        worker,
        what,
        source,
    })
}

/// Starts this program once more under that title, as one that its hook takes over for that role.
/// What [`launch`] says of threads and descriptors holds here too.
///
/// # Errors
/// As [`launch`].
pub fn start(
    title: String,
    env: &[Change],
    memory_is_limited: bool,
    role: Role,
) -> Result<Launched, StartError> {
    let failed = |what| move |source| StartError { what, source };
    refuse_inside_worker().map_err(failed("start a worker inside a worker"))?;
    let title = CString::new(title).map_err(io::Error::from);
    let argv = [title.map_err(failed("name the process"))?];
    let mut environment = environment(env::vars_os(), env.iter().chain([&handover_variable(role)]))
        .map_err(failed("make the environment"))?;
    if memory_is_limited {
        abort_without_backtrace(&mut environment);
    }

    let (socket, workers_end) = stream_pair().map_err(failed("make the socket pair"))?;
    let inherited = Inherited {
        fd: workers_end.as_fd(),
        number: handover::FD,
    };
    let pid = spawn_self(&argv, &environment, &[inherited]).map_err(failed("start the process"))?;
    // At once: while this process holds it too, the end of the worker wouldn't be the end of the
    // file. And its number is free now for the watch, so that one won't fail for want of another.
    drop(workers_end);
    let exit_watch =
        watch_or_end(pid, ExitWatch::open_child).map_err(failed("watch the process"))?;
    Ok(Launched {
        pid,
        exit_watch: exit_watch.with_inherited_peak(own_peak_memory()),
        socket,
    })
}

fn refuse_inside_worker() -> io::Result<()> {
    if env::var_os(handover::VARIABLE).is_none() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "{} is still set, so this process was started as a worker, but it reached `main`: \
             the code that takes workers over is not linked in, or the variable was set by hand",
            handover::VARIABLE
        ),
    ))
}

/// What `ps` shows instead of a command line.
fn title(pool_name: &str, worker: WorkerId) -> String {
    let slot = worker.slot.0;
    if pool_name.is_empty() {
        format!("ppool worker {slot}")
    } else {
        format!("ppool worker {pool_name}/{slot}")
    }
}

fn handover_variable(role: Role) -> Change {
    let value = handover::encode(process::id(), role);
    (handover::VARIABLE.into(), Some(value.into()))
}

/// The peak that the new process inherits: what this one has used at most. Unknown counts as more
/// than any, so that no peak of the parent is taken for the worker's.
fn own_peak_memory() -> u64 {
    procfs::peak_memory(process::id()).unwrap_or(u64::MAX)
}

/// Watches a child of this process that another one has forked, and told of.
///
/// # Errors
/// As [`launch`]; then nothing of it is left.
pub fn adopt(pid: u32) -> io::Result<ExitWatch> {
    watch_or_end(pid, ExitWatch::open_child)
}

/// Watches a child that has just been started. If that fails the child is killed and reaped.
fn watch_or_end(
    pid: u32,
    open_child: impl FnOnce(u32) -> io::Result<Option<ExitWatch>>,
) -> io::Result<ExitWatch> {
    let watch = open_child(pid).inspect_err(|_| kill_and_reap(pid))?;
    // Without a watch it has been reaped, and its number may be another's: no signal.
    watch.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "it ended at once, and how is lost because SIGCHLD is ignored",
        )
    })
}

impl LaunchError {
    /// Whether something had run out: processes, memory or descriptors. Then a later attempt may
    /// succeed; otherwise none will.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        limits::is_shortage(&self.source)
    }

    /// The kernel's number of the error, where the kernel refused.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }

    /// What could not be done ("start the process"), and why.
    #[must_use]
    pub fn into_parts(self) -> (&'static str, io::Error) {
        (self.what, self.source)
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {} for worker {}", self.what, self.worker)
    }
}

impl std::error::Error for LaunchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use nix::{errno::Errno, libc};

    use super::*;
    use crate::ids::{Generation, Slot};

    const WORKER: WorkerId = WorkerId {
        slot: Slot(3),
        generation: Generation(7),
    };

    #[test]
    fn the_title_names_pool_and_slot() {
        assert_eq!(title("images", WORKER), "ppool worker images/3");
        assert_eq!(title("", WORKER), "ppool worker 3");
    }

    #[test]
    fn a_title_with_a_nul_starts_nothing() {
        let error = start("a\0b".to_string(), &[], false, Role::Worker).unwrap_err();
        assert_eq!(error.what, "name the process");
        assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_child_that_cannot_be_watched_is_killed_and_reaped() {
        // It ends by itself only when its input does.
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let error = watch_or_end(child.id(), |_| Err(Errno::EMFILE.into())).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        let gone = child.try_wait().unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::ECHILD));
    }

    #[test]
    fn a_child_that_is_gone_already_is_left_alone() {
        // It stands for the process that has the number by now.
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let error = watch_or_end(child.id(), |_| Ok(None)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn an_error_says_what_failed_and_for_whom() {
        let error = LaunchError {
            worker: WORKER,
            what: "start the process",
            source: Errno::EAGAIN.into(),
        };
        assert_eq!(
            error.to_string(),
            "could not start the process for worker 3.7"
        );
        assert!(error.is_shortage());
        let (what, source) = error.into_parts();
        assert_eq!(
            (what, source.raw_os_error()),
            ("start the process", Some(libc::EAGAIN))
        );
    }
}
