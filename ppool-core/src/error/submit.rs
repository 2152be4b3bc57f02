//! A call was not accepted.

use std::fmt;

use super::{BrokenPool, EncodeError};

/// Why `try_submit` did not take a call. Every variant gives the arguments back as they were
/// passed.
#[non_exhaustive]
pub enum SubmitError<A> {
    /// As many calls wait as `queue_capacity` allows; try again later or use `submit`, which waits.
    Full(A),
    /// The pool was closed, shut down or terminated; no call will be accepted any more.
    Closed(A),
    /// The pool can't start workers; the second field says why.
    Broken(A, BrokenPool),
    /// The arguments could not be encoded.
    Encode(A, EncodeError),
}

impl<A> SubmitError<A> {
    /// The arguments, as they were passed.
    pub fn into_args(self) -> A {
        match self {
            SubmitError::Full(args)
            | SubmitError::Closed(args)
            | SubmitError::Broken(args, _)
            | SubmitError::Encode(args, _) => args,
        }
    }

    /// The same, with what was made of the arguments.
    pub(crate) fn map<B>(self, with: impl FnOnce(A) -> B) -> SubmitError<B> {
        match self {
            SubmitError::Full(args) => SubmitError::Full(with(args)),
            SubmitError::Closed(args) => SubmitError::Closed(with(args)),
            SubmitError::Broken(args, cause) => SubmitError::Broken(with(args), cause),
            SubmitError::Encode(args, error) => SubmitError::Encode(with(args), error),
        }
    }

    /// Whether the queue had no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, SubmitError::Full(_))
    }

    /// Whether the pool accepts no calls any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, SubmitError::Closed(_))
    }
}

impl<A> fmt::Display for SubmitError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubmitError::Full(_) => f.write_str("the pool's queue is full"),
            SubmitError::Closed(_) => f.write_str("the pool is closed and accepts no more calls"),
            SubmitError::Broken(_, cause) => write!(f, "{cause}"),
            SubmitError::Encode(_, error) => write!(f, "{error}"),
        }
    }
}

impl<A> fmt::Debug for SubmitError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubmitError::Full(_) => f.write_str("Full(..)"),
            SubmitError::Closed(_) => f.write_str("Closed(..)"),
            SubmitError::Broken(_, cause) => write!(f, "Broken(.., {cause:?})"),
            SubmitError::Encode(_, error) => write!(f, "Encode(.., {error:?})"),
        }
    }
}

impl<A> std::error::Error for SubmitError<A> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SubmitError::Full(_) | SubmitError::Closed(_) => None,
            SubmitError::Broken(_, cause) => Some(cause),
            SubmitError::Encode(_, error) => Some(error),
        }
    }
}
