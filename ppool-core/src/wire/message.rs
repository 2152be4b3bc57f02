//! What the two directions have in common.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};

use super::{Head, WireError};
use crate::codec::Decoder;

/// The most bytes that a text or a panic may take on its way; both are cut much shorter where they
/// are made.
pub(super) const MAX_TEXT_LEN: u64 = 64 << 20;

/// A message of one direction.
pub trait Message: Sized {
    /// What may follow a header of this kind.
    ///
    /// # Errors
    /// When no message has this kind.
    #[doc(hidden)]
    fn shape(kind: u8) -> Result<Shape, WireError>;

    /// Makes a message of its parts. `fixed` is as long as the shape says.
    ///
    /// # Errors
    /// When they are no such message.
    #[doc(hidden)]
    fn decode(kind: u8, fixed: &[u8], tail: Vec<u8>) -> Result<Self, WireError>;

    /// The message in bytes.
    fn encode(&self) -> Encoded<'_>;
}

/// What may follow a header.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Shape {
    /// How long the fixed part is.
    pub(super) fixed: usize,
    /// How long the tail may be.
    pub(super) max_tail: u64,
}

impl Shape {
    /// This many bytes and no tail.
    pub(super) const fn fixed(fixed: usize) -> Self {
        Shape { fixed, max_tail: 0 }
    }

    /// This many bytes and then up to `max_tail`.
    pub(super) const fn with_tail(fixed: usize, max_tail: u64) -> Self {
        Shape { fixed, max_tail }
    }
}

/// A message in bytes: the head, and the tail where it lies.
#[derive(Clone, Debug)]
pub struct Encoded<'a> {
    /// Comes first.
    pub head: Head,
    /// Comes after it.
    pub tail: Cow<'a, [u8]>,
}

impl<'a> Encoded<'a> {
    pub(super) fn new(head: Head, tail: impl Into<Cow<'a, [u8]>>) -> Self {
        let tail = tail.into();
        Encoded {
            head: head.tail(tail.len()),
            tail,
        }
    }

    /// A message that is all head.
    pub(super) fn bare(head: Head) -> Self {
        Encoded::new(head, &[][..])
    }
}

/// Reads the fields of a fixed part, whose length was checked against the shape.
pub(super) struct Fields<'a>(Decoder<'a>);

impl<'a> Fields<'a> {
    pub(super) fn new(fixed: &'a [u8]) -> Self {
        Fields(Decoder::new(fixed))
    }

    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        self.0
            .take_array()
            .expect("the assembler passes a fixed part as long as the shape says")
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}

pub(super) fn text(tail: Vec<u8>) -> Result<String, WireError> {
    String::from_utf8(tail).map_err(|_| WireError::Text)
}

pub(super) fn to_cbor<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes)
        .expect("a vector takes all bytes, and the wire's own types can all be written");
    bytes
}

pub(super) fn from_cbor<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    ciborium::from_reader(bytes).map_err(|error| WireError::Cbor(error.to_string()))
}
