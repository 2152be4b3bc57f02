//! Where encoded bytes are written.

use std::{cell::Cell, io, os::fd::OwnedFd, sync::Arc};

use super::{
    CodecError, MAX_PAYLOAD_LEN, Payload, SharedPayload,
    segment::{Front, LARGE, Segments, Stored},
};

/// A buffer with more room than this is not kept.
const KEPT: usize = 4096;

thread_local! {
    /// A buffer for the arguments of the next call, unless they are being encoded.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Collects the bytes of one payload: the arguments of a call, or results.
#[derive(Debug)]
pub struct Encoder {
    /// All of it, or what comes behind the front.
    bytes: Vec<u8>,
    /// The front of a large one.
    front: Option<Box<Front>>,
    /// Where the memory of the front comes from.
    source: Option<Arc<dyn Segments>>,
    /// When there are more bytes than this, they are moved to the front.
    limit: usize,
    /// Where the current item starts; alignment is relative to it.
    item_start: usize,
    /// The parameter whose argument is being encoded, for errors.
    parameter: usize,
    /// What values attached.
    descriptors: Vec<OwnedFd>,
}

impl Default for Encoder {
    fn default() -> Self {
        Encoder {
            bytes: Vec::new(),
            front: None,
            source: None,
            limit: usize::MAX,
            item_start: 0,
            parameter: 0,
            descriptors: Vec::new(),
        }
    }
}

/// A place in a payload that is being written, to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    len: usize,
    descriptors: usize,
}

impl Encoder {
    /// An empty payload.
    #[must_use]
    pub fn new() -> Self {
        Encoder::default()
    }

    /// An empty payload that reuses a buffer.
    #[must_use]
    pub fn reuse(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Encoder {
            bytes,
            ..Encoder::default()
        }
    }

    /// An empty payload, which goes to a segment if it gets large and there is a source of segments.
    #[must_use]
    pub fn with_segments(source: Option<Arc<dyn Segments>>) -> Self {
        Encoder {
            limit: if source.is_some() { LARGE } else { usize::MAX },
            source,
            ..Encoder::default()
        }
    }

    /// The same for the arguments of one call: few bytes are collected in a buffer that the thread keeps.
    #[inline]
    #[must_use]
    pub fn for_call(source: Option<Arc<dyn Segments>>) -> Self {
        Encoder {
            // While the thread ends there is none.
            bytes: BUFFER.try_with(Cell::take).unwrap_or_default(),
            ..Encoder::with_segments(source)
        }
    }

    /// Says that the argument of this parameter comes next.
    #[inline]
    pub fn begin_parameter(&mut self, index: usize) {
        self.parameter = index;
    }

    /// The index of the parameter whose argument was begun last.
    #[must_use]
    pub fn parameter(&self) -> usize {
        self.parameter
    }

    /// How many bytes there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.front_len() + self.bytes.len()
    }

    #[inline]
    fn front_len(&self) -> usize {
        self.front.as_ref().map_or(0, |front| front.len())
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was written, if it is not in a segment; else the end of it.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All that was written, and the descriptors that values attached.
    #[must_use]
    pub fn into_payload(mut self) -> Payload {
        match self.take_stored() {
            Some(stored) => Payload::stored_with(stored, self.descriptors.into()),
            None => Payload::with_descriptors(self.bytes, self.descriptors),
        }
    }

    /// The same, to be shared.
    #[inline]
    #[must_use]
    pub fn into_shared(mut self) -> SharedPayload {
        let few = match self.front {
            None if self.descriptors.is_empty() => SharedPayload::of_few(&self.bytes),
            _ => None,
        };
        match few {
            Some(few) => {
                let mut buffer = std::mem::take(&mut self.bytes);
                buffer.clear();
                if buffer.capacity() <= KEPT {
                    let _ = BUFFER.try_with(|kept| kept.set(buffer));
                }
                few
            }
            None => self.into_payload().into(),
        }
    }

    /// The segment that all was written to, if it was: then nothing is left here.
    #[must_use]
    pub fn take_stored(&mut self) -> Option<Stored> {
        self.front.take()?.finish(&mut self.bytes)
    }

    /// The bytes that were written to the heap. Descriptors, which nobody could take without
    /// [`into_payload`](Encoder::into_payload), are closed.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The descriptors that values attached. They are left out of the payload.
    #[must_use]
    pub fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.descriptors)
    }

    /// Whether values attached descriptors.
    #[inline]
    #[must_use]
    pub fn has_descriptors(&self) -> bool {
        !self.descriptors.is_empty()
    }

    /// The descriptors that belong to what was written.
    pub(crate) fn set_descriptors(&mut self, descriptors: Vec<OwnedFd>) {
        self.descriptors = descriptors;
    }

    /// Starts again with the same buffer, without one that is larger than `keep`.
    #[inline]
    pub fn clear(&mut self, keep: usize) {
        self.bytes.clear();
        if self.bytes.capacity() > keep {
            self.bytes = Vec::new();
        }
        self.front = None;
        self.limit = if self.source.is_some() {
            LARGE
        } else {
            usize::MAX
        };
        self.descriptors.clear();
        self.item_start = 0;
        self.parameter = 0;
    }

    /// Forgets bytes that are nothing but that: neither in a segment, nor with descriptors.
    #[inline]
    pub(crate) fn restart(&mut self) {
        debug_assert!(self.front.is_none() && self.descriptors.is_empty());
        self.bytes.clear();
    }

    /// Makes room for so many more bytes, unless they are more than there is memory for.
    pub(super) fn reserve(&mut self, bytes: usize) {
        // Without it there is an error when they come.
        let _ = self.bytes.try_reserve(bytes);
    }

    /// Begins the next item of the payload here.
    #[inline]
    pub fn begin_item(&mut self) {
        self.item_start = self.len();
    }

    /// Where the payload ends now.
    #[inline]
    pub(super) fn mark(&self) -> Mark {
        Mark {
            len: self.bytes.len(),
            descriptors: self.descriptors.len(),
        }
    }

    /// Takes back everything after `mark`: a half-written item.
    #[inline]
    pub(super) fn go_back(&mut self, mark: Mark) {
        if self.front.take().is_some() {
            debug_assert_eq!(mark.len, 0, "segments have one item");
            self.bytes.clear();
        }
        self.bytes.truncate(mark.len);
        self.descriptors.truncate(mark.descriptors);
    }

    /// Appends bytes as they are.
    ///
    /// # Errors
    /// When the payload would be longer than [`MAX_PAYLOAD_LEN`].
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        let len = self.bytes.len().saturating_add(bytes.len());
        if len > self.limit {
            return self.put_to_front(bytes);
        }
        if len as u64 > MAX_PAYLOAD_LEN {
            return Err(too_large());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    #[cold]
    fn put_to_front(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        if (self.len() as u64).saturating_add(bytes.len() as u64) > MAX_PAYLOAD_LEN {
            return Err(too_large());
        }
        let Some(source) = &self.source else {
            return Ok(());
        };
        let front = self
            .front
            .get_or_insert_with(|| Box::new(Front::new(Arc::clone(source))));
        if !front.append(&mut self.bytes, bytes) {
            // There is no more memory of that kind: all of it is on the heap now.
            self.front = None;
            self.limit = usize::MAX;
        }
        Ok(())
    }

    /// Appends a length.
    ///
    /// # Errors
    /// As [`Encoder::put`].
    #[inline]
    pub fn put_len(&mut self, len: usize) -> Result<(), CodecError> {
        self.put(&(len as u64).to_le_bytes())
    }

    /// Replaces the length that was put at `at` by how many bytes have come after it.
    #[inline]
    pub(super) fn patch_len(&mut self, at: usize) {
        let start = at + size_of::<u64>();
        let len = (self.bytes.len() - start) as u64;
        self.bytes[at..start].copy_from_slice(&len.to_le_bytes());
    }

    /// Pads with zeros until the position in the item is a multiple of `align`.
    ///
    /// # Errors
    /// As [`Encoder::put`].
    pub fn align(&mut self, align: usize) -> Result<(), CodecError> {
        const ZEROS: [u8; 64] = [0; 64];
        let over = (self.len() - self.item_start) % align;
        match over {
            0 => Ok(()),
            _ => self.put(&ZEROS[..(align - over).min(64)]),
        }
    }
}

#[cold]
fn too_large() -> CodecError {
    CodecError::new(format!(
        "the encoded value is too large: a payload may take {MAX_PAYLOAD_LEN} bytes"
    ))
}

impl io::Write for Encoder {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
