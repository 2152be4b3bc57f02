//! Memory that much is about to be written to.
//!
//! # Safety
//!
//! The advice changes what pages the kernel gives and nothing that a program can see of the memory.
#![expect(unsafe_code, reason = "gives the kernel advice about memory")]

use std::ptr::NonNull;

use nix::sys::mman::{MmapAdvise, madvise};

/// From how many bytes on it is worth a system call: some times a huge page.
const WORTH_IT: usize = 8 << 20;
/// Pages begin at multiples of this, on all machines that we know.
const PAGE: usize = 64 << 10;

/// `madvise(memory, MADV_HUGEPAGE)`—says that all of this memory is about to be written, if it is much. If
/// the pages are not there yet, the kernel may give it huge ones: then there is one page fault where there
/// were 512, and to get fresh memory costs a fraction. What the memory holds stays as it is.
///
/// # References
/// - [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html)
pub fn expect_all_of(memory: &mut [u8]) {
    if memory.len() < WORTH_IT {
        return;
    }
    let before = memory.as_ptr().align_offset(PAGE);
    let Some(inner) = memory.get_mut(before..) else {
        return;
    };
    let len = inner.len() / PAGE * PAGE;
    // SAFETY: whole pages inside of memory that is the caller's alone; this advice leaves what they hold.
    let advised = unsafe { madvise(NonNull::from(inner).cast(), len, MmapAdvise::MADV_HUGEPAGE) };
    // A kernel without huge pages says no, and that is all.
    let _ = advised;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_as_it_was() {
        for len in [0, 1, WORTH_IT - 1, WORTH_IT, WORTH_IT + 12_345] {
            let mut memory: Vec<u8> = (0..len).map(|at| at.to_le_bytes()[0]).collect();
            let before = memory.clone();
            expect_all_of(&mut memory);
            assert!(memory == before, "{len} bytes");
        }
    }
}
