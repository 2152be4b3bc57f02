//! Where the items are, and the two locks.
//!
//! A record is a head (the length of the bytes; the number of the descriptors, if there are any),
//! and the bytes, filled up to a multiple of eight. It may go over the end of the ring to its start.
//!
//! # Invariants
//!
//! - Records in the ring are older than those in the file: producers use the ring only while the file
//!   has none.
//! - Only who holds the put lock changes the [`Tail`], only who holds the get lock the [`Head`].

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use super::descriptors;
use crate::{
    codec::attach::Attached,
    shm::atomic::{AtomicU64, Ordering::Relaxed},
    sync::{
        algorithm::{
            lock_word::LockWord,
            parking::Parking,
            twin::{self, TwinWords},
        },
        item::{GetError, Refused},
        object::{FutexBed, Kind, Object, Waker, layout},
        spin::spin,
    },
    sys::memfd::Memfd,
};

/// The head of a record.
pub(super) const HEAD_LEN: usize = 16;
/// The longest record in the ring: a longer one would leave no room for others.
const LONGEST_IN_RING: usize = layout::RING_LEN / 8;
/// How much of a record in the file is read at first.
const FIRST_LEN: usize = 512;
/// The file gives space back in pieces of this length or more.
const PIECE: u64 = 1 << 20;
const PAGE: u64 = 4096;

/// Where producers stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// How many items were put.
    puts: u64,
    /// How many bytes were written to the ring.
    ring: u64,
    /// How many bytes were written to the file.
    file: u64,
    /// The number of the descriptors that were sent last.
    number: u64,
    closed: bool,
}

/// Where consumers stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// How many items were taken.
    pub(super) gets: u64,
    /// How many bytes were read from the ring.
    ring: u64,
    /// How many bytes were read from the file.
    file: u64,
}

/// What there was to take.
pub(super) enum Taken {
    Item(Vec<u8>, Attached),
    Nothing,
    /// And there will be nothing.
    Closed,
}

/// Why nothing was put.
pub(super) enum NotPut {
    /// There are as many items as there may be.
    NoRoom,
    /// There is no room for descriptors; so many items were taken by then.
    NoRoomForDescriptors(u64),
    Other(Refused),
}

/// The queue in an object.
#[derive(Clone, Copy)]
pub(super) struct Store<'a>(pub(super) &'a Arc<Object>);

/// The two copies of a side's words.
struct Side<'a> {
    object: &'a Object,
    at: usize,
}

/// A lock that is held.
struct Held<'a>(LockWord<'a>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release(&Waker);
    }
}

impl<const N: usize> TwinWords<N> for Side<'_> {
    #[inline]
    fn version(&self) -> &AtomicU64 {
        self.object.memory().word(self.at)
    }

    #[inline]
    fn word(&self, copy: usize, index: usize) -> &AtomicU64 {
        let index = 1 + copy * N + index;
        self.object
            .memory()
            .word(self.at + index * size_of::<u64>())
    }
}

impl<'a> Store<'a> {
    /// Where producers stand now.
    #[inline]
    pub(super) fn tail(self) -> Tail {
        Tail::of(twin::read(&self.tail_words()))
    }

    /// Where consumers stand now.
    #[inline]
    pub(super) fn head(self) -> Head {
        Head::of(twin::read(&self.head_words()))
    }

    /// How many items there are.
    pub(super) fn len(self) -> u64 {
        // Taken items first: so there are never fewer put than taken.
        let gets = self.head().gets;
        self.tail().puts.wrapping_sub(gets)
    }

    pub(super) fn is_closed(self) -> bool {
        self.tail().closed
    }

    /// How many items there may be; zero: as many as come.
    pub(super) fn bound(self) -> u64 {
        self.0.parameter()
    }

    /// Whether an item is there, or none will be.
    #[inline]
    pub(super) fn has_news(self) -> bool {
        let tail = self.tail();
        tail.closed || tail.puts != self.head().gets
    }

    /// Whether an item may come, or none may any more.
    pub(super) fn has_room(self) -> bool {
        self.bound() == 0 || self.is_closed() || self.len() < self.bound()
    }

    /// Where those wait who want descriptors to be taken, or all to be done.
    pub(super) fn idle(self) -> Parking<'a> {
        self.0.parking(0)
    }

    /// Where consumers wait.
    pub(super) fn items(self) -> Parking<'a> {
        self.0.parking(3)
    }

    /// Where producers wait.
    pub(super) fn room(self) -> Parking<'a> {
        self.0.parking(4)
    }

    /// From now on nothing is put.
    pub(super) fn close(self) {
        let bed = FutexBed::endless(self.0);
        if let Some(_held) = self.enter(self.0.put_lock(), &bed) {
            let tail = Tail::of(twin::own(&self.tail_words()));
            let closed = true;
            twin::change(&self.tail_words(), Tail { closed, ..tail }.words());
        }
        for parking in [self.items(), self.room(), self.idle()] {
            parking.notify(&Waker, u32::MAX);
        }
    }

    /// Puts a record, whose head is still empty. It waits for others in the middle of a put, and for
    /// nothing else.
    pub(super) fn put(
        self,
        record: &mut Vec<u8>,
        descriptors: &[OwnedFd],
        bed: &FutexBed<'_>,
    ) -> Result<(), NotPut> {
        let refused = |error| NotPut::Other(Refused::Io(error));
        let Some(held) = self.enter(self.0.put_lock(), bed) else {
            return Err(NotPut::Other(Refused::Full));
        };
        let mut tail = Tail::of(twin::own(&self.tail_words()));
        let head = self.head();
        if tail.closed {
            return Err(NotPut::Other(Refused::Closed));
        }
        if self.bound() != 0 && tail.puts.wrapping_sub(head.gets) >= self.bound() {
            return Err(NotPut::NoRoom);
        }
        let mut number = 0;
        if !descriptors.is_empty() {
            tail.number += 1;
            number = tail.number;
            // First the number: should this process die, nobody uses it again.
            twin::change(&self.tail_words(), tail.words());
            if !descriptors::send(self.sender()?, number, descriptors).map_err(refused)? {
                return Err(NotPut::NoRoomForDescriptors(head.gets));
            }
        }
        let len = record.len() - HEAD_LEN;
        record.resize(HEAD_LEN + len.next_multiple_of(8), 0);
        record[..8].copy_from_slice(&(len as u64).to_le_bytes());
        record[8..16].copy_from_slice(&number.to_le_bytes());
        let room = (layout::RING_LEN as u64).saturating_sub(tail.ring.wrapping_sub(head.ring));
        let fits = record.len() <= LONGEST_IN_RING && record.len() as u64 <= room;
        if fits && tail.file == head.file {
            self.write_ring(tail.ring, record);
            tail.ring += record.len() as u64;
        } else {
            let at = layout::FILE + tail.file;
            Memfd::write_at(self.file(), at, record).map_err(refused)?;
            tail.file += record.len() as u64;
        }
        tail.puts += 1;
        twin::change(&self.tail_words(), tail.words());
        drop(held);
        self.items().notify(&Waker, 1);
        Ok(())
    }

    /// Takes the first item. It waits for others in the middle of that, and for nothing else.
    pub(super) fn take(self, bed: &FutexBed<'_>) -> Result<Taken, GetError> {
        let Some(held) = self.enter(self.0.get_lock(), bed) else {
            return Ok(Taken::Nothing);
        };
        let mut head = Head::of(twin::own(&self.head_words()));
        let tail = self.tail();
        if tail.puts == head.gets {
            return Ok(if tail.closed {
                Taken::Closed
            } else {
                Taken::Nothing
            });
        }
        let in_ring = tail.ring != head.ring;
        let before = head.file;
        let (bytes, number) = if in_ring {
            self.read_ring(&mut head.ring, tail.ring)
        } else {
            self.read_file(&mut head.file, tail.file)
        }
        .map_err(GetError::Io)?;
        let attached = match number {
            0 => Attached::default(),
            _ => descriptors::look_at(self.receiver().map_err(GetError::Io)?, number)
                .map_err(GetError::Io)?,
        };
        // It is counted as in this process's hands before it is taken: so whoever sees that it is
        // taken sees who has it.
        if self.0.kind() == Kind::JoinableQueue && !self.0.permits().try_acquire(self.0.seat()) {
            let error = io::Error::other("too many items are being worked on");
            return Err(GetError::Io(error));
        }
        head.gets += 1;
        twin::change(&self.head_words(), head.words());
        if number != 0 {
            // Should it fail, the next one who looks for descriptors throws these away.
            let _ = self.receiver().and_then(descriptors::throw_away);
        }
        if !in_ring {
            self.give_back(before, head.file, tail.file);
        }
        drop(held);
        if self.bound() != 0 {
            self.room().notify(&Waker, 1);
        }
        if number != 0 {
            self.idle().notify(&Waker, u32::MAX);
        }
        Ok(Taken::Item(bytes, attached))
    }

    #[inline]
    fn enter(self, lock: LockWord<'a>, bed: &FutexBed<'_>) -> Option<Held<'a>> {
        let me = self.0.me();
        let acquired = lock
            .try_acquire_politely(me)
            .or_else(|| spin(|| lock.try_acquire_politely(me)))
            .or_else(|| lock.acquire(me, bed));
        // Who died with it has left nothing half done.
        acquired.map(|_| Held(lock))
    }

    fn tail_words(self) -> Side<'a> {
        let at = layout::QUEUE_TAIL;
        Side { object: self.0, at }
    }

    fn head_words(self) -> Side<'a> {
        let at = layout::QUEUE_HEAD;
        Side { object: self.0, at }
    }

    fn write_ring(self, position: u64, record: &[u8]) {
        let at = ring_index(position);
        let first = record.len().min(layout::RING_LEN - at);
        self.0.memory().write(layout::DATA + at, &record[..first]);
        self.0.memory().write(layout::DATA, &record[first..]);
    }

    fn copy_ring(self, position: u64, len: usize) -> Vec<u8> {
        let at = ring_index(position);
        let first = len.min(layout::RING_LEN - at);
        let mut bytes = Vec::with_capacity(len);
        let memory = self.0.memory();
        memory.append_to(&mut bytes, layout::DATA + at, first);
        memory.append_to(&mut bytes, layout::DATA, len - first);
        bytes
    }

    /// The record at `position`, and moves that behind it. What memory says is checked (LINK-2).
    fn read_ring(self, position: &mut u64, end: u64) -> io::Result<(Vec<u8>, u64)> {
        let there = end.wrapping_sub(*position);
        if there < HEAD_LEN as u64 || there > layout::RING_LEN as u64 {
            return Err(in_disorder());
        }
        // Records begin at words, and so does the ring. Where one does not, memory is in disorder; what is
        // read is checked below all the same.
        let head_word = |at: u64| {
            let at = layout::DATA + ring_index(position.wrapping_add(at)) / 8 * 8;
            u64::from_le(self.0.memory().word(at).load(Relaxed))
        };
        let (len, number) = (head_word(0), head_word(8));
        let whole = whole_len(len, there)?;
        let start = position.wrapping_add(HEAD_LEN as u64);
        *position = position.wrapping_add(whole);
        let len = usize::try_from(len).map_err(|_| in_disorder())?;
        Ok((self.copy_ring(start, len), number))
    }

    /// The same in the file. Most records come with their head, by one system call.
    fn read_file(self, position: &mut u64, end: u64) -> io::Result<(Vec<u8>, u64)> {
        let there = end.wrapping_sub(*position);
        let at = layout::FILE + *position;
        let mut first = [0; FIRST_LEN];
        let first_len = usize::try_from(there).map_or(FIRST_LEN, |there| there.min(FIRST_LEN));
        let first = &mut first[..first_len];
        Memfd::read_at(self.file(), at, first)?;
        let (head, rest) = first.split_at_checked(HEAD_LEN).ok_or_else(in_disorder)?;
        let (len, number) = head_in(head);
        let whole = whole_len(len, there)?;
        let len = usize::try_from(len).map_err(|_| in_disorder())?;
        let mut bytes = vec![0; len];
        let come = len.min(rest.len());
        bytes[..come].copy_from_slice(&rest[..come]);
        Memfd::read_at(self.file(), at + first_len as u64, &mut bytes[come..])?;
        *position = position.wrapping_add(whole);
        Ok((bytes, number))
    }

    /// Gives space in the file back that was read: in large pieces, or when all was read.
    fn give_back(self, before: u64, after: u64, written: u64) {
        let end = if after == written {
            // A producer may write to the last page meanwhile.
            after / PAGE * PAGE
        } else {
            after / PIECE * PIECE
        };
        let start = before / PIECE * PIECE;
        if end > start {
            // One piece more, which a consumer that was killed may have left. It only saves memory.
            let start = start.saturating_sub(PIECE);
            let _ = Memfd::punch(self.file(), layout::FILE + start, end - start);
        }
    }

    fn file(self) -> BorrowedFd<'a> {
        self.0.descriptors()[0].as_fd()
    }

    fn sender(self) -> Result<BorrowedFd<'a>, NotPut> {
        self.companion(1)
            .map_err(|error| NotPut::Other(Refused::Io(error)))
    }

    fn receiver(self) -> io::Result<BorrowedFd<'a>> {
        self.companion(2)
    }

    fn companion(self, index: usize) -> io::Result<BorrowedFd<'a>> {
        let descriptor = self.0.descriptors().get(index);
        descriptor.map(AsFd::as_fd).ok_or_else(in_disorder)
    }
}

impl Tail {
    fn words(self) -> [u64; 5] {
        let closed = u64::from(self.closed);
        [self.puts, self.ring, self.file, self.number, closed]
    }

    fn of([puts, ring, file, number, closed]: [u64; 5]) -> Self {
        Tail {
            puts,
            ring,
            file,
            number,
            closed: closed != 0,
        }
    }
}

impl Head {
    fn words(self) -> [u64; 3] {
        [self.gets, self.ring, self.file]
    }

    fn of([gets, ring, file]: [u64; 3]) -> Self {
        Head { gets, ring, file }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "it is less than the ring's length"
)]
fn ring_index(position: u64) -> usize {
    (position % layout::RING_LEN as u64) as usize
}

/// The length of the bytes, and the number of the descriptors.
fn head_in(bytes: &[u8]) -> (u64, u64) {
    let word = |at: usize| {
        let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
        u64::from_le_bytes(word.unwrap_or_default())
    };
    (word(0), word(8))
}

/// How long a record with so many bytes is, if there are as many.
fn whole_len(len: u64, there: u64) -> io::Result<u64> {
    let whole = len.checked_next_multiple_of(8);
    whole
        .and_then(|len| len.checked_add(HEAD_LEN as u64))
        .filter(|len| *len <= there)
        .ok_or_else(in_disorder)
}

fn in_disorder() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the queue's memory is in disorder",
    )
}
