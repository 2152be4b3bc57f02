//! Turns a hang into a failure that says what hung.
//!
//! The limit is no assertion on speed: it is far beyond what any test needs on a busy machine.

use std::{
    fmt::Write as _,
    fs,
    io::{Write as _, stderr},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use super::processes;

const LIMIT: Duration = Duration::from_secs(120);
/// For a program that a test starts: it is to speak before the test does.
const LIMIT_IN_A_PROGRAM: Duration = Duration::from_secs(90);

/// While this lives, the process has so much time; then it says what it was doing and aborts.
#[must_use = "it watches as long as it lives"]
pub(crate) struct Watchdog {
    _alive: Sender<()>,
}

/// Watches the test that runs on this thread.
pub(crate) fn watchdog() -> Watchdog {
    watch(LIMIT)
}

/// Watches a program that a test has started.
pub(crate) fn in_a_program() -> Watchdog {
    watch(LIMIT_IN_A_PROGRAM)
}

fn watch(limit: Duration) -> Watchdog {
    let what = thread::current().name().unwrap_or("a test").to_owned();
    let (alive, ended) = channel();
    thread::Builder::new()
        .name("watchdog".into())
        .spawn(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                let report = format!("\n`{what}` hangs: {limit:?} have passed\n{}", scene());
                // Not `eprintln!`: the harness would keep it for a report that never comes.
                let _ = stderr().write_all(report.as_bytes());
                std::process::abort();
            }
        })
        .expect("a thread for the watchdog");
    Watchdog { _alive: alive }
}

/// Waits until `holds` says so; the watchdog is the limit. For what has no event to wait for.
pub(crate) fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        thread::sleep(Duration::from_millis(2));
    }
}

/// What each thread of this process waits in, and what its children are.
fn scene() -> String {
    let mut scene = String::new();
    for task in fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let (name, place, call) = (read("comm"), read("wchan"), read("syscall"));
        let number = call.split(' ').next().unwrap_or_default();
        let _ = writeln!(
            scene,
            "  thread {}: {place}, system call {number}",
            name.trim()
        );
    }
    for child in processes::children_of(std::process::id()) {
        let state = processes::state(child);
        let threads = processes::threads(child).len();
        let _ = writeln!(scene, "  child {child}: state {state:?}, {threads} threads");
    }
    scene
}
