//! Where encoded bytes are read from.

use std::io::{self, Read};

use super::{
    CodecError, Plain,
    attach::Attached,
    segment::{LARGE, Stored},
};

/// Reads the bytes of one payload, front to back. Whatever it reads is checked as if hostile
/// (LINK-2).
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    source: Source<'a>,
    position: usize,
    item_start: usize,
    /// What came beside the bytes.
    attached: Option<&'a Attached>,
    /// What is done with new memory before it is filled.
    prepare: Option<fn(&mut [u8])>,
}

/// Where the bytes are.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Here(&'a [u8]),
    /// In a segment, where nothing can be read in place.
    Stored(&'a Stored),
}

impl<'a> Decoder<'a> {
    /// Reads from the start of `bytes`.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Decoder::from_source(Source::Here(bytes))
    }

    /// Reads what lies in a segment, by copying.
    #[must_use]
    pub fn stored(stored: &'a Stored) -> Self {
        Decoder::from_source(Source::Stored(stored))
    }

    #[inline]
    fn from_source(source: Source<'a>) -> Self {
        Decoder {
            source,
            position: 0,
            item_start: 0,
            attached: None,
            prepare: None,
        }
    }

    /// The same, where values may take descriptors that came with the bytes.
    #[inline]
    #[must_use]
    pub fn with_attached(mut self, attached: &'a Attached) -> Self {
        self.attached = Some(attached);
        self
    }

    /// The same, where memory that values are copied to is prepared by `prepare` first. (This room makes
    /// no system call itself.)
    #[inline]
    #[must_use]
    pub fn preparing(mut self, prepare: fn(&mut [u8])) -> Self {
        self.prepare = Some(prepare);
        self
    }

    /// The descriptors that came with the bytes.
    pub(super) fn attached(&self) -> Option<&'a Attached> {
        self.attached
    }

    /// What has not been read yet, in place: nothing of a segment.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        match self.source {
            Source::Here(bytes) => &bytes[self.position..],
            Source::Stored(_) => &[],
        }
    }

    /// How many bytes have not been read yet.
    #[must_use]
    pub fn left(&self) -> usize {
        match self.source {
            Source::Here(bytes) => bytes.len() - self.position,
            Source::Stored(stored) => stored.len() - self.position,
        }
    }

    /// How many bytes have been read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Says that the next item of the payload begins here.
    #[inline]
    pub fn begin_item(&mut self) {
        self.item_start = self.position;
    }

    /// Takes the next `len` bytes, in place.
    ///
    /// # Errors
    /// When fewer are left, or they lie in a segment.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let rest = self.rest();
        match rest.get(..len) {
            Some(taken) => {
                self.position += len;
                Ok(taken)
            }
            None => Err(too_short(len, self.left())),
        }
    }

    /// Takes the next `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        if let Source::Here(_) = self.source
            && let Some(taken) = self.rest().first_chunk::<N>()
        {
            self.position += N;
            return Ok(*taken);
        }
        let mut taken = [0; N];
        self.take_into(&mut taken)?;
        Ok(taken)
    }

    /// Takes as many bytes as `into` has, by copying them.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take_into(&mut self, into: &mut [u8]) -> Result<(), CodecError> {
        if into.len() > self.left() {
            return Err(too_short(into.len(), self.left()));
        }
        match self.source {
            Source::Here(bytes) => {
                let end = self.position + into.len();
                into.copy_from_slice(&bytes[self.position..end]);
            }
            Source::Stored(stored) => stored
                .segment
                .read(self.position, into)
                .map_err(|error| CodecError::new(format!("the segment can't be read: {error}")))?,
        }
        self.position += into.len();
        Ok(())
    }

    /// Takes the next `count` values of plain data.
    ///
    /// # Errors
    /// When fewer are left, or there is no memory for them.
    pub fn take_plain<T: Plain>(&mut self, count: usize) -> Result<Vec<T>, CodecError> {
        let len = count
            .checked_mul(size_of::<T>())
            .ok_or_else(|| CodecError::new(format!("{count} elements are too many")))?;
        if len > self.left() {
            return Err(too_short(len, self.left()));
        }
        let mut values = bytemuck::allocation::try_zeroed_vec(count)
            .map_err(|()| CodecError::new(format!("there is no memory for {count} elements")))?;
        let bytes = bytemuck::cast_slice_mut(&mut values);
        if let Some(prepare) = self.prepare {
            prepare(bytes);
        }
        self.take_into(bytes)?;
        Ok(values)
    }

    /// Skips the next `len` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn skip(&mut self, len: usize) -> Result<(), CodecError> {
        match len <= self.left() {
            true => {
                self.position += len;
                Ok(())
            }
            false => Err(too_short(len, self.left())),
        }
    }

    /// Reads from here on. [`Decoder::skip`] what was [read](Reader::read_len) afterwards.
    pub(super) fn reader(&self) -> Reader<'a> {
        Reader {
            source: match self.source {
                Source::Here(_) => Source::Here(self.rest()),
                stored @ Source::Stored(_) => stored,
            },
            start: self.position,
            read: 0,
            buffer: Vec::new(),
            used: 0,
        }
    }

    /// Takes a length that [`put_len`](super::Encoder::put_len) wrote.
    ///
    /// # Errors
    /// When it is cut off, or larger than this machine can address.
    #[inline]
    pub fn take_len(&mut self) -> Result<usize, CodecError> {
        let len = u64::from_le_bytes(self.take_array()?);
        usize::try_from(len).map_err(|_| CodecError::new(format!("a length of {len} is too large")))
    }

    /// Skips what [`align`](super::Encoder::align) wrote.
    ///
    /// # Errors
    /// When the payload ends first.
    pub fn align(&mut self, align: usize) -> Result<(), CodecError> {
        match (self.position - self.item_start) % align {
            0 => Ok(()),
            over => self.skip(align - over),
        }
    }
}

/// Reads what a [`Decoder`] has left, for those who know streams only.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// What is left, or the segment as a whole.
    source: Source<'a>,
    /// Where in the segment it began.
    start: usize,
    /// How much was read.
    read: usize,
    /// Read from the segment, in larger pieces than are asked for, and how much of it was given out.
    buffer: Vec<u8>,
    used: usize,
}

impl Reader<'_> {
    /// How many bytes were read.
    pub(super) fn read_len(&self) -> usize {
        self.read
    }

    fn fill(&mut self, stored: &Stored) -> io::Result<()> {
        let at = self.start + self.read;
        self.buffer.resize(LARGE.min(stored.len() - at), 0);
        self.used = 0;
        stored.segment.read(at, &mut self.buffer)
    }
}

impl Read for Reader<'_> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = match &mut self.source {
            Source::Here(rest) => rest.read(into)?,
            Source::Stored(stored) => {
                let stored = *stored;
                if self.used == self.buffer.len() {
                    self.fill(stored)?;
                }
                let mut rest = &self.buffer[self.used..];
                let len = rest.read(into)?;
                self.used += len;
                len
            }
        };
        self.read += len;
        Ok(len)
    }
}

#[cold]
fn too_short(wanted: usize, left: usize) -> CodecError {
    CodecError::new(format!(
        "the payload is cut short: {wanted} more bytes expected, {left} left"
    ))
}
