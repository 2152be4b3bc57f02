//! A message whose bytes another room understands: what a manager and its clients say to each other.

use super::{Encoded, Head, Message, WireError, message::Shape};
use crate::codec::MAX_PAYLOAD_LEN;

/// Bytes in a frame, with or without descriptors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet(pub Vec<u8>);

const PACKET: u8 = 64;

impl Packet {
    /// The head of a packet of `len` bytes and so many descriptors.
    ///
    /// # Errors
    /// When there are more than [`MAX_DESCRIPTORS`](super::MAX_DESCRIPTORS).
    pub fn head(len: usize, descriptors: usize) -> Result<Head, WireError> {
        Head::new(PACKET).tail(len).with_descriptors(descriptors)
    }
}

impl Message for Packet {
    fn shape(kind: u8) -> Result<Shape, WireError> {
        match kind {
            PACKET => Ok(Shape::with_tail(0, MAX_PAYLOAD_LEN)),
            _ => Err(WireError::Kind(kind)),
        }
    }

    fn decode(_kind: u8, _fixed: &[u8], tail: Vec<u8>) -> Result<Self, WireError> {
        Ok(Packet(tail))
    }

    fn encode(&self) -> Encoded<'_> {
        Encoded::new(Head::new(PACKET), &self.0[..])
    }
}
