//! Several calls of one task in one payload.
//!
//! A payload of one call is its arguments. Those of a payload of more can be told apart ([`Spacing`])
//! without decoding them, so that a call whose arguments can't be decoded doesn't take its neighbours
//! along, and what is left of a chunk can be sent again.

use std::sync::Arc;

use super::{Decoder, Encoder, Payload, segment::Segments};

/// Bytes of the length before each call.
const LENGTH: usize = size_of::<u64>();

/// How the calls of a payload of more than one, or their results, are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spacing {
    /// Each has its length (u64) before it.
    Lengths,
    /// Each takes so many bytes.
    Each(usize),
}

impl Spacing {
    /// That of values which take so many bytes each, if all take as many.
    #[inline]
    #[must_use]
    pub fn of(len: Option<usize>) -> Self {
        len.map_or(Spacing::Lengths, Spacing::Each)
    }
}

/// Collects the arguments of calls.
#[derive(Debug)]
pub struct ChunkWriter {
    encoder: Encoder,
    count: u32,
    /// There when there may be more than one call.
    spacing: Option<Spacing>,
}

impl ChunkWriter {
    /// A payload without calls: for one, or for more, which are told apart so.
    #[must_use]
    pub fn new(spacing: Option<Spacing>) -> Self {
        ChunkWriter {
            encoder: Encoder::new(),
            count: 0,
            spacing,
        }
    }

    /// The same, where one for a single call may go to a segment.
    #[must_use]
    pub fn with_segments(spacing: Option<Spacing>, source: Option<Arc<dyn Segments>>) -> Self {
        // What is left of a chunk can be sent again, for which it has to be at hand.
        let source = source.filter(|_| spacing.is_none());
        ChunkWriter {
            encoder: Encoder::with_segments(source),
            ..ChunkWriter::new(spacing)
        }
    }

    fn has_lengths(&self) -> bool {
        self.spacing == Some(Spacing::Lengths)
    }

    /// How many calls were written.
    #[inline]
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How many bytes they take.
    #[inline]
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.encoder.len()
    }

    /// Writes the arguments of one call with `encode`; when that fails, they are taken back.
    ///
    /// # Errors
    /// What `encode` says.
    #[inline]
    pub fn write<E>(
        &mut self,
        encode: impl FnOnce(&mut Encoder) -> Result<(), E>,
    ) -> Result<(), E> {
        let has_lengths = self.has_lengths();
        self.write_even(|encoder| {
            let start = encoder.len();
            if has_lengths {
                // Filled in below; a length always fits where the arguments after it do.
                let _ = encoder.put_len(0);
            }
            encoder.begin_item();
            encode(encoder)?;
            if has_lengths {
                encoder.patch_len(start);
            }
            Ok(())
        })
    }

    /// The same for calls of the same length, which are told apart by that.
    ///
    /// # Errors
    /// What `encode` says.
    #[inline]
    pub fn write_even<E>(
        &mut self,
        encode: impl FnOnce(&mut Encoder) -> Result<(), E>,
    ) -> Result<(), E> {
        let mark = self.encoder.mark();
        let encoded = encode(&mut self.encoder);
        match &encoded {
            Ok(()) => self.count += 1,
            Err(_) => self.encoder.go_back(mark),
        }
        encoded
    }

    /// Makes room for so many more bytes.
    pub fn reserve(&mut self, bytes: usize) {
        self.encoder.reserve(bytes);
    }

    /// The index of the parameter whose argument was begun last.
    #[must_use]
    pub fn parameter(&self) -> usize {
        self.encoder.parameter()
    }

    /// The payload. One call alone goes without its length.
    #[must_use]
    pub fn into_payload(self) -> Payload {
        let skips = self.has_lengths() && self.count == 1;
        let mut payload = self.encoder.into_payload();
        if skips {
            payload.skip(LENGTH);
        }
        payload
    }
}

/// Goes through the calls of a payload of more than one. Lengths are checked as if hostile
/// (LINK-2): where one makes no sense, the calls end.
#[derive(Debug, Clone)]
pub struct ChunkReader<'a> {
    input: Decoder<'a>,
    spacing: Spacing,
}

impl<'a> ChunkReader<'a> {
    /// The calls of `payload`. (How many they are is known beside it: those of no bytes never end.)
    #[inline]
    #[must_use]
    pub fn new(payload: &'a [u8], spacing: Spacing) -> Self {
        ChunkReader {
            input: Decoder::new(payload),
            spacing,
        }
    }

    /// Skips so many calls of one length.
    pub fn skip_even(&mut self, count: u32) {
        if let Spacing::Each(len) = self.spacing {
            let len = len.saturating_mul(count as usize).min(self.input.left());
            // Not more than is there.
            let _ = self.input.skip(len);
        }
    }

    /// What has not been read yet.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.input.rest()
    }
}

impl<'a> Iterator for ChunkReader<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let len = match self.spacing {
            Spacing::Lengths => self.input.take_len().ok()?,
            Spacing::Each(len) => len,
        };
        self.input.take(len).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(spacing: Spacing, calls: &[&[u8]]) -> Vec<u8> {
        let mut writer = ChunkWriter::new(Some(spacing));
        for call in calls {
            writer.write(|out| out.put(call)).unwrap();
        }
        let failed: Result<(), &str> = writer.write(|out| {
            out.put(b"half").unwrap();
            Err("no")
        });
        assert!(failed.is_err());
        assert_eq!(writer.count() as usize, calls.len());
        writer.into_payload().bytes().to_vec()
    }

    #[test]
    fn calls_come_out_as_they_went_in_and_failed_ones_leave_nothing() {
        let bytes = chunk(Spacing::Lengths, &[b"a", b"", b"bcd"]);
        let calls: Vec<_> = ChunkReader::new(&bytes, Spacing::Lengths).collect();
        assert_eq!(calls, [&b"a"[..], b"", b"bcd"]);
        assert_eq!(chunk(Spacing::Lengths, &[b"alone"]), b"alone");
    }

    #[test]
    fn calls_of_one_length_go_without_it() {
        let spacing = Spacing::Each(2);
        let bytes = chunk(spacing, &[b"ab", b"cd", b"ef"]);
        assert_eq!(bytes, b"abcdef");
        let calls: Vec<_> = ChunkReader::new(&bytes[..5], spacing).collect();
        assert_eq!(calls, [b"ab", b"cd"]);
        assert_eq!(chunk(spacing, &[b"al"]), b"al");
        let nothing = ChunkReader::new(b"", Spacing::Each(0));
        assert_eq!(nothing.take(3).count(), 3);
    }

    #[test]
    fn lengths_that_make_no_sense_end_the_calls() {
        let mut bytes = chunk(Spacing::Lengths, &[b"a", b"b"]);
        bytes.truncate(bytes.len() - 1);
        assert_eq!(ChunkReader::new(&bytes, Spacing::Lengths).count(), 1);
        assert_eq!(ChunkReader::new(&[255; 20], Spacing::Lengths).count(), 0);
    }
}
