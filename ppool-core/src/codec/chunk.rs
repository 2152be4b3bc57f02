//! Several calls of one task in one payload.
//!
//! A payload of one call is its arguments. A payload of more has the length of the arguments (u64)
//! before those of each call, so that a call whose arguments can't be decoded doesn't take its
//! neighbours along, and what is left of a chunk can be sent again.

use std::sync::Arc;

use super::{Decoder, Encoder, Payload, segment::Segments};

/// Bytes of the length before each call.
const LENGTH: usize = size_of::<u64>();

/// Collects the arguments of calls.
#[derive(Debug)]
pub struct ChunkWriter {
    encoder: Encoder,
    count: u32,
    /// Whether there may be more than one call.
    lengths: bool,
}

impl ChunkWriter {
    /// A payload without calls. One that is for more than one writes their lengths.
    #[must_use]
    pub fn new(for_more_than_one: bool) -> Self {
        ChunkWriter {
            encoder: Encoder::new(),
            count: 0,
            lengths: for_more_than_one,
        }
    }

    /// The same, where one for a single call may go to a segment.
    #[must_use]
    pub fn with_segments(for_more_than_one: bool, source: Option<Arc<dyn Segments>>) -> Self {
        // What is left of a chunk can be sent again, for which it has to be at hand.
        let source = source.filter(|_| !for_more_than_one);
        ChunkWriter {
            encoder: Encoder::with_segments(source),
            ..ChunkWriter::new(for_more_than_one)
        }
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
        let mark = self.encoder.mark();
        let start = self.encoder.len();
        if self.lengths {
            // Filled in below; a length always fits where the arguments after it do.
            let _ = self.encoder.put_len(0);
        }
        self.encoder.begin_item();
        let encoded = encode(&mut self.encoder);
        match &encoded {
            Ok(()) => {
                if self.lengths {
                    self.encoder.patch_len(start);
                }
                self.count += 1;
            }
            Err(_) => self.encoder.go_back(mark),
        }
        encoded
    }

    /// The payload. One call alone goes without its length.
    #[must_use]
    pub fn into_payload(self) -> Payload {
        let mut payload = self.encoder.into_payload();
        if self.lengths && self.count == 1 {
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
}

impl<'a> ChunkReader<'a> {
    /// The calls of `payload`.
    #[inline]
    #[must_use]
    pub fn new(payload: &'a [u8]) -> Self {
        ChunkReader {
            input: Decoder::new(payload),
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
        let len = self.input.take_len().ok()?;
        self.input.take(len).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(calls: &[&[u8]]) -> Vec<u8> {
        let mut writer = ChunkWriter::new(true);
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
        let bytes = chunk(&[b"a", b"", b"bcd"]);
        let calls: Vec<_> = ChunkReader::new(&bytes).collect();
        assert_eq!(calls, [&b"a"[..], b"", b"bcd"]);
        assert_eq!(chunk(&[b"alone"]), b"alone");
    }

    #[test]
    fn lengths_that_make_no_sense_end_the_calls() {
        let mut bytes = chunk(&[b"a", b"b"]);
        bytes.truncate(bytes.len() - 1);
        assert_eq!(ChunkReader::new(&bytes).count(), 1);
        assert_eq!(ChunkReader::new(&[255; 20]).count(), 0);
    }
}
