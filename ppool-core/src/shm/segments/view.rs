//! Arguments in a segment, as the worker reads them.
#![expect(unsafe_code, reason = "lends out arguments where they lie")]

use std::{io, os::fd::OwnedFd};

use super::super::memory::Memory;
use crate::sys::{mapping::Mapping, memfd::Memfd};

/// The bytes of one call's arguments, which can be read here and not written.
#[derive(Debug)]
pub(crate) struct View(Memory);

impl View {
    /// Maps the first `len` bytes of the segment. The descriptor is not needed any more then.
    ///
    /// # Errors
    /// When it is no segment with so many bytes, or there is no address space for them.
    pub(crate) fn new(segment: OwnedFd, len: u64) -> io::Result<Self> {
        let memfd = Memfd::from_peer(segment)?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Mapping::read_only(&memfd, len).map(|mapping| View(Memory::mapped(mapping)))
    }

    /// The bytes. Ask for them only while the call runs.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the parent writes to a segment only while no call has its arguments there, and it
        // counts a call as one that has until the worker has answered it or is gone; no other
        // process keeps the descriptor, and this one can't write through this mapping.
        unsafe { self.0.bytes(0, self.0.len()) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_view_shows_what_was_written_and_no_more_than_there_is() {
        let memfd = Memfd::create("ppool-test", 0).unwrap();
        Memfd::write_at(memfd.as_fd(), 0, &[7; 10_000]).unwrap();
        let fd = || memfd.as_fd().try_clone_to_owned().unwrap();
        let view = View::new(fd(), 9_999).unwrap();
        assert_eq!(view.bytes(), [7; 9_999]);
        for len in [0, 10_001, u64::MAX] {
            assert!(View::new(fd(), len).is_err(), "{len}");
        }
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        assert!(View::new(file.into(), 1).is_err());
    }
}
