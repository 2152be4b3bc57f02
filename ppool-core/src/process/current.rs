//! Which process this is.

use std::{
    borrow::Cow,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// This process, as multiprocessing's `current_process()` tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CurrentProcess {
    name: Cow<'static, str>,
    /// Which child of which child this is; empty in a process that ppool has not started.
    identity: Cow<'static, str>,
    daemon: bool,
    parent_pid: Option<u32>,
}

/// The program that somebody started.
const MAIN: CurrentProcess = CurrentProcess {
    name: Cow::Borrowed("MainProcess"),
    identity: Cow::Borrowed(""),
    daemon: false,
    parent_pid: None,
};

static CURRENT: OnceLock<CurrentProcess> = OnceLock::new();

/// Which process this is: one that [`Process::spawn`](super::Process::spawn) started, a worker of a
/// pool, or the program itself, which is called `MainProcess`.
///
/// ```
/// # use ppool_core as ppool;
/// use ppool::process;
///
/// assert_eq!(process::current().name(), "MainProcess");
/// assert_eq!(process::current().pid(), std::process::id());
/// ```
#[must_use]
pub fn current() -> CurrentProcess {
    CURRENT.get().unwrap_or(&MAIN).clone()
}

/// Says which process this is, in one that ppool has started. The first time counts.
#[doc(hidden)]
pub fn become_process(name: String, identity: String, daemon: bool, parent_pid: u32) {
    let _ = CURRENT.set(CurrentProcess {
        name: name.into(),
        identity: identity.into(),
        daemon,
        parent_pid: Some(parent_pid),
    });
}

impl CurrentProcess {
    /// Its name: what its parent called it, else `Process-1`, `Process-2`, .. in the order of their
    /// start, and `Process-1:2` for the second process that the first one started.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        std::process::id()
    }

    /// Whether it is killed when its parent exits, rather than waited for.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.daemon
    }

    /// The process that started it; `None` in a process that ppool has not started.
    #[must_use]
    pub fn parent_pid(&self) -> Option<u32> {
        self.parent_pid
    }
}

/// The identity of the next process that this one starts.
pub(super) fn next_identity() -> String {
    static STARTED: AtomicU32 = AtomicU32::new(0);

    let number = STARTED.fetch_add(1, Relaxed) + 1;
    match &*CURRENT.get().unwrap_or(&MAIN).identity {
        "" => number.to_string(),
        identity => format!("{identity}:{number}"),
    }
}
