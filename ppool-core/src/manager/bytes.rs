//! What a manager keeps: encoded values, with the descriptors of the handles in them.

use std::{
    fmt,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::codec::attach::{self, Attached};

/// Bytes that are shared rather than copied.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bytes(Arc<[u8]>);

/// A value in bytes. What it is, only the clients know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Blob {
    pub(super) bytes: Bytes,
    /// In the order of their numbers in `bytes`.
    pub(super) descriptors: Vec<Descriptor>,
}

/// A descriptor that is kept, and sent on to whoever gets the value.
#[derive(Clone, Debug)]
pub(super) struct Descriptor(Arc<OwnedFd>);

impl Blob {
    /// The descriptors, for a decoder.
    pub(super) fn attached(self) -> std::io::Result<Attached> {
        let descriptors = self.descriptors.into_iter().map(Descriptor::into_owned);
        Ok(descriptors
            .collect::<std::io::Result<Vec<OwnedFd>>>()?
            .into())
    }
}

impl Bytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(bytes.into())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl de::Visitor<'_> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.into()))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }
}

impl Descriptor {
    /// The only owner's descriptor; a duplicate where there are others.
    pub(super) fn into_owned(self) -> std::io::Result<OwnedFd> {
        Arc::try_unwrap(self.0).or_else(|shared| shared.try_clone())
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(descriptor: OwnedFd) -> Self {
        Descriptor(Arc::new(descriptor))
    }
}

impl Serialize for Descriptor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        attach::attach(self.0.as_fd())
            .map_err(ser::Error::custom)?
            .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Descriptor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(from)?;
        let descriptor = attach::take(number).map_err(de::Error::custom)?;
        Ok(descriptor.into())
    }
}
