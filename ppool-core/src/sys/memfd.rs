//! Memory that processes share: a file without a name, which the kernel frees when the last process
//! that has it open or mapped is gone. So a crash can't leave it behind.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl},
    libc,
    sys::{
        memfd::{MFdFlags, memfd_create},
        resource::{Resource, getrlimit},
        stat::fstat,
        uio::{pread, pwrite},
    },
    unistd::ftruncate,
};

use super::fcntl::lift;

/// Shared memory that never gets shorter: it is sealed against that, because a process that reads
/// beyond the end of its mapping dies of SIGBUS.
#[derive(Debug)]
pub struct Memfd {
    fd: OwnedFd,
}

impl Memfd {
    /// `memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)`—`len` bytes, all zero.
    ///
    /// Memory is taken from the system only as it is written. The name (without a NUL, at most 249
    /// bytes) is for people who read `/proc/PID/maps`; it need not be unique.
    ///
    /// # Errors
    /// `EMFILE` or `ENFILE` when descriptors have run out, `ENOMEM` when memory has, `EFBIG` or
    /// `EINVAL` for a length or a name that can't be.
    ///
    /// # References
    /// - [memfd_create(2)](https://man7.org/linux/man-pages/man2/memfd_create.2.html)
    /// - [ftruncate(2)](https://man7.org/linux/man-pages/man2/ftruncate.2.html)
    pub fn create(name: &str, len: u64) -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        // Memory that nobody can execute. Since 6.3 the kernel wants to be told, and can be set up
        // to refuse others; before, it doesn't know the flag.
        let not_executable = MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL);
        let fd = match memfd_create(name, flags | not_executable) {
            Err(Errno::EINVAL) => memfd_create(name, flags)?,
            other => other?,
        };
        let memfd = Memfd { fd: lift(fd)? };
        memfd.set_len(len)?;
        memfd.seal(SealFlag::F_SEAL_SHRINK)?;
        Ok(memfd)
    }

    /// `fcntl(fd, F_GET_SEALS)`—takes shared memory that another process has made, if it can't get
    /// shorter (LINK-2).
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when it is something else, or not sealed.
    ///
    /// # References
    /// - [F_GET_SEALS(2const)](https://man7.org/linux/man-pages/man2/F_GET_SEALS.2const.html)
    pub fn from_peer(fd: OwnedFd) -> io::Result<Self> {
        let fd = lift(fd)?;
        let sealed = fcntl(&fd, FcntlArg::F_GET_SEALS)
            .is_ok_and(|seals| SealFlag::from_bits_retain(seals).contains(SealFlag::F_SEAL_SHRINK));
        if !sealed {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the descriptor is not memory that is sealed against shrinking",
            ));
        }
        Ok(Memfd { fd })
    }

    /// `fstat(fd)`—its length in bytes. Others that have it may make it longer at any time, never
    /// shorter.
    ///
    /// # Errors
    /// None is known.
    ///
    /// # References
    /// - [fstat(2)](https://man7.org/linux/man-pages/man2/fstat.2.html)
    #[expect(clippy::missing_panics_doc, reason = "a length is never negative")]
    pub fn byte_len(&self) -> io::Result<u64> {
        let stat = fstat(&self.fd)?;
        Ok(u64::try_from(stat.st_size).expect("a length is not negative"))
    }

    /// `fstat(fd)`—what tells it from all other memory that exists meanwhile: its device and inode.
    ///
    /// # Errors
    /// None is known.
    ///
    /// # References
    /// - [fstat(2)](https://man7.org/linux/man-pages/man2/fstat.2.html)
    pub fn key(&self) -> io::Result<(u64, u64)> {
        let stat = fstat(&self.fd)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// `fstat(fd)`—how much memory was taken for it, in bytes: that of the pages that were written.
    ///
    /// # Errors
    /// None is known.
    ///
    /// # References
    /// - [fstat(2)](https://man7.org/linux/man-pages/man2/fstat.2.html)
    pub fn taken_len(&self) -> io::Result<u64> {
        let stat = fstat(&self.fd)?;
        // Blocks of 512 bytes, whatever the file system's are.
        Ok(u64::try_from(stat.st_blocks).unwrap_or(0) * 512)
    }

    /// `ftruncate(fd, len)`—makes it longer. Existing mappings don't change.
    ///
    /// # Errors
    /// `EPERM` when it is longer already, or sealed against growing.
    ///
    /// # References
    /// - [ftruncate(2)](https://man7.org/linux/man-pages/man2/ftruncate.2.html)
    pub fn grow(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    /// `fcntl(fd, F_ADD_SEALS, F_SEAL_GROW)`—from now on nobody can make it longer either.
    ///
    /// # Errors
    /// None is known.
    ///
    /// # References
    /// - [F_ADD_SEALS(2const)](https://man7.org/linux/man-pages/man2/F_ADD_SEALS.2const.html)
    pub fn seal_growth(&self) -> io::Result<()> {
        self.seal(SealFlag::F_SEAL_GROW)
    }

    /// `fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len)`—gives memory back to the
    /// system; what was there reads as zeros.
    ///
    /// # Errors
    /// `EPERM` when it is sealed against writing.
    ///
    /// # References
    /// - [fallocate(2)](https://man7.org/linux/man-pages/man2/fallocate.2.html)
    pub fn punch(memfd: BorrowedFd<'_>, at: u64, len: u64) -> io::Result<()> {
        let [at, len] = [at, len].map(|n| libc::off_t::try_from(n).map_err(|_| Errno::EFBIG));
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        Ok(fallocate(memfd, flags, at?, len?)?)
    }

    /// `pwrite(fd, bytes, at)`—writes all of the bytes, beyond the end too, if it is not sealed against
    /// growing.
    ///
    /// # Errors
    /// `ENOSPC` or `ENOMEM` when there is no memory, `EFBIG` for a position that can't be or lies
    /// beyond what files of this process may have (`ulimit -f`), `EPERM` when it is sealed.
    ///
    /// # References
    /// - [pwrite(2)](https://man7.org/linux/man-pages/man2/pwrite.2.html)
    pub fn write_at(memfd: BorrowedFd<'_>, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
        // The kernel takes it for a file, and would not only refuse but also send SIGXFSZ.
        let (longest, _) = getrlimit(Resource::RLIMIT_FSIZE)?;
        if at.saturating_add(bytes.len() as u64) > longest {
            return Err(Errno::EFBIG.into());
        }
        while !bytes.is_empty() {
            let offset = libc::off_t::try_from(at).map_err(|_| Errno::EFBIG)?;
            match pwrite(memfd, bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    at += written as u64;
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// `pread(fd, bytes, at)`—fills all of the bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when there are not so many.
    ///
    /// # References
    /// - [pread(2)](https://man7.org/linux/man-pages/man2/pread.2.html)
    pub fn read_at(memfd: BorrowedFd<'_>, mut at: u64, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let offset = libc::off_t::try_from(at).map_err(|_| Errno::EFBIG)?;
            match pread(memfd, bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    bytes = &mut bytes[read..];
                    at += read as u64;
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = libc::off_t::try_from(len).map_err(|_| Errno::EFBIG)?;
        Ok(ftruncate(&self.fd, len)?)
    }

    fn seal(&self, seals: SealFlag) -> io::Result<()> {
        fcntl(&self.fd, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(())
    }
}

impl AsFd for Memfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Memfd> for OwnedFd {
    fn from(memfd: Memfd) -> OwnedFd {
        memfd.fd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_until_it_is_sealed_and_never_shrinks() {
        let memfd = Memfd::create("ppool-test", 4096).unwrap();
        assert_eq!(memfd.byte_len().unwrap(), 4096);
        memfd.grow(8192).unwrap();
        assert_eq!(memfd.byte_len().unwrap(), 8192);
        assert_eq!(
            memfd.grow(4096).unwrap_err().raw_os_error(),
            Some(libc::EPERM)
        );
        memfd.seal_growth().unwrap();
        assert_eq!(
            memfd.grow(16384).unwrap_err().raw_os_error(),
            Some(libc::EPERM)
        );
        assert_eq!(memfd.byte_len().unwrap(), 8192);
    }

    #[test]
    fn what_is_written_is_read_until_it_is_given_back() {
        let memfd = Memfd::create("ppool-test", 0).unwrap();
        let far = 1 << 40;
        Memfd::write_at(memfd.as_fd(), far, b"far away").unwrap();
        let mut bytes = [1; 8];
        Memfd::read_at(memfd.as_fd(), far, &mut bytes).unwrap();
        assert_eq!(&bytes, b"far away");
        Memfd::punch(memfd.as_fd(), far, 4096).unwrap();
        Memfd::read_at(memfd.as_fd(), far, &mut bytes).unwrap();
        assert_eq!(bytes, [0; 8]);
        let error = Memfd::read_at(memfd.as_fd(), far + 1, &mut bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn it_gets_as_long_as_what_is_written_and_takes_as_much_memory() {
        let memfd = Memfd::create("ppool-test", 0).unwrap();
        assert_eq!(
            (memfd.byte_len().unwrap(), memfd.taken_len().unwrap()),
            (0, 0)
        );
        Memfd::write_at(memfd.as_fd(), 1 << 30, b"far behind").unwrap();
        assert_eq!(memfd.byte_len().unwrap(), (1 << 30) + 10);
        assert!(memfd.taken_len().unwrap() < 1 << 22);
        let mut bytes = [1; 12];
        Memfd::read_at(memfd.as_fd(), (1 << 30) - 2, &mut bytes).unwrap();
        assert_eq!(&bytes, b"\0\0far behind");
        let error = Memfd::read_at(memfd.as_fd(), (1 << 30) - 1, &mut bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(Memfd::write_at(memfd.as_fd(), u64::MAX, b"x").is_err());
    }

    #[test]
    fn a_length_beyond_all_files_is_refused() {
        let error = Memfd::create("ppool-test", u64::MAX).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EFBIG));
    }

    #[test]
    fn a_peer_may_hand_over_sealed_memory_only() {
        let sealed = Memfd::create("ppool-test", 1).unwrap();
        assert!(Memfd::from_peer(sealed.into()).is_ok());
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let unsealed = memfd_create("ppool-test", flags).unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        for other in [unsealed, file.into()] {
            let error = Memfd::from_peer(other).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
