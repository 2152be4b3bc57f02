//! Several encoded results of one task in one buffer.

/// Results one after the other, each found by its length, so that one that can't be decoded doesn't
/// take its neighbours along.
#[derive(Clone, Debug, Default)]
pub struct Values {
    bytes: Vec<u8>,
    count: u32,
    lengths: Lengths,
    /// How many were taken, and where the next one begins.
    taken: u32,
    position: usize,
}

/// How long the results are.
#[derive(Clone, Debug)]
enum Lengths {
    /// All alike: the usual case, which needs no memory of its own.
    Same(usize),
    /// One by one.
    Each(Vec<usize>),
}

impl Default for Lengths {
    fn default() -> Self {
        Lengths::Same(0)
    }
}

impl From<Vec<u8>> for Values {
    /// One result.
    fn from(bytes: Vec<u8>) -> Self {
        Values {
            count: 1,
            lengths: Lengths::Same(bytes.len()),
            bytes,
            ..Values::default()
        }
    }
}

impl Values {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Appends a result.
    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.lengths {
            Lengths::Same(len) if self.count == 0 => *len = bytes.len(),
            Lengths::Same(len) if *len == bytes.len() => {}
            Lengths::Same(len) => {
                let mut each = vec![*len; self.count as usize];
                each.push(bytes.len());
                self.lengths = Lengths::Each(each);
            }
            Lengths::Each(each) => each.push(bytes.len()),
        }
        self.count += 1;
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the next result.
    #[inline]
    pub fn take(&mut self) -> Option<&[u8]> {
        if self.taken == self.count {
            return None;
        }
        let len = match &self.lengths {
            Lengths::Same(len) => *len,
            Lengths::Each(each) => each[self.taken as usize],
        };
        let start = self.position;
        self.position += len;
        self.taken += 1;
        Some(&self.bytes[start..self.position])
    }

    /// The bytes of the only result.
    #[must_use]
    pub fn into_single(self) -> Vec<u8> {
        debug_assert_eq!(self.count, 1, "the caller knows that there is one");
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_out_as_they_went_in_whatever_their_lengths() {
        for lengths in [&[3, 3, 3][..], &[0, 0], &[1, 2, 2, 0, 7], &[5]] {
            let mut values = Values::default();
            for &len in lengths {
                values.push(&vec![u8::try_from(len).unwrap(); len]);
            }
            assert_eq!(values.count() as usize, lengths.len());
            for &len in lengths {
                assert_eq!(
                    values.take().unwrap(),
                    vec![u8::try_from(len).unwrap(); len]
                );
            }
            assert!(values.take().is_none());
        }
        assert_eq!(Values::from(vec![1, 2]).into_single(), [1, 2]);
    }
}
