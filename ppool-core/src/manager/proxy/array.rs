//! A list of a fixed length.

use std::ops::RangeBounds;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Of, proxy, sequence::Sequence};
use crate::manager::{ManagerError, handle::Remote, item::AsItem};

/// Values in a row, as many as there were when it was made: what multiprocessing's
/// `Manager().Array()` is.
///
/// What [`List`](super::List) says of its elements holds here too. For plain numbers that many
/// processes work on, [`SharedArray`](crate::shared::SharedArray) is faster by far.
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let counts = Manager::start()?.array([0_u64; 8])?;
/// counts.set(3, 7_u64)?;
/// counts.update(3, |count| *count += 1)?;
/// assert_eq!(counts.get(3)?, 8);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As with [`List`](super::List).
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Array<T> {
    remote: Remote,
    #[serde(skip)]
    types: Of<T>,
}

proxy!(Array<T>, types);

impl<T: Serialize + DeserializeOwned> Array<T> {
    /// The element at `index`, the first being 0.
    ///
    /// # Errors
    /// When there is no such index ([`ManagerError::is_out_of_range`]); see also [`Array`].
    pub fn get(&self, index: usize) -> Result<T, ManagerError> {
        let get = || {
            let sequence = self.sequence();
            match sequence.get(index)? {
                Some(element) => Ok(element),
                None => Err(crate::manager::error::ManagerErrorKind::out_of_range(
                    index as u64,
                    sequence.len()? as u64,
                )),
            }
        };
        get().map_err(|kind| ManagerError::new("Array::get", kind))
    }

    /// Replaces the element at `index`; the one that was there before.
    ///
    /// # Errors
    /// When there is no such index ([`ManagerError::is_out_of_range`]); see also [`Array`].
    pub fn set(&self, index: usize, value: impl AsItem<T>) -> Result<T, ManagerError> {
        self.sequence()
            .put(index, &value)
            .map_err(|kind| ManagerError::new("Array::set", kind))
    }

    /// Changes the element at `index` in place, atomically; what `change` returned. See
    /// [`List::update`](super::List::update).
    ///
    /// # Errors
    /// When there is no such index ([`ManagerError::is_out_of_range`]); see also [`Array`].
    pub fn update<R>(
        &self,
        index: usize,
        change: impl FnMut(&mut T) -> R,
    ) -> Result<R, ManagerError> {
        self.sequence()
            .update(index, change)
            .map_err(|kind| ManagerError::new("Array::update", kind))
    }

    /// Changes all elements in place, atomically; what `change` returned. See
    /// [`List::edit`](super::List::edit).
    ///
    /// # Errors
    /// See [`Array`].
    pub fn edit<R>(&self, mut change: impl FnMut(&mut [T]) -> R) -> Result<R, ManagerError> {
        self.sequence()
            .edit(|elements: &mut Vec<T>| change(elements))
            .map_err(|kind| ManagerError::new("Array::edit", kind))
    }

    /// All elements as they are at one moment.
    ///
    /// # Errors
    /// See [`Array`].
    pub fn to_vec(&self) -> Result<Vec<T>, ManagerError> {
        self.slice(..)
    }

    /// The elements in `range` as they are at one moment, as far as they are there.
    ///
    /// # Errors
    /// See [`Array`].
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>, ManagerError> {
        self.sequence()
            .range(range)
            .map_err(|kind| ManagerError::new("Array::slice", kind))
    }
}

impl<T> Array<T> {
    /// How many elements there are.
    ///
    /// # Errors
    /// See [`Array`].
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.sequence()
            .len()
            .map_err(|kind| ManagerError::new("Array::len", kind))
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// See [`Array`].
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        self.len().map(|len| len == 0)
    }

    fn sequence(&self) -> Sequence<'_> {
        Sequence(&self.remote.0)
    }
}
