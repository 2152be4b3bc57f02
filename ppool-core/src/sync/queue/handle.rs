//! [`Queue`].

use std::{fmt, io, iter::FusedIterator, marker::PhantomData, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::{
    items::{self, Wait},
    store::{HEAD_LEN, Store},
};
use crate::sync::{
    handle::made,
    item::{self, GetError, MOST_DESCRIPTORS, PutError},
    object::{Kind, Object},
};

/// A queue between processes, first in, first out, as `multiprocessing.Queue`: any number of
/// producers and consumers, items of any type that serde carries and of any size, handles of this
/// module among them.
///
/// It may be an argument of a task, a result, or part of either, or an item itself. An item is in the
/// queue when [`put`](Queue::put) returns; no thread carries it there, so a producer may end at
/// once. One that is killed has put its item or has not, and a consumer that is killed loses the item
/// that it had taken, and no other.
///
/// A queue ends when somebody [closes](Queue::close) it: then nothing can be put any more, and who
/// gets comes to an end when it is empty. It does not close by itself when its producers are gone, for
/// every handle may put; [`pipe`](crate::sync::pipe) is for that.
///
/// ```
/// use ppool_core::sync::Queue;
///
/// let queue = Queue::new();
/// for n in 0..3 {
///     queue.put(n)?;
/// }
/// queue.close();
/// assert!(queue.put(3).is_err_and(|error| error.is_closed()));
/// let items: Vec<u32> = queue.iter().collect();
/// assert_eq!(items, [0, 1, 2]);
/// # Ok::<(), ppool_core::sync::PutError<u32>>(())
/// ```
///
/// # Limits
///
/// An item has at most 252 descriptors with it, and a queue some hundred items with descriptors at a
/// time; who puts more waits as for any other room.
pub struct Queue<T> {
    pub(super) object: Arc<Object>,
    _items: PhantomData<fn(T) -> T>,
}

impl<T> Queue<T> {
    /// A queue for as many items as come.
    ///
    /// # Panics
    /// When memory or descriptors have run out; [`Queue::try_new`] gives an error instead.
    #[must_use]
    pub fn new() -> Self {
        made(Queue::try_new(), "queue")
    }

    /// As [`Queue::new`].
    ///
    /// # Errors
    /// When memory or descriptors have run out.
    pub fn try_new() -> io::Result<Self> {
        Queue::create(Kind::Queue, 0)
    }

    /// A queue for at most `capacity` items at a time: who puts more waits for room.
    ///
    /// # Panics
    /// For a capacity of zero, and when memory or descriptors have run out;
    /// [`Queue::try_bounded`] gives an error instead.
    #[must_use]
    pub fn bounded(capacity: usize) -> Self {
        made(Queue::try_bounded(capacity), "queue")
    }

    /// As [`Queue::bounded`].
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a capacity of zero; others when memory or descriptors have
    /// run out.
    pub fn try_bounded(capacity: usize) -> io::Result<Self> {
        Queue::create(Kind::Queue, bound(capacity)?)
    }

    pub(super) fn create(kind: Kind, bound: u64) -> io::Result<Self> {
        items::create(kind, bound).map(Queue::of)
    }

    pub(super) fn of(object: Arc<Object>) -> Self {
        Queue {
            object,
            _items: PhantomData,
        }
    }

    /// From now on nothing is put; what is there can still be taken. It closes the queue for all.
    pub fn close(&self) {
        Store(&self.object).close();
    }

    /// Whether somebody has closed it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        Store(&self.object).is_closed()
    }

    /// How many items are there now.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(Store(&self.object).len()).unwrap_or(usize::MAX)
    }

    /// Whether no item is there now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items there may be at a time; none for as many as come.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        match Store(&self.object).bound() {
            0 => None,
            bound => usize::try_from(bound).ok(),
        }
    }

    /// Whether there are as many items as there may be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.capacity()
            .is_some_and(|capacity| self.len() >= capacity)
    }
}

/// A bound that is one.
pub(super) fn bound(capacity: usize) -> io::Result<u64> {
    match capacity {
        0 => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a queue has room for at least one item",
        )),
        capacity => Ok(capacity as u64),
    }
}

impl<T: Serialize + DeserializeOwned> Queue<T> {
    /// Puts an item in, waiting for room if need be.
    ///
    /// # Errors
    /// When the queue is closed, or the item can't be encoded, or memory has run out; the error has
    /// the item.
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        self.put_in(item, Wait::AsLongAsItTakes)
    }

    /// As [`put`](Queue::put), for at most `timeout`.
    ///
    /// # Errors
    /// As [`put`](Queue::put); [`PutError::Full`] when the time is over.
    pub fn put_timeout(&self, item: T, timeout: Duration) -> Result<(), PutError<T>> {
        self.put_in(item, Wait::AtMost(timeout))
    }

    /// Puts an item in if there is room. Never waits for any.
    ///
    /// # Errors
    /// As [`put`](Queue::put); [`PutError::Full`] when there is no room.
    pub fn try_put(&self, item: T) -> Result<(), PutError<T>> {
        self.put_in(item, Wait::Never)
    }

    /// Waits for an item, and takes it.
    ///
    /// # Errors
    /// When the queue is closed and empty, or the item can't be decoded.
    pub fn get(&self) -> Result<T, GetError> {
        self.get_in(Wait::AsLongAsItTakes)
    }

    /// As [`get`](Queue::get), for at most `timeout`.
    ///
    /// # Errors
    /// As [`get`](Queue::get); [`GetError::Empty`] when the time is over.
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        self.get_in(Wait::AtMost(timeout))
    }

    /// Takes an item if one is there. Never waits for one.
    ///
    /// # Errors
    /// As [`get`](Queue::get); [`GetError::Empty`] when there is none.
    pub fn try_get(&self) -> Result<T, GetError> {
        self.get_in(Wait::Never)
    }

    /// Takes items until the queue is closed and empty, waiting for each.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { queue: self }
    }

    fn put_in(&self, item: T, wait: Wait) -> Result<(), PutError<T>> {
        item::encode(&item, &[0; HEAD_LEN], MOST_DESCRIPTORS)
            .and_then(|(record, descriptors)| items::put(&self.object, record, &descriptors, wait))
            .map_err(|why| PutError::of(item, why))
    }

    fn get_in(&self, wait: Wait) -> Result<T, GetError> {
        let (bytes, attached) = items::get(&self.object, wait)?;
        item::decode(&bytes, &attached)
    }
}

/// The items of a queue, until it is closed and empty.
///
/// # Panics
/// When an item can't be decoded; [`Queue::get`] gives an error instead.
#[derive(Debug)]
#[must_use = "it takes items as it is advanced"]
pub struct Iter<'a, T> {
    queue: &'a Queue<T>,
}

impl<T: Serialize + DeserializeOwned> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self.queue.get() {
            Ok(item) => Some(item),
            Err(GetError::Closed) => None,
            Err(error) => panic!("no item from the queue: {error}"),
        }
    }
}

impl<T: Serialize + DeserializeOwned> FusedIterator for Iter<'_, T> {}

impl<'a, T: Serialize + DeserializeOwned> IntoIterator for &'a Queue<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue::new()
    }
}

/// Another handle to the same queue.
impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Queue::of(Arc::clone(&self.object))
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl<T> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.object.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Object::deserialize(Kind::Queue, deserializer).map(Queue::of)
    }
}
