//! The life of a template: a process of one thread that runs the preload once and then forks a
//! worker whenever it is asked to.
//!
//! ```text
//!  Template ─► directory, preload ─► Ready ─► Fork, with a worker's end of its link ─┐ again
//!                   │                             │                                  │
//!                   └─► StartFailed               ├─ parent: Forked ─────────────────┘
//!                                                 └─ child: a worker like any other, by that link
//! ```
//!
//! A worker that is forked is the child of the pool's process, not of the template: the pool waits
//! for it and signals it as it does for one that it has started itself, and the template's end is
//! none of its business.
//!
//! # Invariants
//!
//! - SUP-4: the child asks the kernel to die with the pool before it does anything else; and its link
//!   is its own, so that it ends with that.
//! - LINK-1: neither the template nor its next child keeps an end of the link of another one.
//!
//! # Failure
//!
//! A preload that fails, panics, or leaves something behind that can't be forked (threads, the
//! runtime of async tasks) is told to the parent in `StartFailed`. The end of the link ends the
//! template; what it has forked goes on.

use std::{
    io::{self, Write},
    os::unix::process::parent_id,
    sync::Arc,
    thread,
    time::Duration,
};

use ppool_core::{
    codec::attach::Attached,
    link::WorkerLink,
    sys::{
        sibling::{self, Forked},
        stdio,
    },
    task::Registry,
    wire::{Boot, FromWorker, ToWorker},
};

use crate::{
    boot::{self, Ending, NotSettled},
    hook,
    panic::{self, StartCall},
};

/// Makes this process the template that `boot` describes, and forks until the link ends. In the
/// child it doesn't return.
pub(crate) fn serve(link: Arc<dyn WorkerLink>, boot: &Boot, registry: &Registry) -> Ending {
    let parent = parent_id();
    let name = boot::name_with(boot, "-template");
    boot::show_name(&name);
    match prepare(&link, boot, registry) {
        Ok(()) => {}
        Err(NotSettled::Failed(message)) => return boot::start_failed(&*link, &message),
        Err(NotSettled::Shortage) => return Ending::Shortage,
    }
    // The preload may have given it another one, and the pool knows by it what comes from here.
    boot::show_name(&name);
    let mut sent = link.send(&FromWorker::Ready);
    while sent.is_ok() {
        let Ok(Some(ToWorker::Fork)) = link.recv() else {
            break;
        };
        // Without one: there are more descriptors open here than may be.
        let Some(socket) = link.take_descriptors().pop() else {
            break;
        };
        let answer = match sibling::fork_sibling() {
            Ok(Forked::Child) => {
                // Its last owner: the child must not keep the template's link open.
                drop(link);
                hook::run_forked(socket, parent)
            }
            Ok(Forked::Parent { pid }) => FromWorker::Forked { pid },
            Err(error) => FromWorker::NotForked {
                errno: error.raw_os_error().unwrap_or(0),
            },
        };
        drop(socket);
        sent = link.send(&answer);
    }
    Ending::Finished
}

/// Does all that workers are to share.
fn prepare(link: &Arc<dyn WorkerLink>, boot: &Boot, registry: &Registry) -> Result<(), NotSettled> {
    boot::enter_directory(boot).map_err(NotSettled::Failed)?;
    boot::redirect(boot.output, Attached::default())?;
    let mut name = "";
    if let Some(preload) = &boot.preload {
        let attached = link.take_descriptors();
        if attached.is_incomplete() {
            return Err(NotSettled::Shortage);
        }
        panic::watch_this_thread(link.clone());
        let done = boot::run_start_call(StartCall::Preload, preload, attached, registry);
        panic::leave_this_thread();
        done.map_err(NotSettled::Failed)?;
        name = registry.find(preload.task).map_or("", |entry| entry.name());
    }
    check_alone(name).map_err(NotSettled::Failed)?;
    // What is still in a buffer would be written by each worker once more.
    let _ = io::stdout().flush();
    stdio::flush_all();
    Ok(())
}

/// Whether this process can be forked as it is.
fn check_alone(preload: &str) -> Result<(), String> {
    #[cfg(feature = "tokio")]
    if crate::runtime::is_made() {
        return Err(format!(
            "the preload `{preload}` ran an async task, whose runtime workers can't share: make it \
             a plain function, or use `StartMethod::Exec`"
        ));
    }
    let others = other_threads().map_err(|error| {
        format!("the template could not count its threads, of which it may have one: {error}")
    })?;
    if others == 0 {
        return sibling::check().map_err(|error| {
            format!("`StartMethod::Template` does not work on this system: {error}")
        });
    }
    let names = sibling::names_of_other_threads().join("`, `");
    let cause = match preload {
        "" => "something that runs before `main` in this program".to_owned(),
        preload => format!("the preload `{preload}`"),
    };
    Err(format!(
        "{cause} has started threads, of which {others} still run (`{names}`): a process with \
         threads can't be forked safely; start them in the initializer, or use `StartMethod::Exec`"
    ))
}

/// How many threads there are beside this one. Those that are about to end have a moment: the
/// kernel lists a thread a little longer than who joins it has to wait.
fn other_threads() -> io::Result<usize> {
    const LONGEST_PAUSE: Duration = Duration::from_millis(200);

    let mut pause = Duration::from_millis(1);
    loop {
        let others = sibling::threads()?.saturating_sub(1);
        if others == 0 || pause > LONGEST_PAUSE {
            return Ok(others);
        }
        thread::sleep(pause);
        pause *= 2;
    }
}
