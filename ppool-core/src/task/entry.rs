//! One row of the registry.

use std::{fmt, time::Duration};

use super::{Invocation, Invocations, InvokeError, Task};
use crate::codec::{ArgList, Spacing};

/// Finds a task in any process of the same binary: a hash of its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskKey(pub u64);

impl TaskKey {
    /// The key of a name (FNV-1a, so that it can be computed at compile time).
    #[must_use]
    pub const fn of(name: &str) -> Self {
        TaskKey(fnv1a(0xcbf2_9ce4_8422_2325, name.as_bytes()))
    }
}

/// One step of FNV-1a over `bytes`, from `hash`.
pub(crate) const fn fnv1a(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

/// How many bytes a task's arguments and its result take, where they always take as many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Form {
    /// All arguments of a call.
    pub args: Option<usize>,
    /// Its result.
    pub result: Option<usize>,
}

impl Form {
    /// That of a task.
    #[must_use]
    pub fn of<T: Task>() -> Self {
        Form {
            args: T::Args::fixed_len(&T::lanes()),
            result: T::output_lane().fixed_len(),
        }
    }
}

/// What the registry knows of a task.
pub struct TaskEntry {
    pub(crate) name: &'static str,
    pub(crate) key: TaskKey,
    pub(crate) signature: &'static str,
    pub(crate) location: &'static str,
    pub(crate) parameters: &'static [&'static str],
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<u32>,
    invoke: fn(&mut Invocation<'_>) -> Result<(), InvokeError>,
    /// The same for several calls, and of what form these are.
    several: Option<Several>,
    /// Keeps the worker's hook in every binary that has a task.
    _hook: fn(),
}

#[derive(Clone, Copy)]
struct Several {
    form: fn() -> Form,
    invoke: fn(&mut Invocations<'_>) -> Result<(), InvokeError>,
}

impl TaskEntry {
    /// A task without defaults of its own.
    #[must_use]
    pub const fn new(
        name: &'static str,
        signature: &'static str,
        location: &'static str,
        parameters: &'static [&'static str],
        invoke: fn(&mut Invocation<'_>) -> Result<(), InvokeError>,
        hook: fn(),
    ) -> Self {
        TaskEntry {
            name,
            key: TaskKey::of(name),
            signature,
            location,
            parameters,
            timeout: None,
            retries: None,
            invoke,
            several: None,
            _hook: hook,
        }
    }

    /// The same with what its form is, and a function that [invokes it for
    /// each](Invocations::each) of several calls.
    #[must_use]
    pub const fn with_several(
        mut self,
        form: fn() -> Form,
        invoke: fn(&mut Invocations<'_>) -> Result<(), InvokeError>,
    ) -> Self {
        self.several = Some(Several { form, invoke });
        self
    }

    /// The same with a default time limit.
    #[must_use]
    pub const fn with_timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The same with a default number of retries after a lost worker.
    #[must_use]
    pub const fn with_retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// The unique name of the task.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What finds the task in another process.
    #[must_use]
    pub fn key(&self) -> TaskKey {
        self.key
    }

    /// The signature, as text.
    #[must_use]
    pub fn signature(&self) -> &'static str {
        self.signature
    }

    /// The file and line where the task is written.
    #[must_use]
    pub fn location(&self) -> &'static str {
        self.location
    }

    /// The time limit of its own, if it has one.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The number of retries of its own, if it has one.
    #[must_use]
    pub fn retries(&self) -> Option<u32> {
        self.retries
    }

    /// The name of the parameter at `index`.
    #[must_use]
    pub fn parameter(&self, index: usize) -> Option<&'static str> {
        self.parameters.get(index).copied()
    }

    /// Decodes the arguments, runs the task, encodes its result.
    ///
    /// # Errors
    /// What could not be decoded or encoded. A panic of the task or of serde code unwinds through.
    pub fn invoke(&self, invocation: &mut Invocation<'_>) -> Result<(), InvokeError> {
        (self.invoke)(invocation)
    }

    /// How many bytes arguments and result take, where it is always as many.
    #[must_use]
    pub fn form(&self) -> Form {
        self.several
            .as_ref()
            .map_or(Form::default(), |several| (several.form)())
    }

    /// How the arguments of several calls are told apart.
    #[must_use]
    pub fn args_spacing(&self) -> Spacing {
        Spacing::of(self.form().args)
    }

    /// The same as [`invoke`](TaskEntry::invoke) for calls that follow each other, until one fails.
    ///
    /// # Errors
    /// As [`invoke`](TaskEntry::invoke), of the first that fails.
    pub fn invoke_each(&self, invocations: &mut Invocations<'_>) -> Result<(), InvokeError> {
        match &self.several {
            Some(several) => (several.invoke)(invocations),
            None => invocations.each(self.invoke),
        }
    }
}

impl fmt::Debug for TaskEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskEntry")
            .field("name", &self.name)
            .field("signature", &self.signature)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}
