//! Encoded results of one task, one or several in one buffer.

use super::{ChunkReader, Payload, Spacing, Value};

/// Results one after the other, told apart without decoding them, so that one that can't be decoded
/// doesn't take its neighbours along.
#[derive(Debug, Default)]
pub struct Values {
    /// Descriptors are with it only if it is one result.
    payload: Payload,
    count: u32,
    /// There when they have the form of a chunk, as calls have.
    spacing: Option<Spacing>,
    /// How many were taken, and where the next one begins.
    taken: u32,
    position: usize,
}

impl Values {
    /// One result.
    #[must_use]
    pub fn one(payload: Payload) -> Self {
        Values {
            payload,
            count: 1,
            ..Values::default()
        }
    }

    /// Several results in the form of a chunk. Bytes that are none give empty results, which don't
    /// decode (LINK-2).
    #[must_use]
    pub fn chunk(bytes: Vec<u8>, count: u32, spacing: Spacing) -> Self {
        Values {
            payload: bytes.into(),
            count,
            spacing: Some(spacing),
            ..Values::default()
        }
    }

    /// How many there are, taken or not.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How many were not taken yet.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.count - self.taken
    }

    /// Takes the next result.
    #[inline]
    pub fn take(&mut self) -> Option<Value<'_>> {
        if self.taken == self.count {
            return None;
        }
        self.taken += 1;
        Some(match self.spacing {
            Some(spacing) => Value::bare(self.next_of_chunk(spacing)),
            None => self.payload.take_value(),
        })
    }

    /// Takes all results that are left, where each takes so many bytes: they follow each other. `None`
    /// where they don't; then [`take`](Values::take) each.
    #[must_use]
    pub fn take_all(&mut self, len: usize) -> Option<&[u8]> {
        let end = self.position + len.checked_mul(self.left() as usize)?;
        let fits = self.spacing == Some(Spacing::Each(len)) && self.payload.bytes().len() == end;
        if !fits {
            return None;
        }
        self.taken = self.count;
        Some(&self.payload.bytes()[std::mem::replace(&mut self.position, end)..])
    }

    #[inline]
    fn next_of_chunk(&mut self, spacing: Spacing) -> &[u8] {
        let bytes = self.payload.bytes();
        let mut chunk = ChunkReader::new(&bytes[self.position..], spacing);
        let value = chunk.next().unwrap_or_default();
        self.position = bytes.len() - chunk.rest().len();
        value
    }

    /// Takes the first result out, leaving the others as they are to be told.
    pub fn split_first(&mut self) {
        if let Some(spacing) = self.spacing {
            self.next_of_chunk(spacing);
            self.payload = self.payload.bytes()[self.position..].to_vec().into();
        }
        self.position = 0;
        self.count -= 1;
    }

    /// The only result.
    #[must_use]
    pub fn into_single(mut self) -> Payload {
        debug_assert_eq!(self.count, 1, "the caller knows that there is one");
        match self.spacing {
            Some(spacing) => self.next_of_chunk(spacing).to_vec().into(),
            None => self.payload,
        }
    }

    /// Copies of all results, for other readers. None was taken yet.
    #[must_use]
    pub fn copies(&self) -> Vec<Payload> {
        match self.spacing {
            Some(spacing) => {
                let mut chunk = ChunkReader::new(self.payload.bytes(), spacing);
                let copy = |_| chunk.next().unwrap_or_default().to_vec().into();
                (0..self.count).map(copy).collect()
            }
            None => (0..self.count).map(|_| self.payload.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::ChunkWriter;

    fn next(values: &mut Values) -> Option<Vec<u8>> {
        values.take().map(|value| value.bytes.to_vec())
    }

    fn chunk(results: &[&[u8]]) -> Values {
        let mut writer = ChunkWriter::new(Some(Spacing::Lengths));
        for result in results {
            writer.write(|out| out.put(result)).unwrap();
        }
        // `ChunkWriter` leaves the length of a single one out.
        assert!(results.len() > 1);
        Values::chunk(
            writer.into_payload().bytes().to_vec(),
            u32::try_from(results.len()).unwrap(),
            Spacing::Lengths,
        )
    }

    #[test]
    fn results_of_one_length_can_be_had_together() {
        let spacing = Spacing::Each(2);
        let mut values = Values::chunk(b"abcdef".to_vec(), 3, spacing);
        assert_eq!(next(&mut values).as_deref(), Some(&b"ab"[..]));
        assert_eq!(values.take_all(3), None);
        assert_eq!(values.take_all(2), Some(&b"cdef"[..]));
        assert!(values.take().is_none());
        // Cut short: one by one, some of them are empty.
        let mut values = Values::chunk(b"abc".to_vec(), 2, spacing);
        assert_eq!(values.take_all(2), None);
        assert_eq!(next(&mut values).as_deref(), Some(&b"ab"[..]));
        assert_eq!(next(&mut values).as_deref(), Some(&[][..]));
        assert_eq!(chunk(&[b"a", b"b"]).take_all(1), None);
    }

    #[test]
    fn results_come_out_as_they_went_in() {
        let results = [&b"a"[..], b"", b"bcd"];
        let mut values = chunk(&results);
        for result in results {
            assert_eq!(next(&mut values).as_deref(), Some(result));
        }
        assert!(values.take().is_none());
        let two = Values::one(vec![1, 2].into());
        assert_eq!(two.copies()[0].bytes(), [1, 2]);
        assert_eq!(two.into_single().bytes(), [1, 2]);
    }

    #[test]
    fn the_first_can_be_split_off() {
        let mut values = chunk(&[b"first", b"second", b"third"]);
        values.split_first();
        assert_eq!(values.count(), 2);
        assert_eq!(next(&mut values).as_deref(), Some(&b"second"[..]));
        assert_eq!(next(&mut values).as_deref(), Some(&b"third"[..]));
    }

    #[test]
    fn results_that_are_cut_short_are_empty() {
        let mut values = Values::chunk(vec![255; 9], 2, Spacing::Lengths);
        assert_eq!(next(&mut values).as_deref(), Some(&[][..]));
        assert_eq!(next(&mut values).as_deref(), Some(&[][..]));
        assert!(values.take().is_none());
    }
}
