//! The last that a worker wrote to its standard error.

use std::collections::VecDeque;

/// How much of it is kept.
const KEEP: usize = 4 << 10;

/// The end of a text that may be of any length.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: VecDeque<u8>,
    /// Whether something was left out before.
    is_cut: bool,
}

impl Tail {
    /// A line of the text.
    pub(crate) fn push_line(&mut self, line: &[u8]) {
        let line = &line[line.len().saturating_sub(KEEP)..];
        self.bytes.extend(line);
        self.bytes.push_back(b'\n');
        if self.bytes.len() > KEEP {
            self.is_cut = true;
            self.bytes.drain(..self.bytes.len() - KEEP);
        }
    }

    /// The last lines, whole ones if there is any; `None` when there was no text.
    pub(crate) fn into_text(self) -> Option<String> {
        let bytes = Vec::from(self.bytes);
        let whole = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) if self.is_cut && end + 1 < bytes.len() => &bytes[end + 1..],
            _ => &bytes[..],
        };
        (!whole.is_empty()).then(|| String::from_utf8_lossy(whole).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let mut tail = Tail::default();
        for line in lines {
            tail.push_line(line.as_bytes());
        }
        tail.into_text()
    }

    #[test]
    fn a_short_text_is_kept_whole() {
        assert_eq!(tail_of([]), None);
        assert_eq!(tail_of(["a", "b"]).unwrap(), "a\nb\n");
    }

    #[test]
    fn the_last_lines_of_a_long_one_are_kept_and_are_whole() {
        let lines: Vec<_> = (0..10_000).map(|n| format!("line {n}")).collect();
        let tail = tail_of(lines.iter().map(String::as_str)).unwrap();
        assert!(tail.len() <= KEEP && tail.len() > KEEP / 2);
        assert!(tail.starts_with("line ") && tail.ends_with("\nline 9999\n"));
        let long = "x".repeat(3 * KEEP);
        assert_eq!(tail_of([&*long]).unwrap().trim_end().len(), KEEP - 1);
    }
}
