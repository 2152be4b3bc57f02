//! Segments for results: a worker makes them, and the parent says when it has read one.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    super::{
        Broken,
        atomic::Ordering::{Acquire, Release},
        layout::freed_segment,
        region::Region,
    },
    KEPT_BY_WORKER, MOST_OF_WORKER, Piece, best_of,
};
use crate::{
    codec::segment::{Segment, Segments, Stored},
    sys::{huge_pages, memfd::Memfd},
};

/// Names one use of a segment of a worker: which segment, and the how manieth use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ticket {
    index: usize,
    uses: u64,
}

const INDEX_BITS: u32 = MOST_OF_WORKER.ilog2();

impl Ticket {
    fn pack(self) -> u64 {
        self.uses << INDEX_BITS | self.index as u64
    }

    fn unpack(word: u64) -> Self {
        Ticket {
            index: super::super::layout::wrapped(word, MOST_OF_WORKER),
            uses: word >> INDEX_BITS,
        }
    }
}

/// The segments of a worker, for its results.
#[derive(Clone, Debug)]
pub(crate) struct ResultSegments(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    region: Region,
    slots: Mutex<[Slot; MOST_OF_WORKER]>,
}

#[derive(Debug, Default)]
struct Slot {
    piece: Option<Arc<Piece>>,
    /// How often it was handed over.
    uses: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum State {
    #[default]
    Free,
    /// A result is being written.
    Written,
    /// The parent has it.
    Sent,
}

impl ResultSegments {
    pub(crate) fn new(region: &Region) -> Self {
        ResultSegments(Arc::new(Shared {
            region: region.clone(),
            slots: Mutex::default(),
        }))
    }

    /// For those who encode.
    pub(crate) fn source(&self) -> Arc<dyn Segments> {
        Arc::new(self.clone())
    }

    /// Whether something is kept that [`trim`](ResultSegments::trim) frees.
    pub(crate) fn keeps_some(&self) -> bool {
        self.0.lock().iter().any(|slot| slot.piece.is_some())
    }

    /// Frees all that is not being written. What the parent still has, it has as its own.
    pub(crate) fn trim(&self) {
        let mut slots = self.0.lock();
        for slot in slots.iter_mut().filter(|slot| slot.state != State::Written) {
            slot.piece = None;
            slot.state = State::Free;
        }
    }

    /// Takes note that the parent is about to get this one.
    pub(crate) fn sent(&self, stored: &Stored) {
        if let Some(ticket) = stored.ticket().map(Ticket::unpack) {
            let mut slots = self.0.lock();
            slots[ticket.index].state = State::Sent;
            slots[ticket.index].uses = ticket.uses;
        }
    }
}

impl Shared {
    /// Locks it. Nothing that holds this lock can leave things half done by a panic.
    fn lock(&self) -> MutexGuard<'_, [Slot; MOST_OF_WORKER]> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what the parent has read.
    fn take_back(&self, slots: &mut [Slot; MOST_OF_WORKER]) {
        for (index, slot) in slots.iter_mut().enumerate() {
            // Acquire: pairs with the store in `Received`, so that nothing is written before the
            // parent has read what was there.
            let freed = self.region.memory.word(freed_segment(index)).load(Acquire);
            if slot.state == State::Sent && freed == slot.uses {
                slot.state = State::Free;
            }
        }
        let mut kept = 0;
        for slot in slots.iter_mut().filter(|slot| slot.state == State::Free) {
            kept += slot.piece.as_ref().map_or(0, |piece| piece.byte_len());
            if kept > KEPT_BY_WORKER {
                slot.piece = None;
            }
        }
    }
}

impl Segments for ResultSegments {
    fn take(&self, len: usize) -> Option<Box<dyn Segment>> {
        let mut slots = self.0.lock();
        self.0.take_back(&mut slots);
        let free = slots.iter().enumerate().filter_map(|(index, slot)| {
            let kept = slot.piece.as_ref().map_or(0, |piece| piece.byte_len());
            (slot.state == State::Free).then_some((index, kept))
        });
        let index = best_of(free, len as u64)?;
        let slot = &mut slots[index];
        let piece = match &slot.piece {
            Some(piece) => Arc::clone(piece),
            None => Arc::clone(slot.piece.insert(Arc::new(Piece::create().ok()?))),
        };
        slot.state = State::Written;
        Some(Box::new(Own {
            ticket: Ticket {
                index,
                uses: slot.uses + 1,
            },
            piece,
            segments: self.clone(),
        }))
    }
}

/// A segment that a result is written to.
#[derive(Debug)]
struct Own {
    ticket: Ticket,
    piece: Arc<Piece>,
    segments: ResultSegments,
}

impl Segment for Own {
    fn write(&self, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.piece.write(at, bytes)
    }

    fn read(&self, at: usize, into: &mut [u8]) -> io::Result<()> {
        Memfd::read_at(self.piece.memfd.as_fd(), at as u64, into)
    }

    fn ticket(&self) -> Option<u64> {
        Some(self.ticket.pack())
    }
}

impl AsFd for Own {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.piece.memfd.as_fd()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let slot = &mut self.segments.0.lock()[self.ticket.index];
        if slot.state == State::Written {
            slot.state = State::Free;
        }
    }
}

/// A segment of a worker, at the parent. When it is dropped, the worker may use it again.
#[derive(Debug)]
pub(crate) struct Received {
    memfd: Memfd,
    ticket: Ticket,
    region: Region,
}

impl Received {
    /// The result of `len` bytes that a worker says is in this segment (LINK-2).
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn stored(
        region: &Region,
        segment: OwnedFd,
        ticket: u64,
        len: u64,
    ) -> io::Result<Stored> {
        let memfd = Memfd::from_peer(segment)?;
        // Who claims much has to have taken as much memory, so that nobody is made to take it for
        // nothing.
        if memfd.byte_len()?.min(memfd.taken_len()?) < len {
            return Err(Broken("the length of a segment").into());
        }
        let len = usize::try_from(len).map_err(|_| Broken("the length of a segment"))?;
        let received = Received {
            memfd,
            ticket: Ticket::unpack(ticket),
            region: region.clone(),
        };
        Ok(Stored::new(Box::new(received), len))
    }
}

impl Segment for Received {
    fn write(&self, _at: usize, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn read(&self, at: usize, into: &mut [u8]) -> io::Result<()> {
        huge_pages::expect_all_of(into);
        Memfd::read_at(self.memfd.as_fd(), at as u64, into)
    }
}

impl AsFd for Received {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let word = self.region.memory.word(freed_segment(self.ticket.index));
        // Release: pairs with the load in `take_back`.
        word.store(self.ticket.uses, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::layout::Layout;

    fn send(segments: &ResultSegments, bytes: &[u8]) -> Option<(OwnedFd, u64)> {
        let segment = segments.take(bytes.len())?;
        segment.write(0, bytes).unwrap();
        let stored = Stored::new(segment, bytes.len());
        segments.sent(&stored);
        let fd = stored.as_fd().try_clone_to_owned().unwrap();
        Some((fd, stored.ticket().unwrap()))
    }

    #[test]
    fn a_segment_is_free_when_the_parent_has_read_it_and_not_before() {
        let region = Region::heap(Layout::STANDARD);
        let segments = ResultSegments::new(&region);
        let mut received = Vec::new();
        for n in 0..MOST_OF_WORKER {
            let bytes = [u8::try_from(n).unwrap(); 5000];
            let (fd, ticket) = send(&segments, &bytes).unwrap();
            received.push(Received::stored(&region, fd, ticket, 5000).unwrap());
        }
        assert!(send(&segments, b"no more").is_none());
        assert_eq!(received[2].to_vec().unwrap(), [2; 5000]);
        drop(received.remove(2));
        let (fd, ticket) = send(&segments, b"once more").unwrap();
        assert_eq!(Ticket::unpack(ticket), Ticket { index: 2, uses: 2 });
        let again = Received::stored(&region, fd, ticket, 9).unwrap();
        assert_eq!(again.to_vec().unwrap(), b"once more");
        assert!(send(&segments, b"no more").is_none());

        let read = received.pop();
        segments.trim();
        assert!(!segments.keeps_some());
        // What the parent has is still there, and its word about an earlier use frees no later one.
        assert_eq!(again.to_vec().unwrap(), b"once more");
        let mut later: Vec<_> = (0..MOST_OF_WORKER)
            .map(|_| send(&segments, b"later").unwrap())
            .collect();
        drop((again, read, received));
        assert!(send(&segments, b"no more").is_none());
        let (fd, ticket) = later.swap_remove(1);
        drop(Received::stored(&region, fd, ticket, 5).unwrap());
        assert!(send(&segments, b"one more").is_some());
    }

    #[test]
    fn a_result_that_was_not_sent_leaves_its_segment() {
        let region = Region::heap(Layout::STANDARD);
        let segments = ResultSegments::new(&region);
        for _ in 0..2 * MOST_OF_WORKER {
            segments.take(1).unwrap().write(0, b"half a res").unwrap();
        }
        assert!(segments.keeps_some());
    }

    /// LINK-2.
    #[test]
    fn a_worker_that_claims_more_than_it_has_is_found_out() {
        let region = Region::heap(Layout::STANDARD);
        let memfd = Memfd::create("ppool-test", 1 << 40).unwrap();
        Memfd::write_at(memfd.as_fd(), 0, &[1; 4096]).unwrap();
        let fd = || memfd.as_fd().try_clone_to_owned().unwrap();
        for len in [1 << 20, 1 << 40, u64::MAX] {
            assert!(Received::stored(&region, fd(), u64::MAX, len).is_err());
        }
        let all = Received::stored(&region, fd(), u64::MAX, 4096).unwrap();
        assert_eq!(all.to_vec().unwrap(), [1; 4096]);
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        assert!(Received::stored(&region, file.into(), 0, 1).is_err());
    }
}
