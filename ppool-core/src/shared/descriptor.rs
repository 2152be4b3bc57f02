//! Any open file as a value that travels.

use std::{
    fs::File,
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    process::{ChildStderr, ChildStdin, ChildStdout},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::attach;

/// An open file, pipe or socket that can be an argument or a result of a task, or be within one:
/// what `multiprocessing.reduction.DupFd` is in Python.
///
/// The other process gets a descriptor of its own for the same open file, as by `dup`: both have one
/// position and one set of flags, and the file is closed when the last descriptor is. A call keeps
/// duplicates of those among its arguments until it has ended, since it may have to be sent again; so
/// the reader of a pipe whose other end went to a worker sees the end of the pipe only then, even if
/// the task closes its end before. All descriptors are close-on-exec.
///
/// A call or a result can have up to 4,096 of them with it, as far as the limits of both processes
/// allow (`ulimit -n`): a process that can't take one in fails the call with
/// [`Decode`](crate::TaskErrorKind::Decode).
///
/// # Errors
///
/// Serializing it by anything but ppool's own transports is an error, and so is deserializing it.
///
/// ```
/// use std::{fs::File, io};
///
/// use ppool_core::shared::Descriptor;
///
/// // A task may take it: `#[task] fn size(file: Descriptor) -> Option<u64>`.
/// fn size(file: Descriptor) -> Option<u64> {
///     File::from(file).metadata().ok().map(|metadata| metadata.len())
/// }
/// # fn main() -> io::Result<()> {
/// assert_eq!(size(File::open("/proc/self/stat")?.into()), Some(0));
///
/// let error = serde_json::to_string(&Descriptor::from(File::open("/dev/null")?)).unwrap_err();
/// assert!(error.to_string().contains("can only travel as an argument"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Descriptor(OwnedFd);

impl Descriptor {
    /// One more descriptor of the same open file.
    ///
    /// # Errors
    /// When the process may have no more open.
    pub fn try_clone(&self) -> std::io::Result<Self> {
        self.0.try_clone().map(Descriptor)
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

macro_rules! from {
    ($($owner:ty)*) => { $(
        impl From<$owner> for Descriptor {
            fn from(owner: $owner) -> Self {
                Descriptor(owner.into())
            }
        }
    )* };
}
from! {
    OwnedFd File TcpListener TcpStream UdpSocket UnixDatagram UnixListener UnixStream
    ChildStdin ChildStdout ChildStderr std::io::PipeReader std::io::PipeWriter
}

macro_rules! into {
    ($($owner:ty)*) => { $(
        impl From<Descriptor> for $owner {
            fn from(descriptor: Descriptor) -> Self {
                descriptor.0.into()
            }
        }
    )* };
}
into! {
    OwnedFd File TcpListener TcpStream UdpSocket UnixDatagram UnixListener UnixStream
    std::io::PipeReader std::io::PipeWriter
}

impl Serialize for Descriptor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        attach::serialize(self.0.as_fd(), to)
    }
}

impl<'de> Deserialize<'de> for Descriptor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        attach::deserialize(from).map(Descriptor)
    }
}
