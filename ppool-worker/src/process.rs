//! The life of a process that runs one task and no calls.
//!
//! ```text
//!  control thread (main)                          task thread
//!  Process ─► directory, name ──────────────────► decodes, runs the task
//!  receives, also while the task runs                │
//!    sentinel: the parent exits, hang up the channel │ failed: told by the channel, or printed
//!    end of the link: the process ends               │
//!  stopped by the task thread: exit with its code ◄──┘
//! ```
//!
//! # Failure
//!
//! The parent learns how the process ended from its exit code: 1 for an `Err`, 101 for a panic, as of
//! Rust's `main`. The value is thrown away. The end of the link ends the process at once (SUP-4).

use std::{
    io::Write,
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{Arc, OnceLock},
    thread,
};

use ppool_core::{
    RemoteError,
    channel::report,
    codec::{Decoder, Encoder, attach::Attached},
    error::RemoteFailure,
    link::{WorkerLink, parcel},
    process::become_process,
    task::{Registry, TaskEntry},
    wire::{CallOutcome, NO_PARAMETER, ProcessBoot, ToWorker, task_failure},
};

use crate::{
    boot::{Ending, show_name, stack_size},
    hook,
    invoke::invoke,
    panic,
};

/// The exit code after an `Err`, and after a panic.
const FAILED_EXIT: i32 = 1;
const PANICKED_EXIT: i32 = 101;

/// What the task thread needs.
struct Errand {
    name: String,
    entry: &'static TaskEntry,
    payload: Vec<u8>,
    attached: Attached,
    /// Where a failure is told; without it, it is printed.
    channel: Option<Arc<UnixStream>>,
}

/// Runs the task that this process is there for.
pub(crate) fn run(boot: ProcessBoot, registry: &Registry, link: &Arc<dyn WorkerLink>) -> Ending {
    let name = boot.name.clone();
    let errand = match prepare(boot, registry, link.take_descriptors()) {
        Ok(errand) => errand,
        Err(message) => {
            print(&format!("process `{name}` could not start: {message}"));
            return Ending::StartFailed;
        }
    };
    let channel = errand.channel.clone();
    let ending = Arc::new(OnceLock::new());
    let work = {
        let (link, ending) = (link.clone(), ending.clone());
        move || {
            let code = errand.run();
            ending.get_or_init(|| code);
            if link.stop_receiving().is_err() {
                hook::exit_now(code);
            }
        }
    };
    // A thread's name can't have a zero byte in it.
    let builder = thread::Builder::new().name(name.replace('\0', "_"));
    let Ok(thread) = builder.stack_size(stack_size()).spawn(work) else {
        return Ending::Shortage;
    };
    // Hears the end of the link even while the task runs.
    while let Ok(Some(ToWorker::Sentinel)) = link.recv() {
        if let Some(channel) = &channel {
            // Nobody will answer any more: whoever waits for a message, an answer or room hears the
            // end. What was sent can still be received.
            let _ = channel.shutdown(Shutdown::Both);
        }
    }
    match ending.get() {
        Some(code) => {
            // Its thread-local values are dropped now. That one of them panics changes nothing.
            let _ = thread.join();
            Ending::Ran(*code)
        }
        None => Ending::ParentLost,
    }
}

/// Makes this process what `boot` describes.
fn prepare(
    boot: ProcessBoot,
    registry: &Registry,
    mut attached: Attached,
) -> Result<Errand, String> {
    let entry = registry.find(boot.call.task).ok_or_else(|| {
        let key = boot.call.task.0;
        format!("it has no task with the key {key:#018x}")
    })?;
    let mut payload = boot.call.payload;
    if attached.len() > boot.call.descriptors as usize || attached.is_incomplete() {
        parcel::unstow(&mut payload, &mut attached).map_err(|error| error.to_string())?;
    }
    let channel = boot.channel.map(|index| {
        let copy = attached.copy(index).map_err(|error| error.to_string())?;
        // Only used for its `shutdown`, and as a descriptor.
        Ok::<_, String>(Arc::new(UnixStream::from(copy)))
    });
    let channel = channel.transpose()?;
    if let Some(directory) = &boot.current_dir {
        std::env::set_current_dir(directory).map_err(|error| {
            let directory = directory.display();
            format!("could not change to the directory `{directory}`: {error}")
        })?;
    }
    show_name(&boot.name);
    become_process(
        boot.name.clone(),
        boot.identity,
        boot.daemon,
        boot.parent_pid,
    );
    Ok(Errand {
        name: boot.name,
        entry,
        payload,
        attached,
        channel,
    })
}

impl Errand {
    /// Runs the task; gives the exit code.
    fn run(self) -> i32 {
        let Errand {
            name,
            entry,
            payload,
            attached,
            channel,
        } = self;
        let aborting = channel.clone();
        panic::watch_this_process(channel.is_none(), move |panic| {
            if let Some(channel) = &aborting {
                // The process is about to abort; there is nobody else to tell.
                let _ = report(channel, &RemoteFailure::Panicked(panic));
            }
        });
        let mut output = Encoder::new();
        let arguments = Decoder::new(&payload).with_attached(&attached);
        let (failure, code) = match invoke(entry, arguments, &mut output) {
            Ok(()) => match task_failure(output.bytes()) {
                Some(error) => (RemoteFailure::Error(error), FAILED_EXIT),
                None => return 0,
            },
            Err(CallOutcome::Panicked(panic)) => (RemoteFailure::Panicked(panic), PANICKED_EXIT),
            Err(CallOutcome::Decode { parameter, message }) => {
                let error = not_decoded(entry, parameter, &message);
                (RemoteFailure::Error(error), FAILED_EXIT)
            }
            // Its value is of no interest, so that it can't be encoded isn't either.
            Err(_) => return 0,
        };
        let told = channel.as_ref().map(|channel| report(channel, &failure));
        match (&failure, told) {
            (_, Some(Ok(()))) => {}
            (RemoteFailure::Error(error), _) => print(&format!("Error: {error:#}")),
            (_, Some(Err(_))) => print(&format!("process `{name}` {failure}")),
            // Without a channel a panic has printed itself.
            (_, None) => {}
        }
        code
    }
}

fn not_decoded(entry: &TaskEntry, parameter: u32, message: &str) -> RemoteError {
    let parameter = match parameter {
        NO_PARAMETER => None,
        index => usize::try_from(index)
            .ok()
            .and_then(|index| entry.parameter(index)),
    };
    let task = entry.name();
    let parameter = parameter.unwrap_or("?");
    RemoteError::new(format!(
        "could not decode the parameter `{parameter}` of task `{task}`: {message}"
    ))
}

/// Prints a line to standard error, if there is one.
fn print(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
