//! Items that go through queues and pipes: their bytes and descriptors, and what can fail.

use std::{
    fmt, io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codec::{CodecError, Decoder, Encoder, Lane, attach::Attached},
    sys::fd_passing::MAX_DESCRIPTORS,
};

/// Why an item was not put into a queue or sent through a pipe. It gives the item back.
#[non_exhaustive]
pub enum PutError<T> {
    /// The queue is closed, or nobody has the other end of the pipe any more.
    Closed(T),
    /// There is no room, or was none before the time was over.
    Full(T),
    /// The item can't be encoded, and why.
    Encode(T, String),
    /// The system refused.
    Io(T, io::Error),
}

/// Why there is no item from a queue or a pipe.
#[derive(Debug)]
#[non_exhaustive]
pub enum GetError {
    /// The queue is closed and empty, or nobody has the other end of the pipe any more and all that
    /// was sent is received.
    Closed,
    /// There is none, or none came before the time was over.
    Empty,
    /// The item that came can't be decoded, and why. It is gone.
    Decode(String),
    /// The system refused.
    Io(io::Error),
}

/// An item without a copy of it: why it was not put.
pub(super) enum Refused {
    Closed,
    Full,
    Encode(String),
    Io(io::Error),
}

impl<T> PutError<T> {
    /// The item.
    pub fn into_item(self) -> T {
        match self {
            PutError::Closed(item)
            | PutError::Full(item)
            | PutError::Encode(item, _)
            | PutError::Io(item, _) => item,
        }
    }

    /// Whether nothing can be put there any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, PutError::Closed(_))
    }

    /// Whether there was no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, PutError::Full(_))
    }

    pub(super) fn of(item: T, why: Refused) -> Self {
        match why {
            Refused::Closed => PutError::Closed(item),
            Refused::Full => PutError::Full(item),
            Refused::Encode(why) => PutError::Encode(item, why),
            Refused::Io(error) => PutError::Io(item, error),
        }
    }
}

impl GetError {
    /// Whether nothing will come any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, GetError::Closed)
    }

    /// Whether there was nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, GetError::Empty)
    }
}

/// It doesn't show the item.
impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PutError::Closed(_) => f.write_str("Closed(..)"),
            PutError::Full(_) => f.write_str("Full(..)"),
            PutError::Encode(_, why) => write!(f, "Encode(.., {why:?})"),
            PutError::Io(_, error) => write!(f, "Io(.., {error:?})"),
        }
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PutError::Closed(_) => f.write_str("it is closed"),
            PutError::Full(_) => f.write_str("there is no room"),
            PutError::Encode(_, why) => write!(f, "the item can't be encoded: {why}"),
            PutError::Io(..) => f.write_str("the system refused the item"),
        }
    }
}

impl<T> std::error::Error for PutError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PutError::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GetError::Closed => f.write_str("it is closed, and nothing is left"),
            GetError::Empty => f.write_str("nothing is there"),
            GetError::Decode(why) => write!(f, "the item can't be decoded: {why}"),
            GetError::Io(_) => f.write_str("the system refused to give the item"),
        }
    }
}

impl std::error::Error for GetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            GetError::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// An item's bytes, after a head of so many zeros, and its descriptors: at most `most`.
pub(super) fn encode<T: Serialize + DeserializeOwned>(
    item: &T,
    head: &[u8],
    most: usize,
) -> Result<(Vec<u8>, Vec<OwnedFd>), Refused> {
    let mut out = Encoder::reuse(Vec::with_capacity(head.len() + USUAL));
    let encoded = out
        .put(head)
        .and_then(|()| Lane::<T>::cbor().encode(item, &mut out));
    encoded.map_err(|CodecError(why)| Refused::Encode(why))?;
    let descriptors = out.take_descriptors();
    if descriptors.len() > most {
        let why = format!(
            "{} descriptors: an item has at most {most}",
            descriptors.len()
        );
        return Err(Refused::Encode(why));
    }
    Ok((out.into_bytes(), descriptors))
}

/// How many bytes most items don't exceed.
const USUAL: usize = 48;

/// The most descriptors that go with one item.
pub(super) const MOST_DESCRIPTORS: usize = MAX_DESCRIPTORS - 1;

/// The item of these bytes and descriptors.
pub(super) fn decode<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    attached: &Attached,
) -> Result<T, GetError> {
    let mut input = Decoder::new(bytes).with_attached(attached);
    Lane::<T>::cbor()
        .decode(&mut input)
        .map_err(|CodecError(why)| GetError::Decode(why))
}

/// When a time from now is over; none for what the clock can't express, which is as good as never.
pub(super) fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}
