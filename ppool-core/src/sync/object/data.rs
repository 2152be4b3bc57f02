//! The data of an object: plain values, seen in place under its lock, or atomics.
//!
//! # Safety
//!
//! What lies there is either a slice of plain data, of which references exist only in a [`DataGuard`],
//! whose process holds the object's lock and which is the only guard there (SYNC-1); or a slice of
//! atomics, which any number of threads and processes may use at a time. Which of the two is in the
//! type: [`Plain`] data can be copied, atomics can't, so no type is both; and a handle that arrives as
//! one of another type is refused.
//!
//! Both kinds are valid whatever bytes they have, so a process that dies while it writes leaves
//! values that are half changed, and nothing worse. The length is this process's own: it was compared
//! with the memory when the object was made or arrived.
#![expect(
    unsafe_code,
    reason = "makes references into shared memory, for whoever holds its lock"
)]

use std::{
    fmt, io,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    sync::Arc,
    sync::atomic::{
        AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32,
        AtomicU64, AtomicUsize, Ordering::Relaxed,
    },
    time::Duration,
};

use super::{FutexBed, Kind, Object, Plan, Waker, layout};
use crate::{
    codec::Plain,
    sync::lock::{Recovered, acquire, try_acquire},
};

/// A number that many may change at a time: the atomics of the standard library, without
/// `AtomicBool`, for not every byte is a `bool`.
pub trait Atomic: bytemuck::Zeroable + Sync + sealed::Sealed {}

mod sealed {
    /// Nobody else's types are atomics.
    #[expect(unnameable_types, reason = "so that nobody else can implement it")]
    pub trait Sealed {}
}

macro_rules! atomics {
    ($($name:ty)*) => { $(
        impl sealed::Sealed for $name {}
        impl Atomic for $name {}
    )* };
}
atomics! {
    AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize
    AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize
}

/// The values at the start of an object's data.
pub(crate) struct Data<T> {
    object: Arc<Object>,
    len: usize,
    /// The values are in shared memory, so this owns none.
    _values: PhantomData<fn() -> T>,
}

impl<T> Clone for Data<T> {
    fn clone(&self) -> Self {
        Data {
            object: Arc::clone(&self.object),
            ..*self
        }
    }
}

impl<T> Data<T> {
    /// So many values, each all zeros.
    ///
    /// # Errors
    /// When memory, address space or descriptors have run out.
    pub(crate) fn zeroed(kind: Kind, len: usize) -> io::Result<Self>
    where
        T: bytemuck::Zeroable,
    {
        let data_len = len
            .checked_mul(size_of::<T>())
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let object = Object::create(Plan {
            parameter: len as u64,
            data_len,
            data_type: type_of::<T>(),
            ..Plan::plain(kind)
        })?;
        Data::of(object)
    }

    /// What an object that was made here or has arrived has as its data.
    ///
    /// # Errors
    /// When it has less than it says.
    pub(crate) fn of(object: Arc<Object>) -> io::Result<Self> {
        const {
            assert!(align_of::<T>() <= 4096, "shared data is aligned to pages");
        }
        let said = object.memory().word(layout::DATA_TYPE).load(Relaxed);
        let len = usize::try_from(object.parameter()).ok();
        len.filter(|len| {
            let bytes = len.checked_mul(size_of::<T>());
            said == type_of::<T>()
                && bytes.is_some_and(|bytes| bytes <= object.memory().len() - layout::DATA)
        })
        .map(|len| Data {
            object,
            len,
            _values: PhantomData,
        })
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the shared values are of another type",
            )
        })
    }

    pub(crate) fn object(&self) -> &Arc<Object> {
        &self.object
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Where the values lie: inside the memory and aligned.
    fn values(&self) -> NonNull<[T]> {
        let start = self.object.memory().at(layout::DATA).cast();
        NonNull::slice_from_raw_parts(start, self.len)
    }
}

/// A number for the type `T`, the same in all processes of one program: a hash of its name (FNV-1a).
/// So what is plain data for one can't be atomics for another.
fn type_of<T>() -> u64 {
    let name = std::any::type_name::<T>().bytes();
    name.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl<T: Atomic> Data<T> {
    /// The atomics.
    pub(crate) fn atomics(&self) -> &[T] {
        // SAFETY: inside the memory and aligned, valid as long as `self`, whatever bytes are there;
        // atomics may be changed behind a shared reference, by other processes too.
        unsafe { self.values().as_ref() }
    }
}

impl<T: Plain> Data<T> {
    /// Waits until nobody else has the values.
    pub(crate) fn lock(&self) -> DataGuard<'_, T> {
        match acquire(&self.object, || FutexBed::endless(&self.object)) {
            Some(acquired) => DataGuard::new(self, Recovered::of(acquired)),
            None => unreachable!("an endless wait has no end"),
        }
    }

    /// The values, if nobody else has them.
    pub(crate) fn try_lock(&self) -> Option<DataGuard<'_, T>> {
        let acquired = try_acquire(&self.object)?;
        Some(DataGuard::new(self, Recovered::of(acquired)))
    }

    /// As [`Data::lock`], for at most `timeout`.
    pub(crate) fn lock_timeout(&self, timeout: Duration) -> Option<DataGuard<'_, T>> {
        let bed = || FutexBed::with_timeout(&self.object, timeout);
        let acquired = acquire(&self.object, bed)?;
        Some(DataGuard::new(self, Recovered::of(acquired)))
    }
}

/// As long as it lives, no other thread or process has the values.
pub(crate) struct DataGuard<'a, T: Plain> {
    data: &'a Data<T>,
    recovered: Option<Recovered>,
    /// It is as good as the values themselves.
    _values: PhantomData<&'a mut [T]>,
}

impl<'a, T: Plain> DataGuard<'a, T> {
    /// For one who has just acquired the lock.
    fn new(data: &'a Data<T>, recovered: Option<Recovered>) -> Self {
        DataGuard {
            data,
            recovered,
            _values: PhantomData,
        }
    }

    pub(crate) fn recovered(&self) -> Option<Recovered> {
        self.recovered
    }
}

impl<T: Plain> Deref for DataGuard<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: inside the memory and aligned, valid as long as the guard, plain data whatever bytes
        // are there. The lock is held, so nobody writes.
        unsafe { self.data.values().as_ref() }
    }
}

impl<T: Plain> DerefMut for DataGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above; and this is the only guard, borrowed mutably.
        unsafe { self.data.values().as_mut() }
    }
}

impl<T: Plain> Drop for DataGuard<'_, T> {
    fn drop(&mut self) {
        self.data.object.lock_word().release(&Waker);
    }
}

impl<T> fmt::Debug for Data<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = self.object.lock_word().owner();
        f.debug_struct("Data")
            .field("len", &self.len)
            .field("held_by", &owner.map(|owner| owner.pid()))
            .finish()
    }
}
