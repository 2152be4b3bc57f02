//! What travels for one call or one result: bytes, and descriptors beside them.

use std::{
    fmt,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

use super::{Decoder, attach::Attached};

/// Encoded values, and the descriptors that travel beside them (see [`attach`](super::attach)).
///
/// Nearly always there are none, so it is no larger than the bytes alone.
#[derive(Default)]
pub struct Payload(Body);

enum Body {
    Bytes(Vec<u8>),
    Attached(Box<WithDescriptors>),
}

struct WithDescriptors {
    bytes: Vec<u8>,
    /// Shared by what is left of a payload with the whole.
    descriptors: Arc<Vec<OwnedFd>>,
    /// Whether some were lost on the way in.
    is_incomplete: bool,
}

impl Payload {
    /// Bytes, and the descriptors that go with them, if there are any.
    #[must_use]
    pub fn with_descriptors(bytes: Vec<u8>, descriptors: Vec<OwnedFd>) -> Self {
        Payload::received(bytes, descriptors.into())
    }

    /// Bytes, and the descriptors that came with them.
    #[must_use]
    pub fn received(bytes: Vec<u8>, attached: Attached) -> Self {
        let is_incomplete = attached.is_incomplete();
        if attached.is_empty() && !is_incomplete {
            return Payload::from(bytes);
        }
        Payload(Body::Attached(Box::new(WithDescriptors {
            bytes,
            descriptors: Arc::new(attached.into_descriptors()),
            is_incomplete,
        })))
    }

    /// The same bytes, and the descriptors that came with them.
    #[must_use]
    pub fn and_received(self, attached: Attached) -> Self {
        match self.0 {
            Body::Bytes(bytes) => Payload::received(bytes, attached),
            Body::Attached(both) => Payload::received(both.bytes, attached),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Body::Bytes(bytes) => bytes,
            Body::Attached(both) => &both.bytes,
        }
    }

    /// The bytes alone; descriptors are closed.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        match self.0 {
            Body::Bytes(bytes) => bytes,
            Body::Attached(both) => both.bytes,
        }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The descriptors.
    #[must_use]
    pub fn descriptors(&self) -> &[OwnedFd] {
        match &self.0 {
            Body::Bytes(_) => &[],
            Body::Attached(both) => &both.descriptors,
        }
    }

    /// Other bytes, with the same descriptors.
    #[must_use]
    pub fn with_bytes(&self, bytes: Vec<u8>) -> Self {
        match &self.0 {
            Body::Bytes(_) => Payload::from(bytes),
            Body::Attached(both) => Payload(Body::Attached(Box::new(WithDescriptors {
                bytes,
                descriptors: Arc::clone(&both.descriptors),
                is_incomplete: both.is_incomplete,
            }))),
        }
    }

    /// Takes the first bytes off.
    pub(super) fn skip(&mut self, len: usize) {
        let bytes = match &mut self.0 {
            Body::Bytes(bytes) => bytes,
            Body::Attached(both) => &mut both.bytes,
        };
        bytes.drain(..len.min(bytes.len()));
    }

    /// Duplicates of the descriptors, for a reader that is not the only one: as many as there may
    /// be. What is missing is told to who wants to take it.
    #[must_use]
    pub fn attached(&self) -> Attached {
        let Body::Attached(both) = &self.0 else {
            return Attached::default();
        };
        let copies = Attached::copies_of(&both.descriptors);
        match both.is_incomplete {
            true => Attached::incomplete(copies.into_descriptors()),
            false => copies,
        }
    }

    /// The descriptors themselves, which are gone from here; duplicates when they are shared.
    #[must_use]
    pub fn take_attached(&mut self) -> Attached {
        let Body::Attached(both) = &mut self.0 else {
            return Attached::default();
        };
        match Arc::get_mut(&mut both.descriptors) {
            Some(descriptors) => {
                let descriptors = std::mem::take(descriptors);
                both.attached(descriptors)
            }
            None => self.attached(),
        }
    }

    /// The value that is all of it, which takes the descriptors along.
    #[inline]
    pub fn take_value(&mut self) -> Value<'_> {
        let attached = match &self.0 {
            Body::Bytes(_) => None,
            Body::Attached(_) => Some(Box::new(self.take_attached())),
        };
        Value {
            bytes: self.bytes(),
            attached,
        }
    }

    /// The same for a reader that is not the only one.
    #[must_use]
    pub fn value(&self) -> Value<'_> {
        let attached = match &self.0 {
            Body::Bytes(_) => None,
            Body::Attached(_) => Some(Box::new(self.attached())),
        };
        Value {
            bytes: self.bytes(),
            attached,
        }
    }
}

/// Copies the bytes and duplicates the descriptors: as many as there may be. What is missing is told
/// to who wants to take it.
impl Clone for Payload {
    fn clone(&self) -> Self {
        Payload::received(self.bytes().to_vec(), self.attached())
    }
}

impl WithDescriptors {
    fn attached(&self, descriptors: Vec<OwnedFd>) -> Attached {
        match self.is_incomplete {
            true => Attached::incomplete(descriptors),
            false => descriptors.into(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::Bytes(Vec::new())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Payload(Body::Bytes(bytes))
    }
}

/// Two payloads with descriptors are never the same, since each owns its own.
impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        let numbers = |payload: &Payload| -> Vec<_> {
            let descriptors = payload.descriptors().iter();
            descriptors.map(AsRawFd::as_raw_fd).collect()
        };
        self.bytes() == other.bytes() && numbers(self) == numbers(other)
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes", self.len())?;
        match self.descriptors() {
            [] => f.write_str(")"),
            descriptors => write!(f, ", {} descriptors)", descriptors.len()),
        }
    }
}

/// One encoded value, with the descriptors that it may take.
#[derive(Debug)]
pub struct Value<'a> {
    pub(super) bytes: &'a [u8],
    /// What came with it.
    pub(super) attached: Option<Box<Attached>>,
}

impl<'a> Value<'a> {
    /// One without descriptors.
    #[inline]
    #[must_use]
    pub fn bare(bytes: &'a [u8]) -> Self {
        Value {
            bytes,
            attached: None,
        }
    }

    /// Reads it.
    #[inline]
    #[must_use]
    pub fn decoder(&self) -> Decoder<'_> {
        let decoder = Decoder::new(self.bytes);
        match &self.attached {
            None => decoder,
            Some(attached) => decoder.with_attached(attached),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn null() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn it_is_no_larger_than_its_bytes() {
        assert_eq!(size_of::<Payload>(), size_of::<Vec<u8>>());
    }

    #[test]
    fn descriptors_are_moved_to_the_only_reader_and_duplicated_for_others() {
        let mut whole = Payload::with_descriptors(vec![1, 2, 3], vec![null()]);
        let number = whole.descriptors()[0].as_raw_fd();
        let mut rest = whole.with_bytes(vec![3]);
        let copies = rest.take_attached().into_descriptors();
        assert_ne!(copies[0].as_raw_fd(), number);
        drop(rest);
        let moved = whole.take_attached().into_descriptors();
        assert_eq!(moved[0].as_raw_fd(), number);
        assert!(whole.descriptors().is_empty());
        assert_eq!(whole.bytes(), [1, 2, 3]);
    }

    #[test]
    fn payloads_are_equal_by_bytes_unless_they_have_descriptors() {
        assert_eq!(Payload::from(vec![1]), Payload::from(vec![1]));
        assert_ne!(Payload::from(vec![1]), Payload::from(vec![2]));
        let with = || Payload::with_descriptors(vec![1], vec![null()]);
        assert_ne!(with(), with());
        assert_ne!(with(), Payload::from(vec![1]));
    }
}
