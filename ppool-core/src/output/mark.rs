//! The mark in a worker's output that says which call begins.

use crate::ids::WorkId;

/// Which call what follows in a worker's output belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallMark {
    /// The call.
    pub work_id: WorkId,
    /// The key of its task.
    pub task: u64,
}

/// What a mark begins with: nothing that a text has in it, and invisible on a terminal.
pub(super) const MAGIC: [u8; 8] = *b"\0\x1b_ppool";
const END: [u8; 2] = *b"\x1b\\";

impl CallMark {
    /// How long a mark is.
    pub const LENGTH: usize = MAGIC.len() + 2 * DIGITS + END.len();

    /// Its bytes, to be written in one piece.
    #[must_use]
    pub fn encode(self) -> [u8; CallMark::LENGTH] {
        let mut bytes = [0; CallMark::LENGTH];
        let (magic, rest) = bytes.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        let (work_id, rest) = rest.split_at_mut(DIGITS);
        write_hex(self.work_id.0, work_id);
        let (task, end) = rest.split_at_mut(DIGITS);
        write_hex(self.task, task);
        end.copy_from_slice(&END);
        bytes
    }

    /// The mark that these bytes are.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let digits = bytes.strip_prefix(&MAGIC)?.strip_suffix(&END)?;
        if digits.len() != 2 * DIGITS {
            return None;
        }
        let (work_id, task) = digits.split_at(DIGITS);
        Some(CallMark {
            work_id: WorkId(read_hex(work_id)?),
            task: read_hex(task)?,
        })
    }

    /// Whether these bytes may be the beginning of a mark whose rest has not come yet.
    pub(super) fn may_begin_with(bytes: &[u8]) -> bool {
        let fits = |(at, byte): (usize, &u8)| match at.checked_sub(MAGIC.len()) {
            None => *byte == MAGIC[at],
            Some(at) if at < 2 * DIGITS => byte.is_ascii_hexdigit(),
            Some(at) => END.get(at - 2 * DIGITS) == Some(byte),
        };
        bytes.len() < CallMark::LENGTH && bytes.iter().enumerate().all(fits)
    }
}

/// The hexadecimal digits of a number.
const DIGITS: usize = 16;

fn write_hex(number: u64, digits: &mut [u8]) {
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        let nibble = (number >> (4 * place)) & 0xf;
        *digit = b"0123456789abcdef"[nibble as usize & 0xf];
    }
}

fn read_hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let nibble = char::from(*digit).to_digit(16)?;
        Some(number << 4 | u64::from(nibble))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(work_id: u64, task: u64) {
            let mark = CallMark { work_id: WorkId(work_id), task };
            prop_assert_eq!(CallMark::decode(&mark.encode()), Some(mark));
        }

        #[test]
        fn each_beginning_of_a_mark_is_one(work_id: u64, task: u64, other: u8) {
            let mark = CallMark { work_id: WorkId(work_id), task }.encode();
            for end in 0..CallMark::LENGTH {
                prop_assert!(CallMark::may_begin_with(&mark[..end]));
                let more = [&mark[..end], &[other]].concat();
                prop_assert!(!other.is_ascii_control() || other == mark[end] || !CallMark::may_begin_with(&more));
            }
            prop_assert!(!CallMark::may_begin_with(&mark));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = CallMark::decode(&bytes);
            let _ = CallMark::decode(&[&MAGIC[..], &bytes].concat());
        }
    }
}
