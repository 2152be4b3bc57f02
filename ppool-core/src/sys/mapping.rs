//! Shared memory, seen at an address of this process.
//!
//! # Safety
//!
//! Other processes write the same bytes at any time, so nothing here forms a reference into them:
//! what is handed out is an address and a length. What may be read and written there, and how
//! (atomically, or by turns), is for `shm` to say.
#![expect(
    unsafe_code,
    reason = "maps memory, and promises that it may be used from any thread"
)]

use std::{io, num::NonZeroUsize, ptr::NonNull};

use nix::{
    errno::Errno,
    sys::mman::{MapFlags, ProtFlags, mmap, munmap},
};

use super::memfd::Memfd;

/// The first bytes of a [`Memfd`], readable here until this is dropped, and perhaps writable.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: NonZeroUsize,
}

// SAFETY: an address and a length; the memory belongs to the process and not to a thread.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` gives the address only, and no access.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// `mmap(len, PROT_READ | PROT_WRITE, MAP_SHARED, memfd)`—maps the first `len` bytes.
    ///
    /// Every byte may be touched for as long as the mapping lives: the memory was long enough when
    /// it was mapped, and a [`Memfd`] can't shrink.
    ///
    /// # Errors
    /// `EINVAL` when `len` is zero or more than the memory has. `ENOMEM` when there is no address
    /// space left, or too many mappings.
    ///
    /// # References
    /// - [mmap(2)](https://man7.org/linux/man-pages/man2/mmap.2.html)
    pub fn new(memfd: &Memfd, len: usize) -> io::Result<Self> {
        Mapping::with(memfd, len, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)
    }

    /// `mmap(len, PROT_READ, MAP_SHARED, memfd)`—the same, for bytes that this process only reads: a
    /// write is a SIGSEGV.
    ///
    /// # Errors
    /// As [`Mapping::new`].
    ///
    /// # References
    /// - [mmap(2)](https://man7.org/linux/man-pages/man2/mmap.2.html)
    pub fn read_only(memfd: &Memfd, len: usize) -> io::Result<Self> {
        Mapping::with(memfd, len, ProtFlags::PROT_READ)
    }

    fn with(memfd: &Memfd, len: usize, protection: ProtFlags) -> io::Result<Self> {
        let available = memfd.byte_len()?;
        let len = NonZeroUsize::new(len)
            .filter(|len| u64::try_from(len.get()).is_ok_and(|len| len <= available))
            .ok_or(Errno::EINVAL)?;
        // SAFETY: no address is asked for, so the kernel takes one that nothing else uses.
        let start = unsafe { mmap(None, len, protection, MapFlags::MAP_SHARED, memfd, 0) }?;
        Ok(Mapping {
            start: start.cast(),
            len,
        })
    }

    /// How many bytes are mapped; never zero.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a mapping is never empty")]
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Where they begin: at a page's start, so aligned for every type. Valid while this mapping
    /// lives.
    #[must_use]
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped, once; those who use the address (in `shm`) keep the
        // mapping alive.
        let unmapped = unsafe { munmap(self.start.cast(), self.len.get()) };
        debug_assert!(unmapped.is_ok(), "munmap of a whole mapping can't fail");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    fn word(mapping: &Mapping) -> &AtomicU32 {
        // SAFETY: aligned to a page, four bytes or longer in these tests, alive as long as the
        // mapping, and only ever used as this atomic.
        unsafe { mapping.as_ptr().cast().as_ref() }
    }

    #[test]
    fn two_mappings_show_the_same_memory() {
        let memfd = Memfd::create("ppool-test", 4096).unwrap();
        let one = Mapping::new(&memfd, 4096).unwrap();
        let other = Mapping::new(&memfd, 16).unwrap();
        assert_eq!((one.len(), other.len()), (4096, 16));
        assert_ne!(one.as_ptr(), other.as_ptr());
        word(&one).store(7, SeqCst);
        assert_eq!(word(&other).load(SeqCst), 7);
        drop(one);
        drop(memfd);
        assert_eq!(word(&other).load(SeqCst), 7);
    }

    #[test]
    fn nothing_and_more_than_there_is_are_refused() {
        let memfd = Memfd::create("ppool-test", 4096).unwrap();
        for len in [0, 4097, usize::MAX] {
            let error = Mapping::new(&memfd, len).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(nix::libc::EINVAL));
        }
    }
}
