//! Room for arguments that don't fit into a slot: taken from front to back, given back in the same
//! order.

use super::layout::wrapped;

/// Where the next allocation begins must be a multiple of this, so that slices of any plain type can
/// be read in place.
const ALIGN: usize = 64;

/// The parent's account of the call arena. Positions grow for ever; an offset is a position's rest.
#[derive(Debug)]
pub(super) struct Arena {
    len: usize,
    /// Everything before it was given back.
    head: u64,
    /// Everything from here on is free, as far as `head + len`.
    tail: u64,
}

/// A piece of the arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    /// Where it begins in the arena.
    pub(super) offset: usize,
    /// What to hand to [`Arena::free_until`] when it is not needed any more.
    pub(super) end: u64,
}

impl Arena {
    pub(super) fn new(len: usize) -> Self {
        Arena {
            len,
            head: 0,
            tail: 0,
        }
    }

    /// A piece of `len` bytes without a break, when there is room.
    pub(super) fn allocate(&mut self, len: usize) -> Option<Piece> {
        let whole = self.len as u64;
        if self.head == self.tail {
            // Nothing is used: begin at the front, where the pages are warm.
            self.head = self.head.next_multiple_of(whole);
            self.tail = self.head;
        }
        let taken = len.next_multiple_of(ALIGN);
        let behind = wrapped(self.tail, self.len);
        let (offset, skipped) = match behind + taken <= self.len {
            true => (behind, 0),
            false => (0, self.len - behind),
        };
        let end = self.tail + skipped as u64 + taken as u64;
        if end - self.head > whole {
            return None;
        }
        self.tail = end;
        Some(Piece { offset, end })
    }

    /// Where the next allocation would begin: what a call without a piece of its own frees.
    pub(super) fn end(&self) -> u64 {
        self.tail
    }

    /// Gives back all pieces up to the one that ends here.
    pub(super) fn free_until(&mut self, end: u64) {
        self.head = self.head.max(end);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn it_begins_at_the_front_when_it_is_empty() {
        let mut arena = Arena::new(1024);
        for _ in 0..100 {
            let piece = arena.allocate(200).unwrap();
            assert_eq!(piece.offset, 0);
            arena.free_until(piece.end);
        }
    }

    #[test]
    fn what_does_not_fit_behind_goes_to_the_front() {
        let mut arena = Arena::new(1024);
        let first = arena.allocate(512).unwrap();
        let second = arena.allocate(400).unwrap();
        assert_eq!((first.offset, second.offset), (0, 512));
        assert_eq!(arena.allocate(256), None);
        arena.free_until(first.end);
        assert_eq!(arena.allocate(256).unwrap().offset, 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]

        #[test]
        fn pieces_in_use_never_overlap(lens in vec(1..600usize, 1..200), keep in 1..8usize) {
            let mut arena = Arena::new(1024);
            let mut used: VecDeque<(Piece, usize)> = VecDeque::new();
            for len in lens {
                if let Some(piece) = arena.allocate(len) {
                    let range = piece.offset..piece.offset + len;
                    prop_assert!(range.end <= 1024);
                    for (other, len) in &used {
                        prop_assert!(range.end <= other.offset || other.offset + len <= range.start);
                    }
                    used.push_back((piece, len));
                } else {
                    prop_assert!(!used.is_empty());
                }
                if used.len() >= keep {
                    arena.free_until(used.pop_front().unwrap().0.end);
                }
            }
        }
    }
}
