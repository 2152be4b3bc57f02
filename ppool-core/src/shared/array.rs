//! [`SharedArray`]: numbers that processes share.

use std::{
    fmt, io,
    ops::{Deref, DerefMut},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    codec::Plain,
    sync::{
        Recovered,
        object::{
            Kind, Object,
            data::{Atomic, Data, DataGuard},
        },
    },
};

/// An array in shared memory, as `multiprocessing.Array`: of plain data, which one at a time has
/// under its lock, or of atomics, which all may use at once.
///
/// What travels is a handle, so passing an array to a task costs the same whatever its length, and all
/// who have it see the same values. Its length never changes. The memory goes with the last handle.
///
/// Plain data are numbers, arrays of them, and structs that derive bytemuck's `NoUninit` and
/// `AnyBitPattern` (or `Pod`). One who dies with the lock leaves the values as they are then, and the
/// next owner is [told](ArrayGuard::recovered).
///
/// ```
/// use ppool_core::shared::SharedArray;
///
/// // A task may take it: `#[task] fn double(numbers: &SharedArray<u32>)`.
/// fn double(numbers: &SharedArray<u32>) {
///     numbers.with_lock(|numbers| numbers.iter_mut().for_each(|number| *number *= 2));
/// }
/// let numbers = SharedArray::from([1, 2, 3]);
/// double(&numbers);
/// assert_eq!(numbers.to_vec(), [2, 4, 6]);
/// assert_eq!(numbers.get(2), Some(6));
/// ```
///
/// An array of atomics is a slice:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use ppool_core::shared::SharedArray;
///
/// let counts = SharedArray::<AtomicU64>::new(4);
/// counts[3].fetch_add(1, Relaxed);
/// assert_eq!(counts.iter().map(|count| count.load(Relaxed)).sum::<u64>(), 1);
/// ```
pub struct SharedArray<T> {
    data: Data<T>,
}

/// As long as it lives, its process has the values: a slice of them. It may go to another thread.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct ArrayGuard<'a, T: Plain> {
    values: DataGuard<'a, T>,
}

impl<T: bytemuck::Zeroable> SharedArray<T> {
    /// So many values, each zero (all bytes of it).
    ///
    /// # Panics
    /// When memory, address space or descriptors have run out; [`SharedArray::try_new`] gives an
    /// error instead.
    #[must_use]
    pub fn new(len: usize) -> Self {
        match SharedArray::try_new(len) {
            Ok(array) => array,
            Err(error) => panic!("a shared array can't be made: {error}"),
        }
    }

    /// As [`SharedArray::new`].
    ///
    /// # Errors
    /// When memory, address space or descriptors have run out. The kernel takes pages only when they
    /// are written, so it may run out of memory later, and then it ends a process.
    pub fn try_new(len: usize) -> io::Result<Self> {
        let data = Data::zeroed(Kind::Array, len)?;
        Ok(SharedArray { data })
    }
}

impl<T> SharedArray<T> {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Plain> SharedArray<T> {
    /// A copy of `values`, for all to have.
    ///
    /// # Panics
    /// As [`SharedArray::new`].
    #[must_use]
    pub fn from_slice(values: &[T]) -> Self {
        let array = SharedArray::new(values.len());
        array.with_lock(|shared| shared.copy_from_slice(values));
        array
    }

    /// Runs `f` with the values, which nobody else has meanwhile.
    pub fn with_lock<R>(&self, f: impl FnOnce(&mut [T]) -> R) -> R {
        f(&mut self.lock())
    }

    /// Waits until nobody else has the values, and takes them.
    pub fn lock(&self) -> ArrayGuard<'_, T> {
        let values = self.data.lock();
        ArrayGuard { values }
    }

    /// Takes the values if nobody has them. Never waits.
    pub fn try_lock(&self) -> Option<ArrayGuard<'_, T>> {
        let values = self.data.try_lock()?;
        Some(ArrayGuard { values })
    }

    /// As [`SharedArray::lock`], for at most `timeout`. None when the time is over.
    pub fn lock_timeout(&self, timeout: Duration) -> Option<ArrayGuard<'_, T>> {
        let values = self.data.lock_timeout(timeout)?;
        Some(ArrayGuard { values })
    }

    /// A value, if there are so many. It takes the lock; for several values,
    /// [`with_lock`](SharedArray::with_lock) takes it once.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<T> {
        // Without the lock where there is nothing to see.
        (index < self.len()).then(|| self.lock()[index])
    }

    /// Replaces a value, under the lock.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn set(&self, index: usize, value: T) {
        self.lock()[index] = value;
    }

    /// A copy of all values at one moment.
    #[must_use]
    pub fn to_vec(&self) -> Vec<T> {
        self.lock().to_vec()
    }
}

impl<T: Plain> From<&[T]> for SharedArray<T> {
    fn from(values: &[T]) -> Self {
        SharedArray::from_slice(values)
    }
}

impl<T: Plain, const N: usize> From<[T; N]> for SharedArray<T> {
    fn from(values: [T; N]) -> Self {
        SharedArray::from_slice(&values)
    }
}

impl<T: Plain> From<Vec<T>> for SharedArray<T> {
    fn from(values: Vec<T>) -> Self {
        SharedArray::from_slice(&values)
    }
}

impl<T: Plain> FromIterator<T> for SharedArray<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        SharedArray::from(Vec::from_iter(values))
    }
}

impl<T: Atomic> Deref for SharedArray<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.data.atomics()
    }
}

/// Another handle to the same array.
impl<T> Clone for SharedArray<T> {
    fn clone(&self) -> Self {
        SharedArray {
            data: self.data.clone(),
        }
    }
}

impl<T> fmt::Debug for SharedArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedArray")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<T> Serialize for SharedArray<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.data.object().serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for SharedArray<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Object::deserialize(Kind::Array, deserializer)?;
        let data = Data::of(object).map_err(de::Error::custom)?;
        Ok(SharedArray { data })
    }
}

impl<T: Plain> ArrayGuard<'_, T> {
    /// Whether the owner before died with the lock: the values may be half changed. It is told once.
    #[must_use]
    pub fn recovered(&self) -> Option<Recovered> {
        self.values.recovered()
    }
}

impl<T: Plain> Deref for ArrayGuard<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values
    }
}

impl<T: Plain> DerefMut for ArrayGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for ArrayGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
