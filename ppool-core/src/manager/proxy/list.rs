//! A list that a manager keeps.

use std::ops::RangeBounds;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Of, proxy,
    sequence::{Sequence, encode_all},
};
use crate::manager::{
    ManagerError,
    error::ManagerErrorKind,
    handle::Remote,
    item::{AsItem, encode},
    protocol::SequenceRequest,
};

/// A list that a [`Manager`](crate::manager::Manager) keeps, and every process with a handle can read
/// and change: what multiprocessing's `Manager().list()` is.
///
/// Each operation asks the server, and is atomic. Elements go in and come out as copies: a change to
/// one that came out is not seen by others until it is put back, which
/// [`update`](List::update) and [`edit`](List::edit) do.
///
/// A clone is another handle to the same list, and so is what arrives where a handle was sent.
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let active = Manager::start()?.list::<String>()?;
/// active.push("worker 1")?;
/// active.push("worker 2")?;
/// assert!(active.remove_item("worker 1")?);
/// assert_eq!(active.to_vec()?, ["worker 2"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Every operation fails when the server has ended ([`ManagerError::is_server_gone`]), when the
/// system has run out of something, and when an element can't be encoded or is of another type.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct List<T> {
    remote: Remote,
    #[serde(skip)]
    types: Of<T>,
}

proxy!(List<T>, types);

impl<T: Serialize + DeserializeOwned> List<T> {
    /// The element at `index`, the first being 0.
    ///
    /// # Errors
    /// See [`List`].
    pub fn get(&self, index: usize) -> Result<Option<T>, ManagerError> {
        self.sequence()
            .get(index)
            .map_err(|kind| ManagerError::new("List::get", kind))
    }

    /// The first element.
    ///
    /// # Errors
    /// See [`List`].
    pub fn first(&self) -> Result<Option<T>, ManagerError> {
        self.get(0)
    }

    /// Replaces the element at `index`; the one that was there before.
    ///
    /// # Errors
    /// When there is no such index ([`ManagerError::is_out_of_range`]); see also [`List`].
    pub fn set(&self, index: usize, value: impl AsItem<T>) -> Result<T, ManagerError> {
        self.sequence()
            .put(index, &value)
            .map_err(|kind| ManagerError::new("List::set", kind))
    }

    /// Appends an element: Python's `append`.
    ///
    /// # Errors
    /// See [`List`].
    pub fn push(&self, value: impl AsItem<T>) -> Result<(), ManagerError> {
        self.append([value])
            .map_err(|kind| ManagerError::new("List::push", kind))
    }

    /// Appends many elements, in one step.
    ///
    /// # Errors
    /// See [`List`].
    pub fn extend<I: IntoIterator<Item: AsItem<T>>>(&self, values: I) -> Result<(), ManagerError> {
        self.append(values)
            .map_err(|kind| ManagerError::new("List::extend", kind))
    }

    fn append<I: IntoIterator<Item: AsItem<T>>>(&self, values: I) -> Result<(), ManagerErrorKind> {
        let values = encode_all(values)?;
        self.sequence().done(SequenceRequest::Extend(values))
    }

    /// Puts an element before the one at `index`, or behind the last.
    ///
    /// # Errors
    /// When there are fewer elements ([`ManagerError::is_out_of_range`]); see also [`List`].
    pub fn insert(&self, index: usize, value: impl AsItem<T>) -> Result<(), ManagerError> {
        encode::<T>(&value)
            .and_then(|value| self.sequence().insert(index, value))
            .map_err(|kind| ManagerError::new("List::insert", kind))
    }

    /// Takes the element at `index` out. (For the element that equals a value, as Python's `remove`
    /// takes it, there is [`remove_item`](List::remove_item).)
    ///
    /// # Errors
    /// When there is no such index ([`ManagerError::is_out_of_range`]); see also [`List`].
    pub fn remove(&self, index: usize) -> Result<T, ManagerError> {
        self.sequence()
            .take(index)
            .map_err(|kind| ManagerError::new("List::remove", kind))
    }

    /// Takes the first element out that equals `value`. Says whether there was one.
    ///
    /// # Errors
    /// See [`List`].
    pub fn remove_item<Q: ?Sized>(&self, value: &Q) -> Result<bool, ManagerError>
    where
        T: PartialEq<Q>,
    {
        self.sequence()
            .edit(|elements: &mut Vec<T>| {
                let at = elements.iter().position(|element| element == value);
                at.map(|at| elements.remove(at)).is_some()
            })
            .map_err(|kind| ManagerError::new("List::remove_item", kind))
    }

    /// Takes the last element out.
    ///
    /// # Errors
    /// See [`List`].
    pub fn pop(&self) -> Result<Option<T>, ManagerError> {
        self.sequence()
            .pop()
            .map_err(|kind| ManagerError::new("List::pop", kind))
    }

    /// Whether an element equals `value`.
    ///
    /// # Errors
    /// See [`List`].
    pub fn contains<Q: ?Sized>(&self, value: &Q) -> Result<bool, ManagerError>
    where
        T: PartialEq<Q>,
    {
        self.position(value).map(|position| position.is_some())
    }

    /// The index of the first element that equals `value`: Python's `index`.
    ///
    /// # Errors
    /// See [`List`].
    pub fn position<Q: ?Sized>(&self, value: &Q) -> Result<Option<usize>, ManagerError>
    where
        T: PartialEq<Q>,
    {
        let elements = self.to_vec()?;
        Ok(elements.iter().position(|element| element == value))
    }

    /// All elements as they are at one moment.
    ///
    /// # Errors
    /// See [`List`].
    pub fn to_vec(&self) -> Result<Vec<T>, ManagerError> {
        self.slice(..)
    }

    /// The elements in `range` as they are at one moment, as far as they are there.
    ///
    /// # Errors
    /// See [`List`].
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>, ManagerError> {
        self.sequence()
            .range(range)
            .map_err(|kind| ManagerError::new("List::slice", kind))
    }

    /// The elements one after the other, each read when it is its turn: others may change the list
    /// meanwhile. It ends where the list ends then, and after an error.
    pub fn iter(&self) -> impl Iterator<Item = Result<T, ManagerError>> + '_ {
        let mut failed = false;
        (0..).map_while(move |index| {
            let element = if failed {
                None
            } else {
                self.get(index).transpose()
            };
            failed = matches!(element, Some(Err(_)));
            element
        })
    }

    /// Changes the element at `index` in place, atomically; what `change` returned.
    ///
    /// `change` runs here, on a copy. When others have changed the element meanwhile it runs again,
    /// on the new one, so it should do nothing but compute. Nobody waits for it.
    ///
    /// # Errors
    /// When there is no such index ([`ManagerError::is_out_of_range`]); see also [`List`].
    pub fn update<R>(
        &self,
        index: usize,
        change: impl FnMut(&mut T) -> R,
    ) -> Result<R, ManagerError> {
        self.sequence()
            .update(index, change)
            .map_err(|kind| ManagerError::new("List::update", kind))
    }

    /// Changes the whole list in place, atomically: to sort it, say, or to reverse it. What
    /// [`update`](List::update) says of `change` holds here too.
    ///
    /// ```no_run
    /// # use ppool_core as ppool;
    /// # use ppool::manager::{List, ManagerError};
    /// # fn example(scores: List<u32>) -> Result<(), ManagerError> {
    /// scores.edit(|scores| scores.sort())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`List`].
    pub fn edit<R>(&self, change: impl FnMut(&mut Vec<T>) -> R) -> Result<R, ManagerError> {
        self.sequence()
            .edit(change)
            .map_err(|kind| ManagerError::new("List::edit", kind))
    }

    /// Keeps the elements of which `keep` says so, in one step.
    ///
    /// # Errors
    /// See [`List`].
    pub fn retain(&self, mut keep: impl FnMut(&T) -> bool) -> Result<(), ManagerError> {
        self.sequence()
            .edit(|elements: &mut Vec<T>| elements.retain(&mut keep))
            .map_err(|kind| ManagerError::new("List::retain", kind))
    }
}

impl<T> List<T> {
    /// How many elements there are.
    ///
    /// # Errors
    /// See [`List`].
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.sequence()
            .len()
            .map_err(|kind| ManagerError::new("List::len", kind))
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// See [`List`].
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        self.len().map(|len| len == 0)
    }

    /// Takes all elements out.
    ///
    /// # Errors
    /// See [`List`].
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.sequence()
            .done(SequenceRequest::Clear)
            .map_err(|kind| ManagerError::new("List::clear", kind))
    }

    fn sequence(&self) -> Sequence<'_> {
        Sequence(&self.remote.0)
    }
}
