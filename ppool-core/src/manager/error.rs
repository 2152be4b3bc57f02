//! An operation on something that a manager keeps failed.

use std::{fmt, io};

use crate::{codec::CodecError, error::RemotePanic};

/// Why an operation on a manager, or on something that it keeps, failed.
///
/// It is [`Send`] and [`Sync`]; in a task's result it travels as a
/// [`RemoteError`](crate::RemoteError), which `?` makes of it.
pub struct ManagerError {
    /// What was being done: `Dict::get`.
    operation: &'static str,
    kind: ManagerErrorKind,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ManagerErrorKind {
    /// The server could not be started.
    Start(Box<dyn std::error::Error + Send + Sync>),
    /// The server has ended: it was shut down, or killed, or the process that started it is gone.
    ServerGone,
    /// The namespace has nothing of this name.
    NoSuchName(String),
    /// The list or array has no such index.
    OutOfRange {
        /// The index.
        index: usize,
        /// How many elements there are.
        len: usize,
    },
    /// A value could not be encoded.
    Encode {
        /// The type of the value.
        type_name: &'static str,
        /// Why.
        message: String,
    },
    /// What is there is no value of the type that was asked for.
    WrongType {
        /// The type that was asked for.
        wanted: &'static str,
        /// The type that it was stored as, where that is known.
        stored: Option<String>,
        /// Why it could not be decoded.
        message: String,
    },
    /// A task that ran in the server panicked. What it worked on is as it left it.
    Panicked {
        /// The name of the task.
        task: &'static str,
        /// What it said.
        panic: RemotePanic,
    },
    /// A task could not be run in the server: its arguments or its result could not travel, or, where
    /// it makes an object, it returned an error.
    Call {
        /// The name of the task.
        task: &'static str,
        /// Why.
        message: String,
    },
    /// A lock or permit was given back that this handle doesn't have, or one too many.
    NotHeld,
    /// Somebody whom the barrier waits for doesn't come any more, or did not come in time.
    BrokenBarrier,
    /// Descriptors, memory or processes have run out, here or in the server.
    System(io::Error),
    /// One value, or all that was asked for together, holds more than 253 handles.
    TooManyHandles,
    /// The server and this process don't understand each other.
    Protocol(String),
}

impl ManagerError {
    pub(super) fn new(operation: &'static str, kind: ManagerErrorKind) -> Self {
        ManagerError { operation, kind }
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ManagerErrorKind {
        &self.kind
    }

    /// What was being done, as `Dict::get`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether the server has ended.
    #[must_use]
    pub fn is_server_gone(&self) -> bool {
        matches!(self.kind, ManagerErrorKind::ServerGone)
    }

    /// Whether a namespace has nothing of the name.
    #[must_use]
    pub fn is_no_such_name(&self) -> bool {
        matches!(self.kind, ManagerErrorKind::NoSuchName(_))
    }

    /// Whether a list or array has no such index.
    #[must_use]
    pub fn is_out_of_range(&self) -> bool {
        matches!(self.kind, ManagerErrorKind::OutOfRange { .. })
    }

    /// Whether a task that ran in the server panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.kind, ManagerErrorKind::Panicked { .. })
    }

    /// Whether a barrier is broken.
    #[must_use]
    pub fn is_broken_barrier(&self) -> bool {
        matches!(self.kind, ManagerErrorKind::BrokenBarrier)
    }

    /// Whether what is there is of another type.
    #[must_use]
    pub fn is_wrong_type(&self) -> bool {
        matches!(self.kind, ManagerErrorKind::WrongType { .. })
    }
}

impl ManagerErrorKind {
    pub(super) fn encode<T: ?Sized>(error: CodecError) -> Self {
        ManagerErrorKind::Encode {
            type_name: std::any::type_name::<T>(),
            message: error.0,
        }
    }

    pub(super) fn decode<T: ?Sized>(error: CodecError) -> Self {
        ManagerErrorKind::WrongType {
            wanted: std::any::type_name::<T>(),
            stored: None,
            message: error.0,
        }
    }

    pub(super) fn out_of_range(index: u64, len: u64) -> Self {
        let number = |number| usize::try_from(number).unwrap_or(usize::MAX);
        ManagerErrorKind::OutOfRange {
            index: number(index),
            len: number(len),
        }
    }
}

impl fmt::Display for ManagerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = self.operation;
        match &self.kind {
            // Word for word what multiprocessing says.
            ManagerErrorKind::NoSuchName(name) => {
                write!(f, "'Namespace' object has no attribute '{name}'")
            }
            ManagerErrorKind::Start(error) => {
                write!(f, "the server of a manager could not be started: {error}")
            }
            ManagerErrorKind::ServerGone => {
                write!(f, "{operation} failed: the manager's server has ended")
            }
            ManagerErrorKind::OutOfRange { index, len } => write!(
                f,
                "{operation} failed: the index is {index}, but there are {len} elements"
            ),
            ManagerErrorKind::Encode { type_name, message } => write!(
                f,
                "{operation} failed: a value of type `{type_name}` could not be encoded: {message}"
            ),
            ManagerErrorKind::WrongType {
                wanted,
                stored: Some(stored),
                message,
            } => write!(
                f,
                "{operation} failed: what was stored as a `{stored}` is no `{wanted}`: {message}"
            ),
            ManagerErrorKind::WrongType {
                wanted,
                stored: None,
                message,
            } => write!(
                f,
                "{operation} failed: what is stored is no `{wanted}`: {message}"
            ),
            ManagerErrorKind::Panicked { task, panic } => {
                write!(f, "{operation} failed: task `{task}` panicked{panic}")
            }
            ManagerErrorKind::Call { task, message } => {
                write!(f, "{operation} failed: the call of `{task}`: {message}")
            }
            ManagerErrorKind::NotHeld => {
                write!(
                    f,
                    "{operation} failed: nothing is held that could be released"
                )
            }
            ManagerErrorKind::BrokenBarrier => {
                write!(f, "{operation} failed: the barrier is broken")
            }
            ManagerErrorKind::System(error) => write!(f, "{operation} failed: {error}"),
            ManagerErrorKind::TooManyHandles => write!(
                f,
                "{operation} failed: more than {} handles can't travel together",
                crate::wire::MAX_DESCRIPTORS
            ),
            ManagerErrorKind::Protocol(message) => {
                write!(
                    f,
                    "{operation} failed: the server did not answer well: {message}"
                )
            }
        }
    }
}

impl fmt::Debug for ManagerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManagerError({self})")
    }
}

impl std::error::Error for ManagerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ManagerErrorKind::Start(error) => error.source(),
            _ => None,
        }
    }
}
