//! Bytes that are no message.

use std::{fmt, io};

/// Why bytes that were received are no message of the protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WireError {
    /// No message has this kind.
    Kind(u8),
    /// A message of this kind can't be this long.
    Length {
        /// The kind of the message.
        kind: u8,
        /// How long it says that it is, without the header.
        length: u64,
    },
    /// A greeting that is not ppool's.
    Magic,
    /// A call without a single item.
    NoItems,
    /// More descriptors than one message can have, or fewer than it says.
    Descriptors,
    /// Text that is not UTF-8.
    Text,
    /// Not the CBOR of what it should be; the text says why.
    Cbor(String),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::Kind(kind) => write!(f, "there is no message of kind {kind}"),
            WireError::Length { kind, length } => {
                write!(f, "a message of kind {kind} can't be {length} bytes long")
            }
            WireError::Magic => f.write_str("the other side is not a ppool process"),
            WireError::NoItems => f.write_str("a call without items"),
            WireError::Descriptors => f.write_str("the descriptors of a message are not all there"),
            WireError::Text => f.write_str("a text is not UTF-8"),
            WireError::Cbor(message) => write!(f, "a message is malformed: {message}"),
        }
    }
}

impl std::error::Error for WireError {}

impl From<WireError> for io::Error {
    fn from(error: WireError) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}
