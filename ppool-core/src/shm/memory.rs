//! Bytes that two processes write.
//!
//! Nothing but atomics and plain bytes lies in them, found by offset from the start: no pointer
//! (each process has them at another address) and no length that is believed unchecked.
//!
//! # Safety
//!
//! Whoever uses a [`Memory`] keeps to this: an eight-byte place is either used as a
//! [`word`](Memory::word) by both sides, or as bytes by turns, where the change of turns goes through
//! a word (a `Release` store on one side, an `Acquire` load on the other). The rings see to it. When
//! the other process doesn't keep to it (it is broken, or was killed in the middle), what is read here
//! is garbage of the right length: words are words whatever they hold, and bytes are copied out by the
//! one function that never makes a reference into them.
#![expect(
    unsafe_code,
    reason = "reads and writes memory that another process writes too"
)]

use std::ptr::NonNull;

use super::atomic::{AtomicU32, AtomicU64};
use crate::sys::mapping::Mapping;

/// Memory that two processes have mapped (or, in tests, that two threads share).
#[derive(Debug)]
pub(crate) struct Memory {
    start: NonNull<u8>,
    len: usize,
    _kept: Kept,
}

/// What keeps the address valid.
#[derive(Debug)]
enum Kept {
    Mapped {
        _mapping: Mapping,
    },
    #[cfg(test)]
    Heap {
        _words: HeapWords,
    },
}

/// Ordinary memory that nothing but a [`Memory`] refers to.
#[cfg(test)]
#[derive(Debug)]
struct HeapWords(NonNull<[std::cell::UnsafeCell<u64>]>);

#[cfg(test)]
impl Drop for HeapWords {
    fn drop(&mut self) {
        // SAFETY: it was leaked by `Memory::heap`, and is given back once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: the address belongs to the process and not to a thread, and what is done there is either
// atomic or by turns (see the module's docs).
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// What is mapped there.
    pub(crate) fn mapped(mapping: Mapping) -> Self {
        Memory {
            start: mapping.as_ptr(),
            len: mapping.len(),
            _kept: Kept::Mapped { _mapping: mapping },
        }
    }

    /// Ordinary memory, all zero.
    #[cfg(test)]
    pub(crate) fn heap(len: usize) -> Self {
        let words = (0..len.div_ceil(8)).map(|_| std::cell::UnsafeCell::new(0));
        let words = NonNull::from(Box::leak(words.collect::<Box<[_]>>()));
        Memory {
            start: words.cast(),
            len: words.len() * 8,
            _kept: Kept::Heap {
                _words: HeapWords(words),
            },
        }
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The word at `at`.
    ///
    /// # Panics
    /// When it is not aligned or not inside: `at` comes from this process.
    #[inline]
    pub(crate) fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && self.holds(at, 8), "a word outside");
        let address = self.start.as_ptr().wrapping_add(at).cast();
        // SAFETY: inside the memory and aligned (just checked; it starts at a page, or at a word),
        // valid as long as `self`; both processes use this place as a word only.
        unsafe { AtomicU64::from_ptr(address) }
    }

    /// The words from `at` on, in `len` bytes. While one side has its turn at bytes, it may write them as
    /// words, too.
    ///
    /// # Panics
    /// As [`Memory::word`].
    #[inline]
    pub(crate) fn words(&self, at: usize, len: usize) -> &[AtomicU64] {
        let is_aligned = at.is_multiple_of(8) && len.is_multiple_of(8);
        assert!(is_aligned && self.holds(at, len), "words outside");
        let address = self.start.as_ptr().wrapping_add(at);
        // SAFETY: as in `word`, for each of them; atomics may be shared with whoever writes there.
        unsafe { std::slice::from_raw_parts(address.cast::<AtomicU64>(), len / 8) }
    }

    /// The half word at `at`, for the kernel's futex.
    ///
    /// # Panics
    /// As [`Memory::word`].
    #[inline]
    pub(crate) fn half_word(&self, at: usize) -> &AtomicU32 {
        assert!(at.is_multiple_of(8) && self.holds(at, 4), "a word outside");
        let address = self.start.as_ptr().wrapping_add(at).cast();
        // SAFETY: as in `word`.
        unsafe { AtomicU32::from_ptr(address) }
    }

    /// The address of a place in it, valid as long as `self`; at most the end.
    ///
    /// # Panics
    /// When it is outside.
    pub(crate) fn at(&self, at: usize) -> NonNull<u8> {
        assert!(self.holds(at, 0), "a place outside");
        // SAFETY: inside the memory, or one past its end (just checked).
        unsafe { self.start.add(at) }
    }

    /// Writes bytes.
    ///
    /// # Panics
    /// When they don't fit.
    #[inline]
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) {
        assert!(self.holds(at, bytes.len()), "bytes outside");
        let to = self.start.as_ptr().wrapping_add(at);
        if let Ok(word) = <&[u8; 8]>::try_from(bytes) {
            // Most of what is written is this long, and then it takes no call of `memcpy`.
            // SAFETY: as below.
            unsafe { to.cast::<[u8; 8]>().write_unaligned(*word) };
            return;
        }
        // SAFETY: inside the memory (just checked), which no slice of ours overlaps; it is this
        // side's turn to write there.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
    }

    /// Appends a copy of `len` bytes.
    ///
    /// # Panics
    /// When there are not as many.
    #[inline]
    pub(crate) fn append_to(&self, into: &mut Vec<u8>, at: usize, len: usize) {
        assert!(self.holds(at, len), "bytes outside");
        into.reserve(len);
        let from = self.start.as_ptr().wrapping_add(at);
        let to = into.spare_capacity_mut().as_mut_ptr().cast();
        // SAFETY: inside the memory (just checked), and `len` bytes were reserved. Should the other
        // process write there meanwhile, against the rules, the copy is garbage.
        unsafe { std::ptr::copy_nonoverlapping(from, to, len) };
        // SAFETY: these bytes were just written.
        unsafe { into.set_len(into.len() + len) };
    }

    /// The bytes themselves.
    ///
    /// # Panics
    /// When there are not as many.
    ///
    /// # Safety
    /// The other process, and others here, must leave them alone as long as the reference lives.
    #[inline]
    pub(crate) unsafe fn bytes(&self, at: usize, len: usize) -> &[u8] {
        assert!(self.holds(at, len), "bytes outside");
        let from = self.start.as_ptr().wrapping_add(at);
        // SAFETY: inside the memory (just checked), valid as long as `self`, and nobody writes there
        // (the caller sees to it).
        unsafe { std::slice::from_raw_parts(from, len) }
    }

    #[inline]
    fn holds(&self, at: usize, len: usize) -> bool {
        at.checked_add(len).is_some_and(|end| end <= self.len)
    }
}
