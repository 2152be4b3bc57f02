//! [`Barrier`]: nobody goes on before all are there.

use std::{fmt, io, sync::Arc, time::Duration};

use super::{
    algorithm::rendezvous::{Broken, MAX_PARTIES},
    handle::{made, travels},
    object::{FutexBed, Kind, Object, Plan, Waker},
};

/// A place where so many threads, in whatever processes, wait for each other, as
/// `multiprocessing.Barrier`. It can be used again and again.
///
/// It breaks when somebody [aborts](Barrier::abort) it, when the time of one who waits is over, and
/// when a process that has a handle to it dies while others wait: the dead may be one they wait for.
/// All who wait then get [`BrokenBarrier`], and so do all who come, until it is
/// [reset](Barrier::reset). Python's `action` is what the leader does.
///
/// ```
/// use std::thread;
/// use ppool_core::sync::Barrier;
///
/// let barrier = Barrier::new(3);
/// let leaders = thread::scope(|scope| {
///     let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| barrier.wait())).collect();
///     threads
///         .into_iter()
///         .map(|thread| thread.join().expect("no panic").expect("nobody breaks it"))
///         .filter(|turn| turn.is_leader())
///         .count()
/// });
/// assert_eq!(leaders, 1);
/// ```
#[derive(Clone)]
pub struct Barrier {
    object: Arc<Object>,
}

travels!(Barrier, Kind::Barrier);

/// All were there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarrierTurn {
    index: usize,
    leader: bool,
}

/// Not all came, and nobody can wait at the barrier until it is reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokenBarrier;

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier is broken")
    }
}

impl std::error::Error for BrokenBarrier {}

impl BarrierTurn {
    pub(crate) fn new(index: usize, parties: usize) -> Self {
        BarrierTurn {
            index,
            leader: index + 1 == parties,
        }
    }

    /// How many had come before this thread: from 0 to one less than the parties.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether this thread came last; one of each round did.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leader
    }
}

impl Barrier {
    #[cfg(test)]
    pub(super) fn object(&self) -> &Arc<Object> {
        &self.object
    }

    /// A barrier for so many parties, from 1 to 32 767.
    ///
    /// # Panics
    /// For other numbers, and when memory or descriptors have run out; [`Barrier::try_new`] gives an
    /// error instead.
    #[must_use]
    pub fn new(parties: usize) -> Self {
        made(Barrier::try_new(parties), "barrier")
    }

    /// As [`Barrier::new`].
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a number of parties that can't be; others when memory or
    /// descriptors have run out.
    pub fn try_new(parties: usize) -> io::Result<Self> {
        let most = MAX_PARTIES;
        let parties = u64::try_from(parties)
            .ok()
            .filter(|parties| (1..=u64::from(most)).contains(parties))
            .ok_or_else(|| {
                let message = format!("a barrier has from 1 to {most} parties");
                io::Error::new(io::ErrorKind::InvalidInput, message)
            })?;
        let object = Object::create(Plan {
            parameter: parties,
            ..Plan::plain(Kind::Barrier)
        })?;
        Ok(Barrier { object })
    }

    /// Waits until all parties wait.
    ///
    /// # Errors
    /// When the barrier is broken, or breaks.
    pub fn wait(&self) -> Result<BarrierTurn, BrokenBarrier> {
        self.wait_in(&FutexBed::endless(&self.object))
    }

    /// As [`Barrier::wait`], for at most `timeout`; then it breaks the barrier.
    ///
    /// # Errors
    /// When the barrier is broken, or breaks.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierTurn, BrokenBarrier> {
        self.wait_in(&FutexBed::with_timeout(&self.object, timeout))
    }

    /// Breaks the barrier, for all who wait and who come.
    pub fn abort(&self) {
        self.object.rendezvous().abort(&Waker);
    }

    /// Makes the barrier as new. Those who wait get [`BrokenBarrier`].
    pub fn reset(&self) {
        self.object.rendezvous().reset(&Waker);
    }

    /// Whether nobody can wait here until it is reset.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.object.rendezvous().is_broken()
    }

    /// How many have to come.
    #[must_use]
    pub fn parties(&self) -> usize {
        // It was a usize when the barrier was made.
        usize::try_from(self.object.parameter()).unwrap_or(usize::MAX)
    }

    /// How many wait now, as Python's `n_waiting`.
    #[must_use]
    pub fn waiting(&self) -> usize {
        usize::try_from(self.object.rendezvous().arrived()).unwrap_or(usize::MAX)
    }

    fn wait_in(&self, bed: &FutexBed<'_>) -> Result<BarrierTurn, BrokenBarrier> {
        // The seat: others must be able to learn of this process's death.
        self.object.me();
        let index = match self.object.rendezvous().wait(bed) {
            Ok(index) => usize::try_from(index).unwrap_or(usize::MAX),
            Err(Broken) => return Err(BrokenBarrier),
        };
        let leader = index + 1 == self.parties();
        Ok(BarrierTurn { index, leader })
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("waiting", &self.waiting())
            .field("is_broken", &self.is_broken())
            .finish_non_exhaustive()
    }
}
