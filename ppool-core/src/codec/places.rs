//! Where results of one length are written one after the other, under the eyes of another process.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release},
};

/// Memory for results that take as many bytes each, and the word that tells another process how many of
/// them are there: one that is noted is not lost with this process.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    words: &'a [AtomicU64],
    /// Where the next one begins, in bytes.
    at: usize,
    each: usize,
    note: &'a AtomicU64,
    /// What the note says.
    noted: u64,
    /// What it says more with each.
    step: u64,
}

impl<'a> Places<'a> {
    /// Places in `words`, from the byte `at` on. To note a result, `step` is added to `noted` and
    /// stored in `note`.
    #[inline]
    #[must_use]
    pub fn new(
        words: &'a [AtomicU64],
        at: usize,
        each: usize,
        note: &'a AtomicU64,
        (noted, step): (u64, u64),
    ) -> Self {
        Places {
            words,
            at,
            each,
            note,
            noted,
            step,
        }
    }

    /// How many results there is room for.
    #[inline]
    #[must_use]
    pub fn room(&self) -> u32 {
        let room = (self.words.len() * 8 - self.at).checked_div(self.each);
        room.map_or(u32::MAX, |room| u32::try_from(room).unwrap_or(u32::MAX))
    }

    /// Writes the next result, and notes it.
    ///
    /// # Panics
    /// When it has another length than all have, or there is no room for it.
    #[inline]
    pub fn put(&mut self, value: &[u8]) {
        assert_eq!(value.len(), self.each, "results of one length");
        if self.at.is_multiple_of(8)
            && let Ok(word) = <[u8; 8]>::try_from(value)
        {
            self.words[self.at / 8].store(u64::from_ne_bytes(word), Relaxed);
        } else {
            self.put_pieces(value);
        }
        self.at += value.len();
        self.noted += self.step;
        // Release: who reads the note sees the result.
        self.note.store(self.noted, Release);
    }

    /// Writes what shares its words with others, or has several.
    #[inline(never)]
    fn put_pieces(&self, mut value: &[u8]) {
        let mut at = self.at;
        while !value.is_empty() {
            let within = at % 8;
            let (piece, rest) = value.split_at(value.len().min(8 - within));
            let word = &self.words[at / 8];
            // Nobody else writes here.
            let mut bytes = word.load(Relaxed).to_ne_bytes();
            bytes[within..within + piece.len()].copy_from_slice(piece);
            word.store(u64::from_ne_bytes(bytes), Relaxed);
            at += piece.len();
            value = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Acquire;

    use super::*;

    fn written(words: &[AtomicU64]) -> Vec<u8> {
        let words = words.iter().map(|word| word.load(Relaxed));
        words.flat_map(u64::to_ne_bytes).collect()
    }

    #[test]
    fn results_of_any_length_lie_one_after_the_other_and_are_noted() {
        for each in [1, 2, 3, 4, 7, 8, 12, 16] {
            for start in [0, 4, 8] {
                let words: Vec<_> = (0..6).map(|_| AtomicU64::new(u64::MAX)).collect();
                let note = AtomicU64::new(7);
                let mut places = Places::new(&words, start, each, &note, (7, 100));
                let room = places.room();
                assert_eq!(room as usize, (48 - start) / each);
                let mut expected = vec![255; 48];
                for count in 0..u8::try_from(room).unwrap() {
                    let value: Vec<u8> = (0..)
                        .take(each)
                        .map(|n: u8| n.wrapping_add(count * 5))
                        .collect();
                    places.put(&value);
                    let at = start + usize::from(count) * each;
                    expected[at..at + each].copy_from_slice(&value);
                    assert_eq!(written(&words), expected, "{each} from {start}");
                    assert_eq!(note.load(Acquire), 7 + 100 * (u64::from(count) + 1));
                }
            }
        }
    }

    #[test]
    fn results_of_no_bytes_are_noted_too() {
        let note = AtomicU64::new(0);
        let mut places = Places::new(&[], 0, 0, &note, (0, 3));
        assert_eq!(places.room(), u32::MAX);
        places.put(&[]);
        places.put(&[]);
        assert_eq!(note.load(Acquire), 6);
    }

    #[test]
    #[should_panic(expected = "results of one length")]
    fn a_result_of_another_length_is_refused() {
        let words = [AtomicU64::new(0)];
        let note = AtomicU64::new(0);
        Places::new(&words, 0, 4, &note, (0, 1)).put(&[1; 8]);
    }
}
