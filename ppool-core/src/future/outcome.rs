//! What a call ended with: the bytes of its result, or its error; and how the bytes become a value.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::End;
use crate::{
    codec::{Decoder, Lane},
    error::{DecodeError, TaskError, TaskErrorKind},
    ids::WorkId,
    task::TaskEntry,
};

/// A result as the worker's `Lane` encoded it.
#[derive(Debug)]
pub(crate) struct ResultBytes(Vec<u8>);

impl ResultBytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl From<ResultBytes> for Vec<u8> {
    fn from(bytes: ResultBytes) -> Self {
        bytes.0
    }
}

impl From<Vec<u8>> for ResultBytes {
    fn from(bytes: Vec<u8>) -> Self {
        ResultBytes(bytes)
    }
}

/// What a call ended with.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The task returned.
    Value(ResultBytes),
    /// It gave no value.
    Error(TaskError),
}

impl Outcome {
    pub(crate) fn end(&self) -> End {
        match self {
            Outcome::Value(_) => End::Value,
            Outcome::Error(error) if error.is_cancelled() => End::Cancelled,
            Outcome::Error(_) => End::Error,
        }
    }
}

/// The same, for several readers.
#[derive(Clone, Debug)]
pub(crate) enum SharedOutcome {
    /// The task returned.
    Value(Arc<ResultBytes>),
    /// It gave no value.
    Error(TaskError),
}

/// The outcome as it lies in the state until it is taken.
#[derive(Debug)]
pub(super) enum Stored {
    /// Nobody else reads the bytes: the usual case, without another allocation.
    Value(ResultBytes),
    /// Callbacks read the bytes too.
    Shared(Arc<ResultBytes>),
    /// An error is cheap to clone and therefore stays.
    Error(TaskError),
    /// The bytes were taken.
    Taken,
}

impl Stored {
    /// Gives up the bytes, so that their memory is free once they are decoded.
    pub(super) fn take(&mut self) -> Stored {
        match self {
            Stored::Error(error) => Stored::Error(error.clone()),
            value => std::mem::replace(value, Stored::Taken),
        }
    }

    /// The outcome for one more reader; `None` when the bytes were taken.
    pub(super) fn share(&mut self) -> Option<SharedOutcome> {
        if let Stored::Value(_) = self
            && let Stored::Value(bytes) = std::mem::replace(self, Stored::Taken)
        {
            *self = Stored::Shared(Arc::new(bytes));
        }
        match self {
            Stored::Shared(bytes) => Some(SharedOutcome::Value(Arc::clone(bytes))),
            Stored::Error(error) => Some(SharedOutcome::Error(error.clone())),
            Stored::Value(_) | Stored::Taken => None,
        }
    }
}

impl From<Outcome> for Stored {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Value(bytes) => Stored::Value(bytes),
            Outcome::Error(error) => Stored::Error(error),
        }
    }
}

/// Makes values of the results of one call: knows the type, and whom to name in an error.
pub(crate) struct ResultReader<R> {
    id: WorkId,
    entry: &'static TaskEntry,
    lane: Lane<R>,
}

impl<R> Clone for ResultReader<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for ResultReader<R> {}

impl<R> ResultReader<R> {
    pub(crate) fn new(id: WorkId, entry: &'static TaskEntry, lane: Lane<R>) -> Self {
        ResultReader { id, entry, lane }
    }

    pub(crate) fn id(&self) -> WorkId {
        self.id
    }

    pub(crate) fn task(&self) -> &'static str {
        self.entry.name()
    }

    /// Decodes a result. A `Deserialize` that fails or panics is a `Decode` error.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<R, TaskError> {
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            self.lane.decode(&mut Decoder::new(bytes))
        }));
        match decoded {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.decode_error(&error.0)),
            Err(panic) => Err(self.decode_error(&format!(
                "its Deserialize panicked: {}",
                panic_message(&*panic)
            ))),
        }
    }

    /// The value, or the error, of what was taken out of the state.
    pub(super) fn read(&self, stored: Stored) -> Result<R, TaskError> {
        match stored {
            Stored::Value(bytes) => self.decode(bytes.as_slice()),
            Stored::Shared(bytes) => self.decode(bytes.as_slice()),
            Stored::Error(error) => Err(error),
            Stored::Taken => Err(self.already_taken()),
        }
    }

    /// The value, or the error, of a shared outcome; `None` stands for a taken one.
    pub(crate) fn read_shared(&self, outcome: Option<SharedOutcome>) -> Result<R, TaskError> {
        match outcome {
            Some(SharedOutcome::Value(bytes)) => self.decode(bytes.as_slice()),
            Some(SharedOutcome::Error(error)) => Err(error),
            None => Err(self.already_taken()),
        }
    }

    #[cold]
    pub(super) fn already_taken(&self) -> TaskError {
        self.decode_error("it was already taken out of its future")
    }

    #[cold]
    fn decode_error(&self, message: &str) -> TaskError {
        let error = DecodeError::new(self.task(), None, message);
        TaskError::new(self.task(), self.id, true, TaskErrorKind::Decode(error))
    }
}

/// The text of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the panic carries no text")
}
