//! Where encoded bytes are read from.

use super::{CodecError, attach::Attached};

/// Reads the bytes of one payload, front to back. Whatever it reads is checked as if hostile
/// (LINK-2).
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    position: usize,
    item_start: usize,
    /// What came beside the bytes.
    attached: Option<&'a Attached>,
}

impl<'a> Decoder<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Decoder {
            bytes,
            position: 0,
            item_start: 0,
            attached: None,
        }
    }

    /// The same, where values may take descriptors that came with the bytes.
    #[must_use]
    pub fn with_attached(mut self, attached: &'a Attached) -> Self {
        self.attached = Some(attached);
        self
    }

    /// The descriptors that came with the bytes.
    pub(super) fn attached(&self) -> Option<&'a Attached> {
        self.attached
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// How many bytes have been read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Says that the next item of the payload begins here.
    pub fn begin_item(&mut self) {
        self.item_start = self.position;
    }

    /// Takes the next `len` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let rest = self.rest();
        match rest.get(..len) {
            Some(taken) => {
                self.position += len;
                Ok(taken)
            }
            None => Err(too_short(len, rest.len())),
        }
    }

    /// Takes the next `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let rest = self.rest();
        match rest.first_chunk::<N>() {
            Some(taken) => {
                self.position += N;
                Ok(*taken)
            }
            None => Err(too_short(N, rest.len())),
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
            over => self.take(align - over).map(drop),
        }
    }
}

#[cold]
fn too_short(wanted: usize, left: usize) -> CodecError {
    CodecError::new(format!(
        "the payload is cut short: {wanted} more bytes expected, {left} left"
    ))
}
