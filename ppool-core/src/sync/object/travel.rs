//! How an object travels: its descriptors beside the bytes, their numbers in them.

use std::{os::fd::AsFd, sync::Arc};

use serde::{Deserialize, Deserializer, Serializer, de, ser, ser::SerializeSeq};

use super::{Kind, Object};
use crate::codec::attach;

/// The most descriptors that an object has.
const MAX_DESCRIPTORS: usize = 4;

impl Object {
    /// For a handle's `Serialize`.
    pub(crate) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let descriptors = self.descriptors();
        let mut numbers = serializer.serialize_seq(Some(descriptors.len()))?;
        for descriptor in descriptors {
            let number = attach::attach(descriptor.as_fd()).map_err(ser::Error::custom)?;
            numbers.serialize_element(&number)?;
        }
        numbers.end()
    }

    /// For a handle's `Deserialize`.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        kind: Kind,
        deserializer: D,
    ) -> Result<Arc<Self>, D::Error> {
        let numbers = Vec::<u32>::deserialize(deserializer)?;
        if numbers.len() > MAX_DESCRIPTORS {
            return Err(de::Error::custom("a handle has fewer descriptors"));
        }
        let descriptors: Result<Vec<_>, _> = numbers.into_iter().map(attach::take).collect();
        let descriptors = descriptors.map_err(de::Error::custom)?;
        Object::attach(kind, descriptors).map_err(de::Error::custom)
    }
}
