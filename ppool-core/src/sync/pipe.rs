//! [`pipe`] and [`one_way_pipe`]: items between two ends.
//!
//! ```text
//!  send: encode ─► one message ═ a socket that keeps messages whole ═► one message ─► decode: recv
//!                  its descriptors beside it; a long one in memory, by one more
//! ```
//!
//! The kernel sends and receives a message in one step, whoever else has the same end. So one that is
//! killed has sent it or not, has taken it or not; and the kernel tells when the last process that
//! has an end is gone.

use std::{
    cell::RefCell,
    fmt, io,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::item::{self, GetError, MOST_DESCRIPTORS, PutError, Refused};
use crate::{
    codec::attach::{self, Attached},
    sys::{
        epoll::Interest,
        fd_passing::{self, Receiver},
        memfd::Memfd,
        poll,
        socketpair::packet_pair,
    },
};

/// The first byte of a message whose item follows.
const HERE: u8 = 1;
/// The first byte of a message whose item is in memory, by the last descriptor.
const IN_MEMORY: u8 = 2;
/// The longest item that a message itself has. Longer ones take two more system calls and a page.
const LONGEST_HERE: usize = 32 << 10;

/// Two connected ends, each of which sends and receives, as `multiprocessing.Pipe()`.
///
/// ```
/// use ppool_core::sync::pipe;
///
/// let (here, there) = pipe::<String>();
/// here.send("to and".to_owned())?;
/// assert_eq!(there.recv()?, "to and");
/// there.send("fro".to_owned())?;
/// assert!(here.poll());
/// drop(there);
/// assert_eq!(here.recv()?, "fro");
/// assert!(here.recv().is_err_and(|error| error.is_closed()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// When descriptors have run out; [`try_pipe`] gives an error instead.
#[must_use]
pub fn pipe<T>() -> (Connection<T>, Connection<T>) {
    super::handle::made(try_pipe(), "pipe")
}

/// As [`pipe`].
///
/// # Errors
/// When descriptors have run out.
pub fn try_pipe<T>() -> io::Result<(Connection<T>, Connection<T>)> {
    let (one, other) = packet_pair()?;
    Ok((Connection(End::of(one)), Connection(End::of(other))))
}

/// An end that receives and an end that sends, as `multiprocessing.Pipe(duplex=False)`.
///
/// ```
/// use ppool_core::sync::one_way_pipe;
///
/// let (reader, writer) = one_way_pipe();
/// writer.send(7)?;
/// assert_eq!(reader.recv()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// When descriptors have run out.
#[must_use]
pub fn one_way_pipe<T>() -> (PipeReader<T>, PipeWriter<T>) {
    let (Connection(reader), Connection(writer)) = pipe();
    (PipeReader(reader), PipeWriter(writer))
}

/// One end of a [`pipe`]: it sends to the other end and receives from there.
///
/// It may be an argument of a task, a result, or part of either, or an item itself. All clones, in
/// whatever process, are the same end: what is sent to it, one of them receives. An end is gone when
/// the last process that has it has dropped it or died; a call keeps its arguments until it has ended.
///
/// A pipe has room for some hundred kilobytes, or a few hundred items; who sends more waits.
pub struct Connection<T>(End<T>);

/// The end of a [`one_way_pipe`] that receives. Otherwise it is a [`Connection`].
pub struct PipeReader<T>(End<T>);

/// The end of a [`one_way_pipe`] that sends. Otherwise it is a [`Connection`].
pub struct PipeWriter<T>(End<T>);

struct End<T> {
    socket: Arc<OwnedFd>,
    _items: PhantomData<fn(T) -> T>,
}

macro_rules! receiving {
    ($name:ident) => {
        impl<T: Serialize + DeserializeOwned> $name<T> {
            /// Waits for an item, and takes it.
            ///
            /// # Errors
            /// When nobody has the other end any more and all that was sent is received, or the item
            /// can't be decoded.
            pub fn recv(&self) -> Result<T, GetError> {
                self.0.recv(Wait::Until(None))
            }

            /// Takes an item if one is there. Never waits.
            ///
            /// # Errors
            /// As [`recv`](Self::recv); [`GetError::Empty`] when there is none.
            pub fn try_recv(&self) -> Result<T, GetError> {
                self.0.recv(Wait::Never)
            }

            /// As [`recv`](Self::recv), for at most `timeout`.
            ///
            /// # Errors
            /// As [`recv`](Self::recv); [`GetError::Empty`] when the time is over.
            pub fn recv_timeout(&self, timeout: Duration) -> Result<T, GetError> {
                self.0.recv(Wait::Until(item::deadline(timeout)))
            }

            /// What comes, until nobody has the other end any more.
            ///
            /// # Panics
            /// The iterator does when an item can't be decoded.
            pub fn iter(&self) -> impl Iterator<Item = T> {
                std::iter::from_fn(|| match self.recv() {
                    Ok(item) => Some(item),
                    Err(GetError::Closed) => None,
                    Err(error) => panic!("no item from the pipe: {error}"),
                })
            }
        }

        impl<T> $name<T> {
            /// Whether [`recv`](Self::recv) would not wait: there is an item, or there will be none.
            #[must_use]
            pub fn poll(&self) -> bool {
                self.poll_timeout(Duration::ZERO)
            }

            /// Waits until that is so, for at most `timeout`; whether it is.
            #[must_use]
            pub fn poll_timeout(&self, timeout: Duration) -> bool {
                let ready = poll::wait(self.0.socket(), Interest::READ, item::deadline(timeout));
                // Without memory to wait, the next call says what is wrong.
                ready.unwrap_or(true)
            }
        }
    };
}
receiving!(Connection);
receiving!(PipeReader);

macro_rules! sending {
    ($name:ident) => {
        impl<T: Serialize + DeserializeOwned> $name<T> {
            /// Sends an item, waiting for room if need be.
            ///
            /// # Errors
            /// When nobody has the other end any more, or the item can't be encoded; the error has
            /// the item.
            pub fn send(&self, item: T) -> Result<(), PutError<T>> {
                self.0.send(item, Wait::Until(None))
            }

            /// Sends an item if there is room. Never waits.
            ///
            /// # Errors
            /// As [`send`](Self::send); [`PutError::Full`] when there is no room.
            pub fn try_send(&self, item: T) -> Result<(), PutError<T>> {
                self.0.send(item, Wait::Never)
            }

            /// As [`send`](Self::send), for at most `timeout`.
            ///
            /// # Errors
            /// As [`send`](Self::send); [`PutError::Full`] when the time is over.
            pub fn send_timeout(&self, item: T, timeout: Duration) -> Result<(), PutError<T>> {
                self.0.send(item, Wait::Until(item::deadline(timeout)))
            }
        }
    };
}
sending!(Connection);
sending!(PipeWriter);

macro_rules! ends {
    ($($name:ident)*) => { $(
        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                $name(End {
                    socket: Arc::clone(&self.0.socket),
                    _items: PhantomData,
                })
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("descriptor", &self.0.socket)
                    .finish_non_exhaustive()
            }
        }

        impl<T> Serialize for $name<T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                attach::serialize(self.0.socket(), serializer)
            }
        }

        impl<'de, T> Deserialize<'de> for $name<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                attach::deserialize(deserializer).map(|socket| $name(End::of(socket)))
            }
        }
    )* };
}
ends! { Connection PipeReader PipeWriter }

/// How long to wait.
#[derive(Clone, Copy)]
enum Wait {
    Never,
    /// Without an end if there is none.
    Until(Option<Instant>),
}

/// A message.
struct Message {
    bytes: Vec<u8>,
    attached: Attached,
}

impl<T> End<T> {
    fn of(socket: OwnedFd) -> Self {
        End {
            socket: Arc::new(socket),
            _items: PhantomData,
        }
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends one message.
    fn pass(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
        wait: Wait,
    ) -> Result<(), Refused> {
        let parts = [io::IoSlice::new(bytes)];
        loop {
            let error = match fd_passing::send_now(self.socket(), &parts, descriptors) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                    return Err(Refused::Closed);
                }
                io::ErrorKind::WouldBlock => {}
                _ => return Err(Refused::Io(error)),
            }
            let Wait::Until(deadline) = wait else {
                return Err(Refused::Full);
            };
            match poll::wait(self.socket(), Interest::WRITE, deadline) {
                Ok(true) => {}
                Ok(false) => return Err(Refused::Full),
                Err(error) => return Err(Refused::Io(error)),
            }
        }
    }

    /// Receives one message.
    fn take(&self, wait: Wait) -> Result<Message, GetError> {
        loop {
            match self.take_now() {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => return Err(GetError::Closed),
                // The other side is gone, with messages that it had not read. Its own come now.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(GetError::Io(error)),
            }
            let Wait::Until(deadline) = wait else {
                return Err(GetError::Empty);
            };
            match poll::wait(self.socket(), Interest::READ, deadline) {
                Ok(true) => {}
                Ok(false) => return Err(GetError::Empty),
                Err(error) => return Err(GetError::Io(error)),
            }
        }
    }

    /// None at the end.
    fn take_now(&self) -> io::Result<Option<Message>> {
        thread_local! {
            static BUFFERS: RefCell<(Receiver, Vec<u8>)> =
                RefCell::new((Receiver::new(), vec![0; LONGEST_HERE + 1]));
        }
        BUFFERS.with_borrow_mut(|(receiver, buffer)| {
            let received = receiver.receive_now(self.socket(), buffer)?;
            let attached = match received.descriptors {
                None => Attached::default(),
                Some(all) if all.is_cut_off => Attached::incomplete(all.descriptors),
                Some(all) => Attached::from(all.descriptors),
            };
            let bytes = buffer[..received.bytes].to_vec();
            Ok((received.bytes > 0).then_some(Message { bytes, attached }))
        })
    }
}

impl<T: Serialize + DeserializeOwned> End<T> {
    fn send(&self, item: T, wait: Wait) -> Result<(), PutError<T>> {
        self.send_ref(&item, wait)
            .map_err(|why| PutError::of(item, why))
    }

    fn send_ref(&self, item: &T, wait: Wait) -> Result<(), Refused> {
        let (bytes, mut descriptors) = item::encode(item, &[HERE], MOST_DESCRIPTORS)?;
        if bytes.len() <= LONGEST_HERE {
            return self.pass(&bytes, &borrowed(&descriptors), wait);
        }
        descriptors.push(in_memory(&bytes[1..]).map_err(Refused::Io)?);
        self.pass(&[IN_MEMORY], &borrowed(&descriptors), wait)
    }

    fn recv(&self, wait: Wait) -> Result<T, GetError> {
        let Message {
            bytes,
            mut attached,
        } = self.take(wait)?;
        match bytes.split_first() {
            Some((&HERE, bytes)) => item::decode(bytes, &attached),
            Some((&IN_MEMORY, _)) if !attached.is_incomplete() => {
                let memory = attached.pop().ok_or_else(not_ours)?;
                let bytes = out_of_memory(memory).map_err(GetError::Io)?;
                item::decode(&bytes, &attached)
            }
            Some((&IN_MEMORY, _)) => {
                let why = "this process has as many descriptors open as it may have";
                Err(GetError::Decode(why.to_owned()))
            }
            _ => Err(not_ours()),
        }
    }
}

fn not_ours() -> GetError {
    GetError::Decode("the message is not one of a pipe's".to_owned())
}

fn borrowed(descriptors: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    descriptors.iter().map(AsFd::as_fd).collect()
}

/// Memory that has these bytes.
fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let memfd = Memfd::create("ppool-item", 0)?;
    Memfd::write_at(memfd.as_fd(), 0, bytes)?;
    Ok(memfd.into())
}

/// All bytes of such memory.
fn out_of_memory(memory: OwnedFd) -> io::Result<Vec<u8>> {
    let memfd = Memfd::from_peer(memory)?;
    let len = usize::try_from(memfd.byte_len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    Memfd::read_at(memfd.as_fd(), 0, &mut bytes)?;
    Ok(bytes)
}
