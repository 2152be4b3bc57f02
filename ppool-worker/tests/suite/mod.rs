//! Real worker processes: this program, started once more and taken over before its `main`.
//!
//! ```text
//!  main ──► cases, one after the other ──► a worker of this program each
//!    │                                └──► this program as an ordinary one: main with a role
//!    └ must not be reached in a worker
//! ```

mod cases;
#[path = "../parent/mod.rs"]
mod parent;
mod process;
mod tasks;

use std::{env, sync::mpsc, thread, time::Duration};

/// How long a case may take before it counts as hanging. No case comes near it.
const WATCHDOG: Duration = Duration::from_secs(120);

/// What this program does, unless it is a worker.
pub(crate) fn main() {
    if let Some(role) = env::args().nth(1).as_deref().and_then(process::role) {
        return role();
    }
    let wanted: Vec<String> = env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'))
        .collect();
    let mut count = 0;
    for (name, case) in cases::ALL {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted)) {
            run(name, *case);
            count += 1;
        }
    }
    println!("test result: ok. {count} passed; 0 failed");
}

/// Runs a case on a thread of its own; a panic or a hang ends the program.
fn run(name: &'static str, case: fn()) {
    println!("test {name} ..");
    let (done, finished) = mpsc::channel();
    let thread = thread::spawn(move || {
        case();
        let _ = done.send(());
    });
    let hangs = finished.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout);
    assert!(!hangs, "{name} hangs");
    assert!(thread.join().is_ok(), "{name} failed");
}
