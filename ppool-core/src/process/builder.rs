//! Settings of a process, and its start.

use std::{ffi::OsString, os::fd::OwnedFd, path::PathBuf};

use super::{Process, current::next_identity, keeper};
use crate::{
    codec::{CodecError, Encoder, IntoArgs},
    error::{EncodeError, SpawnError, SpawnErrorKind},
    link::parcel,
    supervise::{StartError, environment::Change},
    sys::limits,
    task::{Registry, Task, TaskEntry, TaskObject},
    wire::{BootCall, ProcessBoot},
};

/// Settings of a process that is to be started; [`Process::builder`] gives one.
///
/// ```no_run
/// # use ppool_core as ppool;
/// # use ppool_core::Task;
/// use ppool::process::{Process, SpawnError};
///
/// # fn example<T: Task<Args = (u64,)>>(count_to: T) -> Result<(), SpawnError> {
/// let process = Process::builder()
///     .name("counter")
///     .daemon(true)
///     .env("RUST_BACKTRACE", "1")
///     .spawn(count_to, 1_000_000)?;
/// assert_eq!(process.name(), "counter");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "`spawn` starts the process"]
pub struct ProcessBuilder {
    name: Option<String>,
    daemon: bool,
    env: Vec<Change>,
    current_dir: Option<PathBuf>,
}

/// The encoded arguments of a task.
pub(crate) struct Arguments {
    pub(crate) payload: Vec<u8>,
    pub(crate) descriptors: Vec<OwnedFd>,
    /// Which descriptor is the task's channel.
    pub(crate) channel: Option<u32>,
}

impl ProcessBuilder {
    pub(super) fn new() -> Self {
        ProcessBuilder::default()
    }

    /// What the process is called, in `ps` and `top` too (which show the first 15 bytes). It must not
    /// contain a NUL. Default: `Process-1`, `Process-2`, .. in the order of their start, and
    /// `Process-1:2` for the second process that the first one started.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the process is killed (SIGKILL) when this one exits. Otherwise the exit waits until
    /// it has ended. Either ends at once when this process is killed. Default: false.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = daemon;
        self
    }

    /// Sets an environment variable of the process. Default: it gets those of this one.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), Some(value.into())));
        self
    }

    /// Removes an environment variable of the process.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env.push((name.into(), None));
        self
    }

    /// The directory that the process works in. Default: where this one is.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(directory.into());
        self
    }

    /// Starts a process that runs `task` with `args`: a tuple with a value for each parameter, or
    /// the bare value where there is one. Doesn't wait for anything that the process does.
    ///
    /// # Errors
    /// When an argument can't be encoded, a setting makes no sense, or the system has no process,
    /// thread, memory or descriptor left ([`SpawnError::is_shortage`]).
    pub fn spawn<T: Task, A: IntoArgs<T::Args>>(
        self,
        _task: T,
        args: A,
    ) -> Result<Process, SpawnError> {
        let entry = T::entry();
        let arguments = encode(entry, |out| args.encode_args(&T::lanes(), out))?;
        self.start(entry, arguments)
    }

    /// Starts a process that runs a callable object: what a subclass of multiprocessing's `Process`
    /// with a `run` method is.
    ///
    /// # Errors
    /// As [`spawn`](ProcessBuilder::spawn).
    pub fn spawn_object<J: TaskObject>(self, job: J) -> Result<Process, SpawnError> {
        self.spawn(J::task(), (job,))
    }

    /// Starts a process that runs the task.
    pub(crate) fn start(
        self,
        entry: &'static TaskEntry,
        arguments: Arguments,
    ) -> Result<Process, SpawnError> {
        let task = entry.name();
        let setting = |message| SpawnError::new(task, SpawnErrorKind::Setting(message));
        if let Err(message) = Registry::get() {
            return Err(setting(message.to_string()));
        }
        if let Some(directory) = &self.current_dir
            && !directory.is_dir()
        {
            let directory = directory.display();
            return Err(setting(format!(
                "the process can't work in `{directory}`, which is no directory"
            )));
        }
        let Arguments {
            mut payload,
            mut descriptors,
            channel,
        } = arguments;
        // A value has at most `attach::MOST`.
        let count = u32::try_from(descriptors.len()).unwrap_or(u32::MAX);
        parcel::stow(&mut payload, &mut descriptors)
            .map_err(|source| system(task, "hand over the arguments", source))?;
        let identity = next_identity();
        let name = self.name.unwrap_or_else(|| format!("Process-{identity}"));
        let order = keeper::Order {
            title: format!("ppool process {name}"),
            env: self.env,
            boot: ProcessBoot {
                name,
                identity,
                daemon: self.daemon,
                parent_pid: std::process::id(),
                current_dir: self.current_dir,
                call: BootCall {
                    task: entry.key(),
                    payload,
                    descriptors: count,
                },
                channel,
            },
            descriptors,
        };
        keeper::order(order)
            .map(Process::new)
            .map_err(|StartError { what, source }| system(task, what, source))
    }
}

/// Encodes the arguments of a task, together with the descriptors in them.
pub(crate) fn encode(
    entry: &'static TaskEntry,
    encode: impl FnOnce(&mut Encoder) -> Result<(), CodecError>,
) -> Result<Arguments, SpawnError> {
    let mut out = Encoder::new();
    match encode(&mut out) {
        Ok(()) => Ok(Arguments {
            descriptors: out.take_descriptors(),
            payload: out.into_bytes(),
            channel: None,
        }),
        Err(error) => {
            let parameter = entry.parameter(out.parameter()).unwrap_or("?");
            let error = EncodeError::new(entry.name(), Some(parameter), &error.0);
            Err(SpawnError::new(entry.name(), SpawnErrorKind::Encode(error)))
        }
    }
}

fn system(task: &'static str, what: &'static str, source: std::io::Error) -> SpawnError {
    let shortage = limits::is_shortage(&source);
    SpawnError::new(
        task,
        SpawnErrorKind::System {
            what,
            source,
            shortage,
        },
    )
}
