//! Memory beside the heap, for payloads that are too large to be copied more often than need be.
//!
//! ```text
//!  Encoder ──write──► Segment ══ its descriptor ══► Segment ──read──► Decoder
//! ```
//!
//! What a segment is, `shm` says: the codec makes no system call. It only needs that bytes can be
//! written to it, and read out of it.
//!
//! # Invariants
//!
//! LINK-2: bytes are copied out of a segment and never referred to in it, since the process that
//! wrote them may change them at any time.

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

/// A payload with more bytes than this goes into a segment: 64 KiB. Below, a copy costs less than
/// handing over a descriptor.
pub const LARGE: usize = 64 << 10;

/// A piece of memory that can be handed to another process. When it is dropped, its memory may be
/// used for something else.
pub trait Segment: AsFd + Send + Sync + fmt::Debug {
    /// Writes bytes at `at`; the segment gets as long as it has to.
    ///
    /// # Errors
    /// When memory has run out, or this segment is another process's.
    fn write(&self, at: usize, bytes: &[u8]) -> io::Result<()>;

    /// Copies bytes from `at` on.
    ///
    /// # Errors
    /// When there are not as many.
    fn read(&self, at: usize, into: &mut [u8]) -> io::Result<()>;

    /// What the link that hands it over knows it by, if that has to know.
    fn ticket(&self) -> Option<u64> {
        None
    }
}

/// Where segments come from.
pub trait Segments: Send + Sync + fmt::Debug {
    /// One for about `len` bytes; `None` when there are no more to be had. Payloads then stay on the
    /// heap.
    fn take(&self, len: usize) -> Option<Box<dyn Segment>>;
}

/// Bytes in a segment: the first ones.
#[derive(Debug)]
pub struct Stored {
    pub(super) segment: Box<dyn Segment>,
    len: usize,
}

impl Stored {
    /// The first `len` bytes of `segment`.
    #[must_use]
    pub fn new(segment: Box<dyn Segment>, len: usize) -> Self {
        Stored { segment, len }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the link knows the segment by.
    #[must_use]
    pub fn ticket(&self) -> Option<u64> {
        self.segment.ticket()
    }

    /// A copy of all bytes on the heap.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn to_vec(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        self.segment.read(0, &mut bytes)?;
        Ok(bytes)
    }
}

impl AsFd for Stored {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.segment.as_fd()
    }
}

/// The part of a payload that is being written which lies in a segment: the front.
#[derive(Debug)]
pub(super) struct Front {
    source: Arc<dyn Segments>,
    segment: Option<Box<dyn Segment>>,
    len: usize,
}

impl Front {
    pub(super) fn new(source: Arc<dyn Segments>) -> Self {
        Front {
            source,
            segment: None,
            len: 0,
        }
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends all of `buffer`, and `bytes` behind it. False when there is no memory for that: then all
    /// that was written is back in the buffer, with `bytes` at its end.
    #[must_use]
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, bytes: &[u8]) -> bool {
        let appended = self.try_append(buffer, bytes).is_ok();
        match appended {
            true => {
                self.len += buffer.len() + bytes.len();
                buffer.clear();
            }
            false => self.retreat(buffer, bytes),
        }
        appended
    }

    fn try_append(&mut self, buffer: &[u8], bytes: &[u8]) -> io::Result<()> {
        let segment = match &self.segment {
            Some(segment) => segment,
            None => {
                let segment = self.source.take(buffer.len() + bytes.len());
                self.segment
                    .insert(segment.ok_or(io::ErrorKind::OutOfMemory)?)
            }
        };
        segment.write(self.len, buffer)?;
        segment.write(self.len + buffer.len(), bytes)
    }

    #[cold]
    fn retreat(&mut self, buffer: &mut Vec<u8>, bytes: &[u8]) {
        let mut all = vec![0; self.len];
        let read = self.segment.take().map(|segment| segment.read(0, &mut all));
        debug_assert!(!matches!(read, Some(Err(_))), "it was just written");
        all.append(buffer);
        all.extend_from_slice(bytes);
        *buffer = all;
        self.len = 0;
    }

    /// What was written, with the rest that is in `buffer`; `None` when it is all in the buffer.
    pub(super) fn finish(&mut self, buffer: &mut Vec<u8>) -> Option<Stored> {
        if self.len == 0 {
            return None;
        }
        if !self.append(buffer, &[]) {
            return None;
        }
        let segment = self.segment.take()?;
        let len = std::mem::take(&mut self.len);
        Some(Stored::new(segment, len))
    }
}

#[cfg(test)]
mod tests {
    //! A segment on the heap, which fails when it is asked to.

    use std::{
        fs::File,
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
    };

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::codec::{Decoder, Encoder, Lane, Payload, Raw};

    #[derive(Debug)]
    struct OnHeap {
        bytes: Mutex<Vec<u8>>,
        most: usize,
        file: File,
    }

    impl AsFd for OnHeap {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.file.as_fd()
        }
    }

    impl Segment for OnHeap {
        fn write(&self, at: usize, bytes: &[u8]) -> io::Result<()> {
            let mut all = self.bytes.lock().unwrap();
            let end = at + bytes.len();
            if end > self.most {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let len = all.len().max(end);
            all.resize(len, 0);
            all[at..end].copy_from_slice(bytes);
            Ok(())
        }

        fn read(&self, at: usize, into: &mut [u8]) -> io::Result<()> {
            let all = self.bytes.lock().unwrap();
            let bytes = all.get(at..at + into.len());
            into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }

    /// Segments of at most so many bytes.
    #[derive(Debug)]
    struct OfMost(usize, AtomicUsize);

    impl Segments for OfMost {
        fn take(&self, _len: usize) -> Option<Box<dyn Segment>> {
            self.1.fetch_add(1, Relaxed);
            Some(Box::new(OnHeap {
                bytes: Mutex::default(),
                most: self.0,
                file: File::open("/dev/null").unwrap(),
            }))
        }
    }

    fn encoder(most: usize) -> (Encoder, Arc<OfMost>) {
        let segments = Arc::new(OfMost(most, AtomicUsize::new(0)));
        (Encoder::with_segments(Some(segments.clone())), segments)
    }

    fn bytes(payload: &Payload) -> Vec<u8> {
        match payload.stored() {
            Some(stored) => stored.to_vec().unwrap(),
            None => payload.bytes().to_vec(),
        }
    }

    #[test]
    fn what_is_small_stays_on_the_heap() {
        let (mut out, segments) = encoder(usize::MAX);
        out.put(&vec![7; LARGE]).unwrap();
        assert!(out.into_payload().stored().is_none());
        assert_eq!(segments.1.load(Relaxed), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        /// In every mixture of pieces, and wherever memory ends.
        #[test]
        fn all_that_was_put_is_there(
            pieces in vec(prop_oneof![0..100usize, 0..3 * LARGE], 0..20),
            most in prop_oneof![Just(usize::MAX), 0..8 * LARGE],
        ) {
            let (mut out, _) = encoder(most);
            let mut expected = Vec::new();
            for (at, len) in (1u32..).zip(pieces) {
                let piece = vec![at.to_le_bytes()[0]; len];
                out.put(&piece).unwrap();
                expected.extend(piece);
                prop_assert_eq!(out.len(), expected.len());
            }
            let payload = out.into_payload();
            prop_assert_eq!(payload.len(), expected.len());
            if most == usize::MAX && expected.len() > LARGE {
                prop_assert!(payload.stored().is_some());
            }
            prop_assert!(bytes(&payload) == expected);
        }

        #[test]
        fn values_come_back_through_a_segment(
            numbers in vec(any::<u64>(), 0..3 * LARGE / 8),
            texts in vec(".{0,50}", 0..2000),
            name in ".{0,10}",
        ) {
            let lanes = (Lane::<Vec<u64>>::plain_slice(), Lane::cbor(), Lane::<String>::raw());
            let (mut out, _) = encoder(usize::MAX);
            lanes.0.encode(&numbers, &mut out).unwrap();
            lanes.1.encode(&texts, &mut out).unwrap();
            lanes.2.encode(&name, &mut out).unwrap();
            lanes.0.encode(&numbers, &mut out).unwrap();
            let mut payload = out.into_payload();
            let is_stored = payload.stored().is_some();
            let value = payload.take_value();
            let mut input = value.decoder();
            prop_assert_eq!(&lanes.0.decode(&mut input).unwrap(), &numbers);
            prop_assert_eq!(&lanes.1.decode(&mut input).unwrap(), &texts);
            prop_assert_eq!(&lanes.2.decode(&mut input).unwrap(), &name);
            prop_assert_eq!(&lanes.0.decode(&mut input).unwrap(), &numbers);
            prop_assert!(u8::take(&mut input).is_err(), "stored: {}", is_stored);
        }
    }

    /// LINK-2: nothing is taken for what is only claimed.
    #[test]
    fn lengths_that_make_no_sense_are_errors() {
        let (mut out, _) = encoder(usize::MAX);
        out.put_len(usize::MAX / 8).unwrap();
        out.put(&vec![1; LARGE]).unwrap();
        let mut payload = out.into_payload();
        assert!(payload.stored().is_some());
        let value = payload.take_value();
        let numbers = Lane::<Vec<u64>>::plain_slice();
        assert!(numbers.decode(&mut value.decoder()).is_err());
        assert!(Lane::<String>::raw().decode(&mut value.decoder()).is_err());
        assert!(
            Lane::<Vec<String>>::cbor()
                .decode(&mut value.decoder())
                .is_err()
        );
        let mut input = value.decoder();
        assert!(input.take(1).is_err(), "nothing is read in place");
        let mut bare = Decoder::new(&[1, 2]);
        assert_eq!(bare.take(1).unwrap(), [1]);
    }
}
