//! The life of a worker process, from its first message to its last.
//!
//! ```text
//!  control thread (main)                       call thread
//!  Hello ─► · Boot ─► directory, name ───────► initializer ─► Ready, or StartFailed
//!  receives, also while a task runs ──queue──► call_loop: calls ─► results
//!                               (or the ring) ──┘
//!  end of the link: the process ends           sentinel: finalizer ─► Bye
//!  stopped by the call thread: joins it  ◄──── stops the control thread
//! ```
//!
//! # Failure
//!
//! The end of the link ends the process at once, in the middle of a call too (SUP-4). What keeps the
//! worker from starting is told to the parent in `StartFailed`, and the process ends with a code that
//! says the same.

mod handover;
mod names;
mod steps;

use std::{
    sync::{Arc, OnceLock},
    thread::{self, JoinHandle},
};

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use ppool_core::{
    codec::attach::Attached,
    link::WorkerLink,
    output::Output,
    process::become_process,
    task::Registry,
    wire::{Boot, FromWorker, Hello, PARENT_LOST_EXIT, PROTOCOL, ToWorker},
};

use self::handover::{CallEnds, Ends, Handover, ends};
pub(crate) use self::{
    names::{name_with, show_name},
    steps::run_step,
};
use crate::{
    call_loop, hook, limits, output,
    panic::{self, Step},
    process, state, stopping, template,
};

/// Why a worker ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// It has done what it was told and said goodbye.
    Finished,
    /// It could not start, and has said why.
    StartFailed,
    /// It could not start for want of processes or memory.
    Shortage,
    /// Nobody is there any more to work for. The call thread may still be running.
    ParentLost,
    /// It was there for one task, which has ended: the exit code.
    Ran(i32),
}

/// Works for the parent at the other end of `link`, until there is no more to do.
pub(crate) fn serve(link: Arc<dyn WorkerLink>) -> Ending {
    let registry = match Registry::get() {
        Ok(registry) => registry,
        Err(message) => return start_failed(&*link, message),
    };
    let hello = FromWorker::Hello(Hello {
        protocol: PROTOCOL,
        fingerprint: registry.fingerprint(),
        pid: std::process::id(),
    });
    if link.send(&hello).is_err() {
        return Ending::ParentLost;
    }
    let boot = match link.recv() {
        Ok(Some(ToWorker::Boot(boot))) => boot,
        Ok(Some(ToWorker::Process(boot))) => return process::run(boot, registry, &link),
        Ok(Some(ToWorker::Template(boot))) => return template::serve(link, &boot, registry),
        Ok(Some(_)) => return start_failed(&*link, "the parent's first message was not `Boot`"),
        Ok(None) | Err(_) => return Ending::ParentLost,
    };
    let [preload, initializer, _] = boot.descriptors();
    let mut attached = link.take_descriptors();
    let settled = match attached.is_incomplete() {
        true => Err(NotSettled::Shortage),
        false => {
            // Those of the link come last, if it has any.
            let mut own = attached.split_off(boot.descriptors().iter().sum());
            let links = own.split_off(output::descriptors(boot.output));
            let arguments = Arguments {
                finalizer: attached.split_off(preload + initializer),
                initializer: attached.split_off(preload),
                preload: attached,
            };
            redirect(boot.output, own)
                .and_then(|()| ends(&link, links))
                .and_then(|ends| settle(boot, arguments, registry, &link, ends))
        }
    };
    match settled {
        Ok(worker) => control(&*link, worker),
        Err(NotSettled::Failed(message)) => start_failed(&*link, &message),
        Err(NotSettled::Shortage) => Ending::Shortage,
    }
}

/// The descriptors that came with the arguments in the boot message.
struct Arguments {
    preload: Attached,
    initializer: Attached,
    finalizer: Attached,
}

/// Why this process can't become the worker, or the template.
pub(crate) enum NotSettled {
    /// For this reason, and another process could not either.
    Failed(String),
    /// For want of processes or memory, which may be different later.
    Shortage,
}

/// Has this process print where the pool says.
pub(crate) fn redirect(output: Output, pipes: Attached) -> Result<(), NotSettled> {
    output::redirect(output, pipes).map_err(|error| {
        NotSettled::Failed(format!("could not print where the pool says: {error}"))
    })
}

/// Tells why the worker doesn't start.
pub(crate) fn start_failed(link: &dyn WorkerLink, message: &str) -> Ending {
    match link.send(&FromWorker::StartFailed(message.to_string())) {
        Ok(()) => Ending::StartFailed,
        Err(_) => Ending::ParentLost,
    }
}

/// The call thread, as the control thread sees it.
struct CallThread {
    handover: Handover,
    /// How it ended; set before its last message, and before it stops the control thread.
    ending: Arc<OnceLock<Ending>>,
    thread: JoinHandle<()>,
}

/// Makes this process the worker that `boot` describes, and starts its call thread.
fn settle(
    boot: Boot,
    arguments: Arguments,
    registry: &'static Registry,
    link: &Arc<dyn WorkerLink>,
    ends: Ends,
) -> Result<CallThread, NotSettled> {
    enter_directory(&boot).map_err(NotSettled::Failed)?;
    limits::put_on_process(&boot).map_err(NotSettled::Failed)?;
    state::become_worker(boot.worker);
    let name = names::name(&boot);
    become_process(name.clone(), name.clone(), true, boot.parent_pid);
    show_name(&name);

    let Ends { calls, handover } = ends;
    let ending = Arc::new(OnceLock::new());
    let thread = {
        let (link, ending) = (link.clone(), ending.clone());
        let work = move || {
            panic::watch_this_thread(link.clone());
            let how = work(&boot, arguments, registry, &*link, calls, &ending);
            ending.get_or_init(|| how);
            if link.stop_receiving().is_err() {
                // The control thread can't be told any more, and nobody else either.
                hook::exit_now(PARENT_LOST_EXIT);
            }
        };
        let builder = thread::Builder::new().name(name).stack_size(stack_size());
        builder.spawn(work).map_err(|_| NotSettled::Shortage)?
    };
    Ok(CallThread {
        handover,
        ending,
        thread,
    })
}

/// Goes where the process is to work; the error says what is wrong with it.
pub(crate) fn enter_directory(boot: &Boot) -> Result<(), String> {
    let Some(directory) = &boot.current_dir else {
        return Ok(());
    };
    std::env::set_current_dir(directory).map_err(|error| {
        let directory = directory.display();
        format!("could not change to the directory `{directory}`: {error}")
    })
}

/// The control thread's work: hands over what comes, and hears the end of the link even while a task
/// runs.
fn control(link: &dyn WorkerLink, worker: CallThread) -> Ending {
    // A failure is the end as well: nothing that comes after it can be understood.
    while let Ok(Some(message)) = link.recv() {
        match message {
            ToWorker::Call { item, payload } => {
                let attached = link.take_descriptors();
                worker.handover.call(item, payload, attached);
            }
            ToWorker::Stop(item) => stopping::request(item),
            ToWorker::CallInSegment { item, len } => {
                let attached = link.take_descriptors();
                if worker
                    .handover
                    .call_in_segment(item, len, attached)
                    .is_err()
                {
                    break;
                }
            }
            ToWorker::Revoked { work_id, attempt } => worker.handover.revoked(work_id, attempt),
            ToWorker::Sentinel => worker.handover.sentinel(),
            ToWorker::Descriptors => {}
            ToWorker::Boot(_) | ToWorker::Process(_) | ToWorker::Template(_) | ToWorker::Fork => {
                break;
            }
        }
    }
    match worker.ending.get() {
        Some(ending) => {
            // Its thread-local values are dropped now. That one of them panics changes nothing.
            let _ = worker.thread.join();
            *ending
        }
        None => Ending::ParentLost,
    }
}

/// The call thread's work.
fn work(
    boot: &Boot,
    arguments: Arguments,
    registry: &Registry,
    link: &dyn WorkerLink,
    ends: CallEnds,
    ending: &OnceLock<Ending>,
) -> Ending {
    // A parent that has heard the last message may close the link at once, and the control thread
    // must not take that for the parent's loss. So how it ends is said before the message is sent.
    let calls = [
        (Step::Preload, &boot.preload, arguments.preload),
        (Step::Initializer, &boot.initializer, arguments.initializer),
    ];
    let started = limits::put_on_calls(&boot.limits).and_then(|()| {
        calls
            .into_iter()
            .try_for_each(|(what, call, attached)| match call {
                Some(call) => run_step(what, call, attached, registry),
                None => Ok(()),
            })
    });
    if let Err(message) = started {
        ending.get_or_init(|| Ending::StartFailed);
        return start_failed(link, &message);
    }
    let worked = link.send(&FromWorker::Ready).and_then(|()| match ends {
        CallEnds::Socket(mut calls, mut results) => {
            call_loop::run(&mut calls, &mut results, registry)
        }
        CallEnds::Ring(mut calls, mut results) => {
            call_loop::run(&mut calls, &mut results, registry)
        }
    });
    if worked.is_err() {
        return Ending::ParentLost;
    }
    if let Some(finalizer) = &boot.finalizer {
        // The worker ends in any case, and there is no call that its failure could fail.
        let finalized = run_step(Step::Finalizer, finalizer, arguments.finalizer, registry);
        if let Err(message) = finalized {
            let _ = link.send(&FromWorker::FinalizerFailed(message));
        }
    }
    state::clear();
    ending.get_or_init(|| Ending::Finished);
    match link.send(&FromWorker::Bye) {
        Ok(()) => Ending::Finished,
        Err(_) => Ending::ParentLost,
    }
}

/// How much stack tasks get: as much as on the main thread, where that is limited, or as
/// `RUST_MIN_STACK` wants, but no less than 8 MiB.
pub(crate) fn stack_size() -> usize {
    const LEAST: usize = 8 << 20;
    /// A limit above this is as good as none, and reserving it all could fail.
    const MOST: usize = 1 << 30;

    let limit = getrlimit(Resource::RLIMIT_STACK).ok();
    let limit = limit
        .map(|(soft, _)| soft)
        .filter(|soft| *soft != RLIM_INFINITY)
        .and_then(|soft| usize::try_from(soft).ok());
    let wished = std::env::var("RUST_MIN_STACK").ok();
    let wished = wished.and_then(|size| size.parse().ok());
    limit.max(wished).unwrap_or(LEAST).clamp(LEAST, MOST)
}
