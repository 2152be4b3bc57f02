//! [`SharedValue`]: one number that processes share.

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

/// A value in shared memory, as `multiprocessing.Value`: plain data, which one at a time has under its
/// lock, or an atomic, which all may use at once.
///
/// What travels is a handle: all who have it see the same value. For what is plain data, and for the
/// death of one who holds the lock, see [`SharedArray`](super::SharedArray).
///
/// ```
/// use ppool_core::shared::SharedValue;
///
/// // A task may take it: `#[task] fn add_one(count: &SharedValue<u64>)`.
/// fn add_one(count: &SharedValue<u64>) {
///     count.with_lock(|count| *count += 1);
/// }
/// let count = SharedValue::new(41);
/// add_one(&count);
/// assert_eq!(count.get(), 42);
/// ```
///
/// An atomic can be used without a lock:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use ppool_core::shared::SharedValue;
///
/// let count = SharedValue::<AtomicU64>::default();
/// count.fetch_add(1, Relaxed);
/// assert_eq!(count.load(Relaxed), 1);
/// ```
pub struct SharedValue<T> {
    data: Data<T>,
}

/// As long as it lives, its process has the value. It may go to another thread.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct ValueGuard<'a, T: Plain> {
    /// One value.
    values: DataGuard<'a, T>,
}

impl<T: Plain> SharedValue<T> {
    /// A value for all to have.
    ///
    /// # Panics
    /// When memory or descriptors have run out; [`SharedValue::try_new`] gives an error instead.
    #[must_use]
    pub fn new(value: T) -> Self {
        made(SharedValue::try_new(value))
    }

    /// As [`SharedValue::new`].
    ///
    /// # Errors
    /// When memory or descriptors have run out.
    pub fn try_new(value: T) -> io::Result<Self> {
        let shared = Self {
            data: Data::zeroed(Kind::Value, 1)?,
        };
        shared.set(value);
        Ok(shared)
    }

    /// The value now.
    #[must_use]
    pub fn get(&self) -> T {
        *self.lock()
    }

    /// Replaces the value.
    pub fn set(&self, value: T) {
        *self.lock() = value;
    }

    /// Runs `f` with the value, which nobody else has meanwhile.
    pub fn with_lock<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.lock())
    }

    /// Waits until nobody else has the value, and takes it.
    pub fn lock(&self) -> ValueGuard<'_, T> {
        let values = self.data.lock();
        ValueGuard { values }
    }

    /// Takes the value if nobody has it. Never waits.
    pub fn try_lock(&self) -> Option<ValueGuard<'_, T>> {
        let values = self.data.try_lock()?;
        Some(ValueGuard { values })
    }

    /// As [`SharedValue::lock`], for at most `timeout`. None when the time is over.
    pub fn lock_timeout(&self, timeout: Duration) -> Option<ValueGuard<'_, T>> {
        let values = self.data.lock_timeout(timeout)?;
        Some(ValueGuard { values })
    }
}

fn made<T>(made: io::Result<T>) -> T {
    match made {
        Ok(value) => value,
        Err(error) => panic!("a shared value can't be made: {error}"),
    }
}

/// Zero (all bytes of it).
///
/// # Panics
/// When memory or descriptors have run out.
impl<T: bytemuck::Zeroable> Default for SharedValue<T> {
    fn default() -> Self {
        let data = made(Data::zeroed(Kind::Value, 1));
        SharedValue { data }
    }
}

impl<T: Plain> From<T> for SharedValue<T> {
    fn from(value: T) -> Self {
        SharedValue::new(value)
    }
}

impl<T: Atomic> Deref for SharedValue<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data.atomics()[0]
    }
}

/// Another handle to the same value.
impl<T> Clone for SharedValue<T> {
    fn clone(&self) -> Self {
        SharedValue {
            data: self.data.clone(),
        }
    }
}

impl<T> fmt::Debug for SharedValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedValue").finish_non_exhaustive()
    }
}

impl<T> Serialize for SharedValue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.data.object().serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for SharedValue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Object::deserialize(Kind::Value, deserializer)?;
        let data = Data::of(object).map_err(de::Error::custom)?;
        match data.len() {
            1 => Ok(SharedValue { data }),
            other => Err(de::Error::custom(format_args!(
                "{other} values are not one"
            ))),
        }
    }
}

impl<T: Plain> ValueGuard<'_, T> {
    /// Whether the owner before died with the lock: the value may be half changed. It is told once.
    #[must_use]
    pub fn recovered(&self) -> Option<Recovered> {
        self.values.recovered()
    }
}

impl<T: Plain> Deref for ValueGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.values[0]
    }
}

impl<T: Plain> DerefMut for ValueGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.values[0]
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for ValueGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
