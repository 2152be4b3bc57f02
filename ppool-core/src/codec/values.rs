//! Encoded results of one task, one or several in one buffer.

use super::ChunkReader;

/// Results one after the other, each found by its length, so that one that can't be decoded doesn't
/// take its neighbours along.
#[derive(Clone, Debug, Default)]
pub struct Values {
    bytes: Vec<u8>,
    count: u32,
    /// Whether each has its length before it, as the calls of a chunk have.
    lengths: bool,
    /// How many were taken, and where the next one begins.
    taken: u32,
    position: usize,
}

impl Values {
    /// One result.
    #[must_use]
    pub fn one(bytes: Vec<u8>) -> Self {
        Values {
            bytes,
            count: 1,
            ..Values::default()
        }
    }

    /// Several results in the form of a chunk. Bytes that are none give empty results, which don't
    /// decode (LINK-2).
    #[must_use]
    pub fn chunk(bytes: Vec<u8>, count: u32) -> Self {
        Values {
            bytes,
            count,
            lengths: true,
            ..Values::default()
        }
    }

    /// How many there are, taken or not.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Takes the next result.
    #[inline]
    pub fn take(&mut self) -> Option<&[u8]> {
        if self.taken == self.count {
            return None;
        }
        self.taken += 1;
        if !self.lengths {
            return Some(&self.bytes);
        }
        let mut chunk = ChunkReader::new(&self.bytes[self.position..]);
        let value = chunk.next().unwrap_or_default();
        self.position = self.bytes.len() - chunk.rest().len();
        Some(value)
    }

    /// Takes the first result out, leaving the others as they are to be told.
    pub fn split_first(&mut self) {
        self.take();
        self.bytes.drain(..self.position);
        self.position = 0;
        self.count -= self.taken;
        self.taken = 0;
    }

    /// The bytes of the only result.
    #[must_use]
    pub fn into_single(mut self) -> Vec<u8> {
        debug_assert_eq!(self.count, 1, "the caller knows that there is one");
        match self.lengths {
            true => self.take().unwrap_or_default().to_vec(),
            false => self.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::ChunkWriter;

    fn chunk(results: &[&[u8]]) -> Values {
        let mut writer = ChunkWriter::new(true);
        for result in results {
            writer.write(|out| out.put(result)).unwrap();
        }
        // `ChunkWriter` leaves the length of a single one out.
        assert!(results.len() > 1);
        Values::chunk(writer.into_bytes(), u32::try_from(results.len()).unwrap())
    }

    #[test]
    fn results_come_out_as_they_went_in() {
        let results = [&b"a"[..], b"", b"bcd"];
        let mut values = chunk(&results);
        for result in results {
            assert_eq!(values.take(), Some(result));
        }
        assert!(values.take().is_none());
        assert_eq!(Values::one(vec![1, 2]).into_single(), [1, 2]);
    }

    #[test]
    fn the_first_can_be_split_off() {
        let mut values = chunk(&[b"first", b"second", b"third"]);
        values.split_first();
        assert_eq!(values.count(), 2);
        assert_eq!(values.take(), Some(&b"second"[..]));
        assert_eq!(values.take(), Some(&b"third"[..]));
    }

    #[test]
    fn results_that_are_cut_short_are_empty() {
        let mut values = Values::chunk(vec![255; 9], 2);
        assert_eq!(values.take(), Some(&[][..]));
        assert_eq!(values.take(), Some(&[][..]));
        assert!(values.take().is_none());
    }
}
