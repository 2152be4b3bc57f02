//! Segments: memory for payloads that are too large for a ring, used again and again while it is warm.
//!
//! ```text
//!   parent                                                        worker
//!   SegmentPool ─take─► write ── descriptor, by the socket ──► View: read in place
//!        ▲                                                        │
//!        └── dropped with the call's payload ◄── the call ended ──┘
//!
//!   Received: copied out ◄── descriptor, by the socket ── write ◄─take─ ResultSegments
//!        │                                                                    ▲
//!        └──────────── ticket, in the region's header: it is free ────────────┘
//! ```
//!
//! A segment is a memfd without a mapping: `pwrite` and `pread` copy once, as a mapping would, and new
//! pages are neither zeroed nor faulted in one by one. Memory that has run out is an error of a
//! system call and no signal. Only a task's borrowed parameters are read through a mapping.
//!
//! # What is kept
//!
//! A pool keeps up to [`KEPT_BY_POOL`] bytes of segments that nothing uses, a worker up to
//! [`KEPT_BY_WORKER`]; both give them back to the system when for [`KEPT_FOR`] nothing was large. A
//! pool has at most [`MOST_OF_POOL`] segments in use, a worker [`MOST_OF_WORKER`], so that many
//! queued calls and results don't use up the descriptors; what is beyond travels through the socket.
//!
//! # Invariants
//!
//! - A segment of the pool is written while nothing else refers to it, and stays as it is until the
//!   last payload that lies in it is dropped; links hold those that their workers have not answered.
//! - LINK-2: a segment of a worker is sealed against shrinking, and has as much memory as it claims to
//!   have bytes; what is in it is copied out before it is looked at.
//! - Nothing has a name. The kernel frees a segment with the last process that has it.

mod results;
mod view;

pub(crate) use results::{Received, ResultSegments};
pub(crate) use view::View;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{
    codec::segment::{Segment, Segments},
    sys::memfd::Memfd,
};

/// How many bytes of unused segments a pool keeps: 256 MiB.
pub(crate) const KEPT_BY_POOL: u64 = 256 << 20;

/// How many bytes of unused segments a worker keeps: 128 MiB.
pub(crate) const KEPT_BY_WORKER: u64 = 128 << 20;

/// For how long they are kept when none was used: a second.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(1);

/// How many segments a pool has in use at most.
pub(crate) const MOST_OF_POOL: usize = 64;

/// How many segments a worker has in use at most.
pub(crate) const MOST_OF_WORKER: usize = 4;

/// Memory, and how much of it was ever written.
#[derive(Debug)]
struct Piece {
    memfd: Memfd,
    written: AtomicU64,
}

impl Piece {
    fn create() -> io::Result<Self> {
        Ok(Piece {
            memfd: Memfd::create("ppool-segment", 0)?,
            written: AtomicU64::new(0),
        })
    }

    /// How much memory it takes.
    fn byte_len(&self) -> u64 {
        self.written.load(Relaxed)
    }

    fn write(&self, at: usize, bytes: &[u8]) -> io::Result<()> {
        Memfd::write_at(self.memfd.as_fd(), at as u64, bytes)?;
        let end = at as u64 + bytes.len() as u64;
        self.written.fetch_max(end, Relaxed);
        Ok(())
    }
}

/// Which of some pieces suits a payload of `len` bytes: the smallest that is large enough, else the
/// largest, which has to grow least.
fn best_of(pieces: impl Iterator<Item = (usize, u64)>, len: u64) -> Option<usize> {
    let (best, _) = pieces.min_by_key(|(_, has)| match *has >= len {
        true => (0, *has),
        false => (1, u64::MAX - *has),
    })?;
    Some(best)
}

/// The segments of a pool, for the arguments of calls.
#[derive(Clone, Debug)]
pub struct SegmentPool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Wakes who calls [`SegmentPool::trim`].
    wake: Mutex<Option<Wake>>,
}

type Wake = Box<dyn Fn() + Send>;

#[derive(Debug)]
struct State {
    free: Vec<Piece>,
    /// How many are in use.
    used: usize,
    /// When one was last given back.
    since: Instant,
    /// Whether somebody will trim.
    armed: bool,
}

impl SegmentPool {
    /// One without segments.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a pool makes one, once")]
    pub fn new() -> Self {
        SegmentPool(Arc::new(Shared {
            state: Mutex::new(State {
                free: Vec::new(),
                used: 0,
                since: Instant::now(),
                armed: false,
            }),
            wake: Mutex::new(None),
        }))
    }

    /// Has `wake` called, by any thread and under any lock, when there is something to
    /// [trim](SegmentPool::trim) later; and no longer what was set before.
    pub fn on_kept(&self, wake: impl Fn() + Send + 'static) {
        *self.0.wake() = Some(Box::new(wake));
    }

    /// Frees what was kept for long enough; says when to come again, if there is something left.
    pub fn trim(&self) -> Option<Duration> {
        let mut state = self.0.lock();
        if !state.armed {
            return None;
        }
        let left = KEPT_FOR.saturating_sub(state.since.elapsed());
        if !left.is_zero() {
            return Some(left);
        }
        state.armed = false;
        let unused = std::mem::take(&mut state.free);
        drop(state);
        drop(unused);
        None
    }

    #[cfg(test)]
    fn kept(&self) -> (usize, u64) {
        let state = self.0.lock();
        (state.free.len(), state.kept_len())
    }
}

impl State {
    fn kept_len(&self) -> u64 {
        self.free.iter().map(Piece::byte_len).sum()
    }
}

impl Shared {
    /// Locks it. Nothing that holds this lock can leave things half done by a panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A segment is not used any more.
    fn put(&self, piece: Piece) {
        let mut state = self.lock();
        state.used -= 1;
        state.since = Instant::now();
        if state.free.len() == MOST_OF_POOL || state.kept_len() + piece.byte_len() > KEPT_BY_POOL {
            drop(state);
            // Freeing it takes a while.
            drop(piece);
            return;
        }
        state.free.push(piece);
        let wakes = !std::mem::replace(&mut state.armed, true);
        drop(state);
        if wakes && let Some(wake) = &*self.wake() {
            wake();
        }
    }

    fn wake(&self) -> MutexGuard<'_, Option<Wake>> {
        self.wake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Segments for SegmentPool {
    fn take(&self, len: usize) -> Option<Box<dyn Segment>> {
        let mut state = self.0.lock();
        if state.used == MOST_OF_POOL {
            return None;
        }
        state.used += 1;
        let pieces = state.free.iter().map(Piece::byte_len).enumerate();
        let kept = best_of(pieces, len as u64).map(|at| state.free.swap_remove(at));
        drop(state);
        match kept.map_or_else(Piece::create, Ok) {
            Ok(piece) => Some(Box::new(Lent {
                piece: Some(piece),
                pool: self.clone(),
            })),
            Err(_) => {
                self.0.lock().used -= 1;
                None
            }
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.state.fmt(f)
    }
}

/// A segment of a pool, until it is dropped.
#[derive(Debug)]
struct Lent {
    /// There until it is dropped.
    piece: Option<Piece>,
    pool: SegmentPool,
}

impl Lent {
    fn piece(&self) -> &Piece {
        self.piece.as_ref().expect("it was not dropped")
    }
}

impl Segment for Lent {
    fn write(&self, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.piece().write(at, bytes)
    }

    fn read(&self, at: usize, into: &mut [u8]) -> io::Result<()> {
        Memfd::read_at(self.piece().memfd.as_fd(), at as u64, into)
    }
}

impl AsFd for Lent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.piece().memfd.as_fd()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(piece) = self.piece.take() {
            self.pool.0.put(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::codec::segment::LARGE;

    #[test]
    fn a_segment_is_used_again_and_the_one_that_fits_best_first() {
        let pool = SegmentPool::new();
        let [small, large] = [LARGE, 4 * LARGE].map(|len| {
            let segment = pool.take(len).unwrap();
            segment.write(0, &vec![1; len]).unwrap();
            segment
        });
        drop((small, large));
        assert_eq!(pool.kept(), (2, 5 * LARGE as u64));
        let again = pool.take(2 * LARGE).unwrap();
        assert_eq!(pool.kept(), (1, LARGE as u64));
        let larger = pool.take(2 * LARGE).unwrap();
        assert_eq!(pool.kept(), (0, 0), "the small one grows");
        larger.write(0, &vec![2; 2 * LARGE]).unwrap();
        let mut byte = [0];
        larger.read(2 * LARGE - 1, &mut byte).unwrap();
        assert_eq!(byte, [2]);
        assert!(larger.read(2 * LARGE, &mut byte).is_err());
        drop((again, larger));
        assert_eq!(pool.kept(), (2, 6 * LARGE as u64));
    }

    #[test]
    fn a_pool_has_a_limit_of_segments_in_use_and_of_memory_kept() {
        let pool = SegmentPool::new();
        let used: Vec<_> = (0..MOST_OF_POOL).map(|_| pool.take(1).unwrap()).collect();
        assert!(pool.take(1).is_none());
        drop(used);
        let large = pool.take(1).unwrap();
        // A byte far behind takes little memory, but counts as all before it.
        let end = usize::try_from(KEPT_BY_POOL).unwrap();
        large.write(end, b"!").unwrap();
        let (kept, _) = pool.kept();
        drop(large);
        assert_eq!(pool.kept().0, kept, "too large to be kept");
    }

    #[test]
    fn who_trims_is_told_once_and_frees_everything_after_a_while() {
        let pool = SegmentPool::new();
        let told = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&told);
        pool.on_kept(move || {
            counts.fetch_add(1, Relaxed);
        });
        assert_eq!(pool.trim(), None);
        for _ in 0..3 {
            drop(pool.take(1).unwrap());
        }
        assert_eq!(told.load(Relaxed), 1);
        assert!(pool.trim().unwrap() <= KEPT_FOR);
        pool.0.lock().since -= KEPT_FOR;
        assert_eq!(pool.trim(), None);
        assert_eq!(pool.kept(), (0, 0));
        drop(pool.take(1).unwrap());
        assert_eq!(told.load(Relaxed), 2);
    }

    proptest! {
        #[test]
        fn the_piece_that_suits_wastes_and_grows_least(
            has in vec(0..1000u64, 0..10),
            len in 0..1000u64,
        ) {
            let best = best_of(has.iter().copied().enumerate(), len).map(|at| has[at]);
            let enough = has.iter().copied().filter(|has| *has >= len).min();
            prop_assert_eq!(best, enough.or(has.iter().copied().max()));
        }
    }
}
