//! What a call ended with: the bytes of its result, or its error; and how the bytes become a value.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::End;
use crate::{
    codec::{Decode, Decoder, Lane, Payload, Value},
    error::{DecodeError, TaskError, TaskErrorKind},
    ids::WorkId,
    task::TaskEntry,
};

/// What a call ended with.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The task returned.
    Value(Payload),
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
    Value(Arc<Payload>),
    /// It gave no value.
    Error(TaskError),
}

/// The outcome as it lies in the state until it is taken.
#[derive(Debug)]
pub(super) enum Stored {
    /// Nobody else reads the bytes: the usual case, without another allocation.
    Value(Payload),
    /// Callbacks read the bytes too.
    Shared(Arc<Payload>),
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
    /// What its caller calls it; every error that is read carries it.
    label: Option<u64>,
    entry: &'static TaskEntry,
    /// Of a lane that is all that a result needs.
    decode: Decode<R>,
}

impl<R> Clone for ResultReader<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for ResultReader<R> {}

impl<R> ResultReader<R> {
    pub(crate) fn new(id: WorkId, entry: &'static TaskEntry, lane: Lane<R>) -> Self {
        ResultReader {
            id,
            label: None,
            entry,
            decode: lane.decode_fn(),
        }
    }

    /// The same for a call with a label.
    pub(crate) fn labelled(self, label: Option<u64>) -> Self {
        ResultReader { label, ..self }
    }

    pub(crate) fn id(&self) -> WorkId {
        self.id
    }

    /// The id that users see.
    pub(crate) fn public_id(&self) -> u64 {
        self.label.unwrap_or(self.id.sequence())
    }

    pub(crate) fn task(&self) -> &'static str {
        self.entry.name()
    }

    /// An error of the call, as users see it.
    pub(crate) fn error(&self, error: TaskError) -> TaskError {
        match self.label {
            Some(label) => error.labelled(label),
            None => error,
        }
    }

    /// Decodes a result. A `Deserialize` that fails or panics is a `Decode` error.
    #[inline]
    pub(crate) fn decode(&self, value: Value<'_>) -> Result<R, TaskError> {
        let decoded = catch_unwind(AssertUnwindSafe(|| (self.decode)(&mut value.decoder())));
        match decoded {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.decode_error(&error.0)),
            Err(panic) => Err(self.decode_error(&format!(
                "its Deserialize panicked: {}",
                panic_message(&*panic)
            ))),
        }
    }

    /// Decodes results of a fixed form that follow each other.
    #[inline]
    pub(crate) fn decode_each(
        &self,
        lane: &Lane<R>,
        bytes: &[u8],
        count: u32,
        into: &mut Vec<R>,
    ) -> Result<(), TaskError> {
        let mut input = Decoder::new(bytes);
        into.reserve(count as usize);
        for _ in 0..count {
            match lane.decode(&mut input) {
                Ok(value) => into.push(value),
                Err(error) => return Err(self.decode_error(&error.0)),
            }
        }
        Ok(())
    }

    /// The value, or the error, of what was taken out of the state.
    pub(super) fn read(&self, stored: Stored) -> Result<R, TaskError> {
        match stored {
            Stored::Value(mut payload) => self.decode(payload.take_value()),
            Stored::Shared(payload) => self.decode_shared(payload),
            Stored::Error(error) => Err(self.error(error)),
            Stored::Taken => Err(self.already_taken()),
        }
    }

    /// The value, or the error, of a shared outcome; `None` stands for a taken one.
    pub(crate) fn read_shared(&self, outcome: Option<SharedOutcome>) -> Result<R, TaskError> {
        match outcome {
            Some(SharedOutcome::Value(payload)) => self.decode_shared(payload),
            Some(SharedOutcome::Error(error)) => Err(self.error(error)),
            None => Err(self.already_taken()),
        }
    }

    /// Decodes a result that others may read too.
    fn decode_shared(&self, payload: Arc<Payload>) -> Result<R, TaskError> {
        match Arc::try_unwrap(payload) {
            Ok(mut payload) => self.decode(payload.take_value()),
            Err(payload) => self.decode(payload.value()),
        }
    }

    #[cold]
    pub(super) fn already_taken(&self) -> TaskError {
        self.decode_error("it was already taken out of its future")
    }

    #[cold]
    fn decode_error(&self, message: &str) -> TaskError {
        let error = DecodeError::new(self.task(), None, message);
        self.error(TaskError::new(
            self.task(),
            self.id,
            true,
            TaskErrorKind::Decode(error),
        ))
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
