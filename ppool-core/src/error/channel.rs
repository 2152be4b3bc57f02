//! A message could not be sent or received.

use std::{fmt, io, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{RemoteError, RemotePanic, SpawnError};

/// Why a message could not be sent or received.
#[non_exhaustive]
#[derive(Debug)]
pub enum ChannelError {
    /// The process at the other end could not be started.
    Start(Arc<SpawnError>),
    /// The task at the other end has failed.
    Remote(RemoteFailure),
    /// The other side has closed its end, or has ended. What it had sent before has been received.
    HungUp,
    /// This side has closed its end, or has given it away.
    Closed,
    /// The time was over. A message that was to be sent may still arrive.
    TimedOut,
    /// The value could not be encoded: nothing was sent. The text says why.
    Encode(String),
    /// What arrived could not be decoded as this type; it has been received. The text says why.
    Decode(String),
    /// The other side acknowledged what was never sent, or sent what is no message.
    Acknowledgement,
    /// The system refused.
    Io(io::Error),
}

/// How the task at the other end of a channel failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RemoteFailure {
    /// It panicked.
    Panicked(RemotePanic),
    /// It returned an `Err`, or its arguments could not be decoded.
    Error(RemoteError),
}

impl RemoteFailure {
    /// The panic, when it was one.
    #[must_use]
    pub fn panic(&self) -> Option<&RemotePanic> {
        match self {
            RemoteFailure::Panicked(panic) => Some(panic),
            RemoteFailure::Error(_) => None,
        }
    }

    /// The error that the task returned, when it did.
    #[must_use]
    pub fn error(&self) -> Option<&RemoteError> {
        match self {
            RemoteFailure::Panicked(_) => None,
            RemoteFailure::Error(error) => Some(error),
        }
    }

    /// The message of the panic or of the error.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            RemoteFailure::Panicked(panic) => panic.message().to_string(),
            RemoteFailure::Error(error) => error.to_string(),
        }
    }
}

impl fmt::Display for RemoteFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RemoteFailure::Panicked(panic) => write!(f, "panicked{panic}"),
            RemoteFailure::Error(error) => write!(f, "failed: {error:#}"),
        }
    }
}

impl ChannelError {
    /// Whether the task at the other end has failed.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self, ChannelError::Remote(_))
    }

    /// Whether the other side is gone, with or without a word.
    #[must_use]
    pub fn is_hung_up(&self) -> bool {
        matches!(self, ChannelError::HungUp | ChannelError::Remote(_))
    }

    /// Whether the time was over.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, ChannelError::TimedOut)
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChannelError::Start(error) => write!(f, "{error}"),
            ChannelError::Remote(failure) => {
                write!(f, "the task at the other end of the channel {failure}")
            }
            ChannelError::HungUp => f.write_str("the other side has closed the channel"),
            ChannelError::Closed => f.write_str("this side has closed the channel"),
            ChannelError::TimedOut => f.write_str("the other side did not answer in time"),
            ChannelError::Encode(message) => {
                write!(f, "could not encode the message: {message}")
            }
            ChannelError::Decode(message) => {
                write!(f, "could not decode the message: {message}")
            }
            ChannelError::Acknowledgement => {
                f.write_str("the other side acknowledged what was never sent")
            }
            ChannelError::Io(_) => f.write_str("could not use the socket of the channel"),
        }
    }
}

impl std::error::Error for ChannelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ChannelError::Start(error) => Some(error),
            ChannelError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ChannelError> for io::Error {
    fn from(error: ChannelError) -> Self {
        let kind = match &error {
            ChannelError::Start(_) | ChannelError::Remote(_) => io::ErrorKind::Other,
            ChannelError::HungUp => io::ErrorKind::UnexpectedEof,
            ChannelError::Closed => io::ErrorKind::NotConnected,
            ChannelError::TimedOut => io::ErrorKind::TimedOut,
            ChannelError::Encode(_) => io::ErrorKind::InvalidInput,
            ChannelError::Decode(_) | ChannelError::Acknowledgement => io::ErrorKind::InvalidData,
            ChannelError::Io(error) => error.kind(),
        };
        io::Error::new(kind, error)
    }
}
