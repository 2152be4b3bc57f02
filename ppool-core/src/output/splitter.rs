//! From the bytes of one stream to its lines.

use super::mark::CallMark;

/// A line that is longer comes in pieces of this many bytes.
const LONGEST_LINE: usize = 64 << 10;

/// Cuts what a worker writes to one of its streams into lines, each with the call that it belongs to.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    /// What has come of a line, or of a mark, that is not complete.
    rest: Vec<u8>,
    call: Option<CallMark>,
}

impl Splitter {
    /// Takes bytes, however they were torn, and gives the lines that are complete by now.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(Option<CallMark>, &[u8])) {
        let mut buffer = std::mem::take(&mut self.rest);
        buffer.extend_from_slice(bytes);
        let mut rest = buffer.as_slice();
        // Where the search for an end goes on: before it there is none.
        let mut from = 0;
        loop {
            let end = rest[from..]
                .iter()
                .position(|byte| matches!(byte, b'\n' | 0))
                .map(|at| from + at)
                .filter(|end| *end <= LONGEST_LINE);
            let Some(end) = end else {
                if rest.len() <= LONGEST_LINE {
                    break;
                }
                let (piece, after) = rest.split_at(LONGEST_LINE);
                line(self.call, piece);
                (rest, from) = (after, 0);
                continue;
            };
            if rest[end] == b'\n' {
                line(self.call, &rest[..end]);
                (rest, from) = (&rest[end + 1..], 0);
                continue;
            }
            let candidate = &rest[end..];
            let candidate = &candidate[..candidate.len().min(CallMark::LENGTH)];
            if let Some(mark) = CallMark::decode(candidate) {
                if end > 0 {
                    line(self.call, &rest[..end]);
                }
                self.call = Some(mark);
                (rest, from) = (&rest[end + CallMark::LENGTH..], 0);
            } else if CallMark::may_begin_with(candidate) {
                break;
            } else {
                from = end + 1;
            }
        }
        self.rest = rest.to_vec();
    }

    /// No more comes: what has no end is a line too.
    pub(crate) fn finish(&mut self, mut line: impl FnMut(Option<CallMark>, &[u8])) {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            line(self.call, &rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ids::WorkId, output::mark::MAGIC};

    type Lines = Vec<(Option<u64>, String)>;

    fn mark(id: u64) -> CallMark {
        CallMark {
            work_id: WorkId(id),
            task: 7,
        }
    }

    fn lines_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Lines {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        let mut take = |mark: Option<CallMark>, line: &[u8]| {
            let text = String::from_utf8_lossy(line).into_owned();
            lines.push((mark.map(|mark| mark.work_id.0), text));
        };
        for piece in pieces {
            splitter.feed(piece, &mut take);
        }
        splitter.finish(take);
        lines
    }

    fn line(call: Option<u64>, text: &str) -> (Option<u64>, String) {
        (call, text.to_owned())
    }

    #[test]
    fn lines_belong_to_the_call_whose_mark_came_last() {
        let text = [
            &b"early\n"[..],
            &mark(1).encode(),
            b"one\n\nhalf",
            &mark(2).encode(),
            b"a\0b\n",
            &mark(3).encode(),
            &mark(4).encode(),
            b"end",
        ]
        .concat();
        let expected = [
            line(None, "early"),
            line(Some(1), "one"),
            line(Some(1), ""),
            line(Some(1), "half"),
            line(Some(2), "a\0b"),
            line(Some(4), "end"),
        ];
        assert_eq!(lines_of([&text[..]]), expected);
        // However it is torn.
        for length in 1..50 {
            assert_eq!(lines_of(text.chunks(length)), expected, "{length}");
        }
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let text = vec![b'x'; 3 * LONGEST_LINE + 5];
        let lines = lines_of(text.chunks(10_000));
        let lengths: Vec<_> = lines.iter().map(|(_, line)| line.len()).collect();
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE, LONGEST_LINE, 5]);
    }

    #[test]
    fn what_only_looks_like_a_mark_is_text() {
        let text = [&MAGIC[..], b"zzz and more than a mark would be long\n"].concat();
        let lines = lines_of(text.chunks(1));
        assert_eq!(lines.len(), 1);
        assert!(lines[0].1.ends_with("long"));
    }

    #[test]
    fn a_line_that_begins_like_a_mark_is_not_held_back() {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        splitter.feed(&[&MAGIC[..], b"1\n"].concat(), |_, line| {
            lines.push(line.to_vec());
        });
        assert_eq!(lines, [[&MAGIC[..], b"1"].concat()]);
        splitter.finish(|_, line| panic!("{line:?} is left"));
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_and_none_makes_it_panic(
            pieces: Vec<Vec<u8>>, magic in proptest::collection::vec(any::<bool>(), 8)
        ) {
            let mut all = Vec::new();
            for (index, piece) in pieces.iter().enumerate() {
                if *magic.get(index).unwrap_or(&false) {
                    all.extend_from_slice(&MAGIC);
                }
                all.extend_from_slice(piece);
            }
            let expected: Vec<u8> = all.iter().copied().filter(|byte| *byte != b'\n').collect();
            let mut seen = Vec::new();
            let mut splitter = Splitter::default();
            for piece in all.chunks(3) {
                splitter.feed(piece, |_, line| seen.extend_from_slice(line));
            }
            splitter.finish(|_, line| seen.extend_from_slice(line));
            prop_assert_eq!(seen, expected);
        }
    }
}
