//! Starting a process failed.

use std::{fmt, io};

use super::EncodeError;

/// Why a process could not be started. Nothing of it is left.
pub struct SpawnError {
    task: &'static str,
    kind: SpawnErrorKind,
}

#[derive(Debug)]
pub(crate) enum SpawnErrorKind {
    /// A setting makes no sense, or the binary's own tasks are at fault; the text says which.
    Setting(String),
    /// The arguments could not be encoded.
    Encode(EncodeError),
    /// The system refused.
    System {
        /// What could not be done: "start the process".
        what: &'static str,
        source: io::Error,
        /// Whether something had run out.
        shortage: bool,
    },
}

impl SpawnError {
    pub(crate) fn new(task: &'static str, kind: SpawnErrorKind) -> Self {
        SpawnError { task, kind }
    }

    /// The name of the task that the process was to run.
    #[must_use]
    pub fn task(&self) -> &str {
        self.task
    }

    /// Whether something had run out: processes, threads, memory or descriptors. Then a later
    /// attempt may succeed; otherwise none will.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        matches!(self.kind, SpawnErrorKind::System { shortage, .. } if shortage)
    }

    /// The arguments that could not be encoded, when that was the cause.
    #[must_use]
    pub fn encode_error(&self) -> Option<&EncodeError> {
        match &self.kind {
            SpawnErrorKind::Encode(error) => Some(error),
            SpawnErrorKind::Setting(_) | SpawnErrorKind::System { .. } => None,
        }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.task;
        match &self.kind {
            SpawnErrorKind::Setting(message) => f.write_str(message),
            SpawnErrorKind::Encode(error) => write!(f, "{error}"),
            SpawnErrorKind::System { what, .. } => {
                write!(f, "could not {what} for task `{task}`")
            }
        }
    }
}

impl fmt::Debug for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpawnError({self}")?;
        if let SpawnErrorKind::System { source, .. } = &self.kind {
            write!(f, ": {source}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            SpawnErrorKind::Setting(_) => None,
            SpawnErrorKind::Encode(error) => Some(error),
            SpawnErrorKind::System { source, .. } => Some(source),
        }
    }
}

impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        let kind = match &error.kind {
            SpawnErrorKind::System { source, .. } => source.kind(),
            SpawnErrorKind::Setting(_) | SpawnErrorKind::Encode(_) => io::ErrorKind::InvalidInput,
        };
        io::Error::new(kind, error)
    }
}
