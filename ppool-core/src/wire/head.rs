//! The part of a frame that is written for each message, and read before its tail is.

use super::WireError;

/// How many bytes come before the fixed part: length, kind, number of descriptors.
pub(super) const HEADER_LEN: usize = 10;

/// The longest fixed part of any kind.
pub(super) const MAX_FIXED_LEN: usize = 40;

/// A header and the fixed part that follows it, ready to be sent in front of the tail.
#[derive(Clone, Debug)]
pub struct Head {
    bytes: [u8; HEADER_LEN + MAX_FIXED_LEN],
    len: usize,
}

impl Head {
    /// The head of a message of `kind` without a fixed part and without a tail.
    pub(super) fn new(kind: u8) -> Self {
        let mut bytes = [0; HEADER_LEN + MAX_FIXED_LEN];
        bytes[8] = kind;
        Head {
            bytes,
            len: HEADER_LEN,
        }
    }

    /// Appends a field to the fixed part.
    pub(super) fn field<const N: usize>(mut self, field: [u8; N]) -> Self {
        self.bytes[self.len..self.len + N].copy_from_slice(&field);
        self.len += N;
        self
    }

    /// Says how long the tail is, after all fields were appended.
    pub(super) fn tail(mut self, len: usize) -> Self {
        let length = (self.len - HEADER_LEN) as u64 + len as u64;
        self.bytes[..8].copy_from_slice(&length.to_le_bytes());
        self
    }

    /// Says how many descriptors are sent along.
    ///
    /// # Errors
    /// When they are more than [`MAX_DESCRIPTORS`](super::MAX_DESCRIPTORS).
    pub fn with_descriptors(mut self, count: usize) -> Result<Self, WireError> {
        self.bytes[9] = u8::try_from(count)
            .ok()
            .filter(|_| count <= super::MAX_DESCRIPTORS)
            .ok_or(WireError::Descriptors)?;
        Ok(self)
    }

    /// The bytes to send before the tail.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) length: u64,
    pub(super) kind: u8,
    pub(super) descriptors: u8,
}

impl Header {
    pub(super) fn parse(bytes: [u8; HEADER_LEN]) -> Result<Self, WireError> {
        let [length @ .., kind, descriptors] = bytes;
        if usize::from(descriptors) > super::MAX_DESCRIPTORS {
            return Err(WireError::Descriptors);
        }
        Ok(Header {
            length: u64::from_le_bytes(length),
            kind,
            descriptors,
        })
    }
}
