//! [`Semaphore`] and [`BoundedSemaphore`]: so many at a time.

use std::{fmt, io, mem::ManuallyDrop, sync::Arc, time::Duration};

use super::{
    algorithm::permits::{MAX_PERMITS, Permits},
    handle::{made, travels},
    object::{FutexBed, Kind, Object, Plan, Waker},
    spin::spin,
};

/// So many permits that processes share, as `multiprocessing.Semaphore`.
///
/// A [`Permit`] comes back when it is dropped, and when its process dies. As with Python's,
/// [`release`](Semaphore::release) puts one more in, whoever does it; to take a permit in one process
/// and release it in another, [forget](Permit::forget) it in the first.
///
/// ```
/// use ppool_core::sync::Semaphore;
///
/// let semaphore = Semaphore::new(2);
/// let one = semaphore.acquire();
/// let two = semaphore.acquire();
/// assert!(semaphore.try_acquire().is_none());
/// drop(one);
/// assert_eq!(semaphore.available(), 1);
/// two.forget();
/// semaphore.release();
/// assert_eq!(semaphore.available(), 2);
/// ```
#[derive(Clone)]
pub struct Semaphore {
    object: Arc<Object>,
}

travels!(Semaphore, Kind::Semaphore);

/// A [`Semaphore`] that never has more permits than at first, as `multiprocessing.BoundedSemaphore`:
/// releasing too often is an error.
///
/// ```
/// use ppool_core::sync::BoundedSemaphore;
///
/// let semaphore = BoundedSemaphore::new(1);
/// assert!(semaphore.release().is_err());
/// semaphore.acquire().forget();
/// assert!(semaphore.release().is_ok());
/// ```
#[derive(Clone)]
pub struct BoundedSemaphore {
    object: Arc<Object>,
}

travels!(BoundedSemaphore, Kind::BoundedSemaphore);

/// One permit; dropping it gives it back.
#[must_use = "the permit is given back when it is dropped"]
pub struct Permit<'a> {
    object: &'a Arc<Object>,
}

/// A [`BoundedSemaphore`] was released more often than acquired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyReleases;

impl fmt::Display for TooManyReleases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore was released too many times")
    }
}

impl std::error::Error for TooManyReleases {}

macro_rules! acquiring {
    ($name:ident, $kind:expr) => {
        impl $name {
            #[cfg(test)]
            pub(super) fn object(&self) -> &Arc<Object> {
                &self.object
            }

            /// A semaphore with so many permits, at most 16 777 215.
            ///
            /// # Panics
            /// For more permits than that. When memory or descriptors have run out.
            /// [`try_new`](Self::try_new) gives an error instead.
            #[must_use]
            pub fn new(permits: usize) -> Self {
                made(Self::try_new(permits), "semaphore")
            }

            /// As [`new`](Self::new).
            ///
            /// # Errors
            /// [`io::ErrorKind::InvalidInput`] for too many permits; others when memory or
            /// descriptors have run out.
            pub fn try_new(permits: usize) -> io::Result<Self> {
                create($kind, permits).map(|object| $name { object })
            }

            /// Waits until a permit is free, and takes it.
            pub fn acquire(&self) -> Permit<'_> {
                match acquire(&self.object, || FutexBed::endless(&self.object)) {
                    Some(permit) => permit,
                    None => unreachable!("an endless wait has no end"),
                }
            }

            /// Takes a permit if one is free. Never waits.
            pub fn try_acquire(&self) -> Option<Permit<'_>> {
                try_acquire(&self.object)
            }

            /// As [`acquire`](Self::acquire), for at most `timeout`. None when the time is over.
            pub fn acquire_timeout(&self, timeout: Duration) -> Option<Permit<'_>> {
                acquire(&self.object, || {
                    FutexBed::with_timeout(&self.object, timeout)
                })
            }

            /// How many permits are free now.
            #[must_use]
            pub fn available(&self) -> usize {
                // It fits: a semaphore has fewer than 2^24.
                usize::try_from(self.object.permits().free()).unwrap_or(usize::MAX)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("available", &self.available())
                    .finish_non_exhaustive()
            }
        }
    };
}
acquiring!(Semaphore, Kind::Semaphore);
acquiring!(BoundedSemaphore, Kind::BoundedSemaphore);

impl Semaphore {
    /// Puts one more permit in.
    ///
    /// # Panics
    /// When there are 16 777 215 free ones.
    pub fn release(&self) {
        let released = self.object.permits().put_in(self.object.seat(), &Waker);
        assert!(released.is_ok(), "a semaphore has at most 2^24 - 1 permits");
    }
}

impl BoundedSemaphore {
    /// Puts one permit in that was [forgotten](Permit::forget).
    ///
    /// # Errors
    /// When as many are free as there were at first.
    pub fn release(&self) -> Result<(), TooManyReleases> {
        let permits = self.object.permits();
        let released = permits.put_in(self.object.seat(), &Waker);
        released.map_err(|_| TooManyReleases)
    }
}

impl Permit<'_> {
    /// Keeps the permit taken, beyond the death of this process too, until somebody releases one by
    /// hand.
    pub fn forget(self) {
        let permit = ManuallyDrop::new(self);
        permit.object.permits().forget(permit.object.seat());
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        let permits = self.object.permits();
        permits.give_back(self.object.seat(), &Waker);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

fn create(kind: Kind, permits: usize) -> io::Result<Arc<Object>> {
    let permits = u32::try_from(permits)
        .ok()
        .filter(|permits| *permits <= MAX_PERMITS)
        .ok_or_else(|| {
            let message = format!("a semaphore has at most {MAX_PERMITS} permits");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })?;
    Object::create(Plan {
        parameter: permits.into(),
        word: Permits::<Object>::initial(permits),
        ..Plan::plain(kind)
    })
}

#[inline]
fn acquire<'a, 'b>(
    object: &'a Arc<Object>,
    bed: impl FnOnce() -> FutexBed<'b>,
) -> Option<Permit<'a>> {
    let (permits, seat) = (object.permits(), object.seat());
    let look = || permits.try_acquire_politely(seat).then_some(());
    let acquired = look().or_else(|| spin(look)).is_some() || permits.acquire(seat, &bed());
    // Not `then_some`: a permit that is made is given back.
    acquired.then(|| Permit { object })
}

fn try_acquire(object: &Arc<Object>) -> Option<Permit<'_>> {
    let (permits, seat) = (object.permits(), object.seat());
    let acquired = permits.try_acquire(seat) || {
        // It need not succeed: then a death is noticed by the next one who waits.
        let _ = object.watch_others();
        permits.try_acquire(seat)
    };
    // Not `then_some`: a permit that is made is given back.
    acquired.then(|| Permit { object })
}
