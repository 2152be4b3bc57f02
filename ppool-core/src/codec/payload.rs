//! What travels for one call or one result: bytes, and descriptors beside them.

use std::{
    fmt,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

use super::{Decoder, attach::Attached, segment::Stored};

/// Encoded values, and the descriptors that travel beside them (see [`attach`](super::attach)). The
/// bytes of a large one may be in a [segment](super::segment).
///
/// Nearly always there are no descriptors and no segment, so it is no larger than the bytes alone; and
/// where a number or two are all, it has them in itself.
#[derive(Default)]
pub struct Payload(Body);

enum Body {
    Few(Few<15>),
    Bytes(Vec<u8>),
    More(Box<More>),
}

/// As many bytes as find room in a payload beside what says that they are there.
#[derive(Clone, Copy)]
struct Few<const MOST: usize> {
    len: u8,
    bytes: [u8; MOST],
}

#[derive(Default)]
struct More {
    /// The bytes, unless they are in the segment.
    bytes: Vec<u8>,
    stored: Option<Stored>,
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

    /// Bytes in a segment, and the descriptors that go or came with them.
    #[must_use]
    pub fn stored_with(stored: Stored, attached: Attached) -> Self {
        let is_incomplete = attached.is_incomplete();
        Payload(Body::More(Box::new(More {
            bytes: Vec::new(),
            stored: Some(stored),
            descriptors: Arc::new(attached.into_descriptors()),
            is_incomplete,
        })))
    }

    /// Bytes, and the descriptors that came with them.
    #[must_use]
    pub fn received(bytes: Vec<u8>, attached: Attached) -> Self {
        let is_incomplete = attached.is_incomplete();
        if attached.is_empty() && !is_incomplete {
            return Payload::from(bytes);
        }
        Payload(Body::More(Box::new(More {
            bytes,
            stored: None,
            descriptors: Arc::new(attached.into_descriptors()),
            is_incomplete,
        })))
    }

    /// A copy of these bytes, if they are few enough to lie in it.
    #[inline]
    #[must_use]
    pub fn of_few(bytes: &[u8]) -> Option<Self> {
        Few::of(bytes).map(|few| Payload(Body::Few(few)))
    }

    /// The same bytes, and the descriptors that came with them.
    #[must_use]
    pub fn and_received(self, attached: Attached) -> Self {
        match self.0 {
            Body::Few(few) => Payload::received(few.bytes().to_vec(), attached),
            Body::Bytes(bytes) => Payload::received(bytes, attached),
            Body::More(more) => match more.stored {
                Some(stored) => Payload::stored_with(stored, attached),
                None => Payload::received(more.bytes, attached),
            },
        }
    }

    /// The bytes in a segment, if that is where they are.
    #[inline]
    #[must_use]
    pub fn stored(&self) -> Option<&Stored> {
        match &self.0 {
            Body::Few(_) | Body::Bytes(_) => None,
            Body::More(more) => more.stored.as_ref(),
        }
    }

    /// The bytes, unless they are in a segment.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Body::Few(few) => few.bytes(),
            Body::Bytes(bytes) => bytes,
            Body::More(more) => &more.bytes,
        }
    }

    /// The bytes alone, unless they are in a segment; descriptors are closed.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        match self.0 {
            Body::Few(few) => few.bytes().to_vec(),
            Body::Bytes(bytes) => bytes,
            Body::More(more) => more.bytes,
        }
    }

    /// How many bytes there are, wherever.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stored().map_or(self.bytes().len(), Stored::len)
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
            Body::Few(_) | Body::Bytes(_) => &[],
            Body::More(more) => &more.descriptors,
        }
    }

    /// Other bytes, with the same descriptors.
    #[must_use]
    pub fn with_bytes(&self, bytes: Vec<u8>) -> Self {
        match &self.0 {
            Body::Few(_) | Body::Bytes(_) => Payload::from(bytes),
            Body::More(more) => Payload(Body::More(Box::new(More {
                bytes,
                stored: None,
                descriptors: Arc::clone(&more.descriptors),
                is_incomplete: more.is_incomplete,
            }))),
        }
    }

    /// Takes the first bytes off, of those on the heap.
    pub(super) fn skip(&mut self, len: usize) {
        let bytes = match &mut self.0 {
            Body::Few(few) => {
                let left = few.bytes().get(len..).unwrap_or_default();
                *few = Few::of(left).expect("fewer than there were");
                return;
            }
            Body::Bytes(bytes) => bytes,
            Body::More(more) => &mut more.bytes,
        };
        bytes.drain(..len.min(bytes.len()));
    }

    /// Duplicates of the descriptors, for a reader that is not the only one: as many as there may
    /// be. What is missing is told to who wants to take it.
    #[must_use]
    pub fn attached(&self) -> Attached {
        let Body::More(more) = &self.0 else {
            return Attached::default();
        };
        let copies = Attached::copies_of(&more.descriptors);
        match more.is_incomplete {
            true => Attached::incomplete(copies.into_descriptors()),
            false => copies,
        }
    }

    /// The descriptors themselves, which are gone from here; duplicates when they are shared.
    #[must_use]
    pub fn take_attached(&mut self) -> Attached {
        let Body::More(more) = &mut self.0 else {
            return Attached::default();
        };
        match Arc::get_mut(&mut more.descriptors) {
            Some(descriptors) => {
                let descriptors = std::mem::take(descriptors);
                more.attached(descriptors)
            }
            None => self.attached(),
        }
    }

    /// The value that is all of it, which takes the descriptors along.
    #[inline]
    pub fn take_value(&mut self) -> Value<'_> {
        let attached = match &self.0 {
            Body::Few(_) | Body::Bytes(_) => None,
            Body::More(_) => Some(Box::new(self.take_attached())),
        };
        Value {
            bytes: self.bytes(),
            stored: self.stored(),
            attached,
        }
    }

    /// The same for a reader that is not the only one.
    #[must_use]
    pub fn value(&self) -> Value<'_> {
        let attached = match &self.0 {
            Body::Few(_) | Body::Bytes(_) => None,
            Body::More(_) => Some(Box::new(self.attached())),
        };
        Value {
            bytes: self.bytes(),
            stored: self.stored(),
            attached,
        }
    }
}

/// Copies the bytes, to the heap, and duplicates the descriptors: as many as there may be. What is
/// missing is told to who wants to take it.
impl Clone for Payload {
    fn clone(&self) -> Self {
        let bytes = match self.stored() {
            // Of bytes that can't be read there is no copy; who decodes it hears that.
            Some(stored) => stored.to_vec().unwrap_or_default(),
            None => self.bytes().to_vec(),
        };
        Payload::received(bytes, self.attached())
    }
}

impl More {
    fn attached(&self, descriptors: Vec<OwnedFd>) -> Attached {
        match self.is_incomplete {
            true => Attached::incomplete(descriptors),
            false => descriptors.into(),
        }
    }
}

impl<const MOST: usize> Few<MOST> {
    const NONE: Self = Few {
        len: 0,
        bytes: [0; MOST],
    };

    /// The bytes, if they are few.
    #[inline]
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut few = Few::NONE;
        few.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        few.len = u8::try_from(bytes.len()).ok()?;
        Some(few)
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::Few(Few::NONE)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Payload::of_few(&bytes).unwrap_or(Payload(Body::Bytes(bytes)))
    }
}

/// Two payloads with descriptors, or in segments, are never the same, since each owns its own.
impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        let numbers = |payload: &Payload| -> Vec<_> {
            let descriptors = payload.descriptors().iter();
            descriptors.map(AsRawFd::as_raw_fd).collect()
        };
        let stored = self.stored().is_some() || other.stored().is_some();
        !stored && self.bytes() == other.bytes() && numbers(self) == numbers(other)
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

/// A payload that is held in several places: the arguments of a call, which may have to be sent again. A
/// clone is the same payload.
///
/// Of a number or two it is a copy, which takes no memory beside itself.
#[derive(Clone)]
pub struct SharedPayload(Held);

#[derive(Clone)]
enum Held {
    Few(Few<14>),
    Shared(Arc<Payload>),
}

impl SharedPayload {
    /// These bytes, if they are few enough to lie in it.
    #[inline]
    #[must_use]
    pub(super) fn of_few(bytes: &[u8]) -> Option<Self> {
        Few::of(bytes).map(|few| SharedPayload(Held::Few(few)))
    }

    /// The bytes, unless they are in a segment.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Held::Few(few) => few.bytes(),
            Held::Shared(payload) => payload.bytes(),
        }
    }

    /// What has more than few bytes.
    #[inline]
    fn payload(&self) -> Option<&Payload> {
        match &self.0 {
            Held::Few(_) => None,
            Held::Shared(payload) => Some(payload),
        }
    }

    /// The bytes in a segment, if that is where they are.
    #[inline]
    #[must_use]
    pub fn stored(&self) -> Option<&Stored> {
        self.payload()?.stored()
    }

    /// How many bytes there are, wherever.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.payload()
            .map_or_else(|| self.bytes().len(), Payload::len)
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The descriptors.
    #[inline]
    #[must_use]
    pub fn descriptors(&self) -> &[OwnedFd] {
        self.payload().map_or(&[], Payload::descriptors)
    }

    /// As [`Payload::attached`].
    #[must_use]
    pub fn attached(&self) -> Attached {
        self.payload()
            .map_or_else(Attached::default, Payload::attached)
    }

    /// In how many places it is held.
    #[cfg(test)]
    pub(crate) fn holders(&self) -> usize {
        match &self.0 {
            Held::Few(_) => 1,
            Held::Shared(payload) => Arc::strong_count(payload),
        }
    }

    /// Other bytes, with the same descriptors.
    #[must_use]
    pub fn with_bytes(&self, bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        match self.payload() {
            None => Payload::from(bytes).into(),
            Some(payload) => payload.with_bytes(bytes).into(),
        }
    }
}

impl Default for SharedPayload {
    fn default() -> Self {
        SharedPayload(Held::Few(Few::NONE))
    }
}

impl From<Payload> for SharedPayload {
    fn from(payload: Payload) -> Self {
        let few = match &payload.0 {
            Body::Few(few) => SharedPayload::of_few(few.bytes()),
            Body::Bytes(_) | Body::More(_) => None,
        };
        few.unwrap_or_else(|| SharedPayload(Held::Shared(Arc::new(payload))))
    }
}

impl fmt::Debug for SharedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Held::Few(few) => write!(f, "Payload({} bytes)", few.len),
            Held::Shared(payload) => payload.fmt(f),
        }
    }
}

/// One encoded value, with the descriptors that it may take.
#[derive(Debug)]
pub struct Value<'a> {
    pub(super) bytes: &'a [u8],
    /// Where they are instead.
    stored: Option<&'a Stored>,
    /// What came with it.
    attached: Option<Box<Attached>>,
}

impl<'a> Value<'a> {
    /// One without descriptors.
    #[inline]
    #[must_use]
    pub fn bare(bytes: &'a [u8]) -> Self {
        Value {
            bytes,
            stored: None,
            attached: None,
        }
    }

    /// Reads it.
    #[inline]
    #[must_use]
    pub fn decoder(&self) -> Decoder<'_> {
        let decoder = match self.stored {
            None => Decoder::new(self.bytes),
            Some(stored) => Decoder::stored(stored),
        };
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
        assert_eq!(size_of::<SharedPayload>(), 2 * size_of::<usize>());
    }

    #[test]
    fn bytes_are_the_same_be_they_few_or_many() {
        for len in 0..40 {
            let bytes: Vec<u8> = (0..len).collect();
            let payload = Payload::from(bytes.clone());
            assert_eq!((payload.bytes(), payload.len()), (&bytes[..], bytes.len()));
            assert_eq!(payload.clone().into_bytes(), bytes);
            for first in 0..=bytes.len() {
                let mut rest = payload.clone();
                rest.skip(first);
                assert_eq!(rest.bytes(), &bytes[first..]);
            }
            let received = payload.and_received(vec![null()].into());
            assert_eq!(
                (received.bytes(), received.descriptors().len()),
                (&bytes[..], 1)
            );
        }
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
