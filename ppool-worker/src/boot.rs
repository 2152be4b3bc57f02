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

use std::{
    ffi::CString,
    io,
    sync::{Arc, OnceLock, mpsc},
    thread::{self, JoinHandle},
};

use nix::sys::{
    prctl,
    resource::{RLIM_INFINITY, Resource, getrlimit},
};
use ppool_core::{
    codec::{Decoder, Encoder, attach::Attached},
    ids::WorkId,
    link::{
        WorkerLink,
        ring::{self, RingCalls, RingControl, RingResults},
    },
    output::Output,
    process::become_process,
    task::Registry,
    wire::{
        Boot, BootCall, CallItem, CallOutcome, FromWorker, Hello, PARENT_LOST_EXIT, PROTOCOL,
        ToWorker, boot_call_failure,
    },
};

use crate::{
    call_loop,
    ends::{QueuedCall, QueuedCalls, SocketResults, Work},
    hook,
    invoke::invoke,
    limits, output,
    panic::{self, Running, Step},
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

/// Where calls come from and results go, and how the control thread gets at the call thread.
struct Ends {
    calls: CallEnds,
    handover: Handover,
}

/// The call thread's ends of its link.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, and it lives as long as the process"
)]
enum CallEnds {
    Socket(QueuedCalls, SocketResults),
    Ring(RingCalls, RingResults),
}

/// How the control thread hands on what it receives.
enum Handover {
    Queue(mpsc::Sender<Work>),
    Ring(Arc<RingControl>),
}

impl Handover {
    fn call(&self, item: CallItem, payload: Vec<u8>, attached: Attached) {
        match self {
            // The call thread may have ended, and then stops the control thread next.
            Handover::Queue(queue) => {
                let call = QueuedCall::new(item, payload, attached);
                let _ = queue.send(Work::Call(call));
            }
            Handover::Ring(control) => control.deliver(item, payload, attached),
        }
    }

    fn call_in_segment(&self, item: CallItem, len: u64, attached: Attached) -> io::Result<()> {
        match self {
            // A pool that speaks through sockets alone sends the bytes.
            Handover::Queue(_) => Err(io::ErrorKind::Unsupported.into()),
            Handover::Ring(control) => control.deliver_in_segment(item, len, attached),
        }
    }

    /// A call that was sent before is not to be run.
    fn revoked(&self, work_id: WorkId, attempt: u32) {
        match self {
            // Nothing is revoked that went through a socket alone.
            Handover::Queue(_) => {}
            Handover::Ring(control) => control.revoked(work_id, attempt),
        }
    }

    fn sentinel(&self) {
        match self {
            Handover::Queue(queue) => {
                let _ = queue.send(Work::Sentinel);
            }
            Handover::Ring(control) => control.end(),
        }
    }
}

/// The ends of the link that the boot message, just received, has set up: those of a ring if it
/// brought one.
fn ends(link: &Arc<dyn WorkerLink>, mut own: Attached) -> Result<Ends, NotSettled> {
    let Some(region) = own.pop() else {
        let (queue, calls) = mpsc::channel();
        let results = SocketResults(link.clone());
        return Ok(Ends {
            calls: CallEnds::Socket(QueuedCalls(calls), results),
            handover: Handover::Queue(queue),
        });
    };
    let attached = ring::attach(region, link.clone());
    let (calls, results, control) = attached.map_err(|error| match error.raw_os_error() {
        // What the system says is that it has no more memory or descriptors for this.
        Some(_) => NotSettled::Shortage,
        None => NotSettled::Failed(format!("could not share memory with the parent: {error}")),
    })?;
    Ok(Ends {
        calls: CallEnds::Ring(calls, results),
        handover: Handover::Ring(control),
    })
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
    let name = name(&boot);
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

/// Runs what a process has to beside calls; the error says what went wrong.
pub(crate) fn run_step(
    what: Step,
    call: &BootCall,
    attached: Attached,
    registry: &Registry,
) -> Result<(), String> {
    let (name, result) = run_boot_call(call, attached, registry, what)?;
    match result {
        Ok(output) => match boot_call_failure(&output) {
            Some(message) => Err(format!("the {what} `{name}` failed: {message}")),
            None => Ok(()),
        },
        Err(CallOutcome::Panicked(panic)) => Err(panic::step_panicked(what, name, &panic)),
        Err(CallOutcome::Decode { message, .. }) => Err(format!(
            "the arguments of the {what} `{name}` could not be decoded: {message}"
        )),
        // Its value is of no interest, so that it can't be encoded isn't either. The remaining
        // outcomes are none of a single invocation.
        Err(_) => Ok(()),
    }
}

/// Runs a call of the boot message: the task's name, and the encoded value or what went wrong.
fn run_boot_call(
    call: &BootCall,
    attached: Attached,
    registry: &Registry,
    what: Step,
) -> Result<(&'static str, Result<Vec<u8>, CallOutcome>), String> {
    let entry = registry.find(call.task).ok_or_else(|| {
        let key = call.task.0;
        format!("the worker has no task with the key {key:#018x}")
    })?;
    let mut output = Encoder::new();
    panic::now(Running::Step(what, entry.name()));
    let arguments = Decoder::new(&call.payload).with_attached(&attached);
    let invoked = invoke(entry, arguments, &mut output);
    panic::now(Running::Nothing);
    Ok((entry.name(), invoked.map(|()| output.into_bytes())))
}

/// What the worker is called: `images-w3` is the one in slot 3 of the pool `images`.
///
/// The kernel shows 15 bytes, so a long name of a pool is cut, not the number.
fn name(boot: &Boot) -> String {
    name_with(boot, &format!("-w{}", boot.worker.slot.0))
}

/// The name of a process of the pool with this ending, which is shown in full.
pub(crate) fn name_with(boot: &Boot, ending: &str) -> String {
    const SHOWN: usize = 15;

    let room = SHOWN.saturating_sub(ending.len());
    let pool = &boot.pool[..panic::char_boundary(&boot.pool, room)];
    // A name can't have a zero byte in it.
    format!("{pool}{ending}").replace('\0', "_")
}

/// Names the process, for `ps` and `top`. A name that the kernel doesn't like is no reason not to work.
pub(crate) fn show_name(name: &str) {
    let _ = CString::new(name).map(|name| prctl::set_name(&name));
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

#[cfg(test)]
mod tests {
    use ppool_core::{
        ids::{Generation, Slot, WorkerId},
        wire::WorkerLimits,
    };

    use super::*;

    fn boot(pool: &str, slot: u32) -> Boot {
        Boot {
            pool: pool.to_string(),
            worker: WorkerId {
                slot: Slot(slot),
                generation: Generation(0),
            },
            preload: None,
            initializer: None,
            finalizer: None,
            current_dir: None,
            parent_pid: 0,
            output: Output::Inherit,
            limits: WorkerLimits::default(),
        }
    }

    #[test]
    fn a_worker_s_name_shows_its_number() {
        assert_eq!(name(&boot("ppool", 3)), "ppool-w3");
        assert_eq!(name(&boot("a-very-long-name", 12)), "a-very-long-w12");
        assert_eq!(name(&boot("ääääääää", 1)), "ääääää-w1");
        assert_eq!(name(&boot("a\0b", 1)), "a_b-w1");
    }
}
