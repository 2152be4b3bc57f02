//! [`JoinableQueue`].

use std::{fmt, io, ops::Deref, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::{
    handle::{Iter, Queue, bound},
    items::{self, Wait},
};
use crate::sync::{
    handle::made,
    object::{Kind, Object},
};

/// A [`Queue`] that knows when all that was put is done, as `multiprocessing.JoinableQueue`.
///
/// Whoever has taken an item says [`task_done`](JoinableQueue::task_done) when it has done what there
/// was to do. An item that a process has taken and not done when it dies counts as done: nobody will
/// do it any more. In everything else it is a [`Queue`].
///
/// ```
/// use std::thread;
/// use ppool_core::sync::JoinableQueue;
///
/// let queue = JoinableQueue::new();
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         for _item in &queue {
///             queue.task_done().expect("it was taken");
///         }
///     });
///     (0..3).for_each(|n| queue.put(n).expect("it is open"));
///     queue.join();
///     assert!(queue.is_empty());
///     queue.close();
/// });
/// ```
pub struct JoinableQueue<T> {
    queue: Queue<T>,
}

/// [`JoinableQueue::task_done`] was called more often than items were taken by this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyDone;

impl fmt::Display for TooManyDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more items were said to be done than this process has taken")
    }
}

impl std::error::Error for TooManyDone {}

impl<T> JoinableQueue<T> {
    /// A queue for as many items as come.
    ///
    /// # Panics
    /// When memory or descriptors have run out; [`JoinableQueue::try_new`] gives an error instead.
    #[must_use]
    pub fn new() -> Self {
        made(JoinableQueue::try_new(), "queue")
    }

    /// As [`JoinableQueue::new`].
    ///
    /// # Errors
    /// When memory or descriptors have run out.
    pub fn try_new() -> io::Result<Self> {
        let queue = Queue::create(Kind::JoinableQueue, 0)?;
        Ok(JoinableQueue { queue })
    }

    /// A queue for at most `capacity` items at a time: who puts more waits for room.
    ///
    /// # Panics
    /// For a capacity of zero, and when memory or descriptors have run out;
    /// [`JoinableQueue::try_bounded`] gives an error instead.
    #[must_use]
    pub fn bounded(capacity: usize) -> Self {
        made(JoinableQueue::try_bounded(capacity), "queue")
    }

    /// As [`JoinableQueue::bounded`].
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a capacity of zero; others when memory or descriptors have
    /// run out.
    pub fn try_bounded(capacity: usize) -> io::Result<Self> {
        let queue = Queue::create(Kind::JoinableQueue, bound(capacity)?)?;
        Ok(JoinableQueue { queue })
    }

    /// One item that this process has taken is done.
    ///
    /// # Errors
    /// When it was said of all that this process has taken.
    pub fn task_done(&self) -> Result<(), TooManyDone> {
        match items::done(&self.queue.object) {
            true => Ok(()),
            false => Err(TooManyDone),
        }
    }

    /// Waits until all items were taken and are done, or those who had taken them are dead.
    pub fn join(&self) {
        let joined = items::join(&self.queue.object, Wait::AsLongAsItTakes);
        debug_assert!(joined, "an endless wait has no end");
    }

    /// As [`join`](JoinableQueue::join), for at most `timeout`. Whether all are done.
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        items::join(&self.queue.object, Wait::AtMost(timeout))
    }
}

impl<T> Deref for JoinableQueue<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Queue<T> {
        &self.queue
    }
}

impl<'a, T: Serialize + DeserializeOwned> IntoIterator for &'a JoinableQueue<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.queue.iter()
    }
}

impl<T> Default for JoinableQueue<T> {
    fn default() -> Self {
        JoinableQueue::new()
    }
}

/// Another handle to the same queue.
impl<T> Clone for JoinableQueue<T> {
    fn clone(&self) -> Self {
        let queue = self.queue.clone();
        JoinableQueue { queue }
    }
}

impl<T> fmt::Debug for JoinableQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinableQueue")
            .field("queue", &self.queue)
            .finish()
    }
}

impl<T> Serialize for JoinableQueue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.queue.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for JoinableQueue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Object::deserialize(Kind::JoinableQueue, deserializer)?;
        let queue = Queue::of(object);
        Ok(JoinableQueue { queue })
    }
}
