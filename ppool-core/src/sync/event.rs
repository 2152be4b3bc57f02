//! [`Event`]: something that has happened.

use std::{fmt, io, sync::Arc, time::Duration};

use super::{
    handle::{made, travels},
    object::{FutexBed, Kind, Object, Plan, Waker},
    spin::spin,
};

/// A flag that processes wait for, as `multiprocessing.Event`.
///
/// Who waits when it is set goes on, also if it is cleared right afterwards.
///
/// ```
/// use std::time::Duration;
/// use ppool_core::sync::Event;
///
/// let event = Event::new();
/// assert!(!event.wait_timeout(Duration::from_millis(1)));
/// event.set();
/// event.wait();
/// assert!(event.is_set());
/// event.clear();
/// assert!(!event.is_set());
/// ```
#[derive(Clone)]
pub struct Event {
    object: Arc<Object>,
}

travels!(Event, Kind::Event);

impl Event {
    /// An event that is not set.
    ///
    /// # Panics
    /// When memory or descriptors have run out; [`Event::try_new`] gives an error instead.
    #[must_use]
    pub fn new() -> Self {
        made(Event::try_new(), "event")
    }

    /// As [`Event::new`].
    ///
    /// # Errors
    /// When memory or descriptors have run out.
    pub fn try_new() -> io::Result<Self> {
        let object = Object::create(Plan::plain(Kind::Event))?;
        Ok(Event { object })
    }

    /// Sets it, and wakes all who wait. What was done before is seen by those who see it set.
    pub fn set(&self) {
        self.object.switch().set(&Waker);
    }

    /// Takes it back: from now on others wait until it is set again.
    pub fn clear(&self) {
        self.object.switch().clear();
    }

    /// Whether it is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.object.switch().is_set()
    }

    /// Waits until it is set.
    pub fn wait(&self) {
        let came = self.wait_in(|| FutexBed::endless(&self.object));
        debug_assert!(came, "an endless wait has no end");
    }

    /// Waits until it is set, for at most `timeout`. Whether it is.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_in(|| FutexBed::with_timeout(&self.object, timeout))
    }

    fn wait_in<'a>(&self, bed: impl FnOnce() -> FutexBed<'a>) -> bool {
        let switch = self.object.switch();
        let set = || switch.is_set().then_some(());
        // The seat: whoever looks on must be known to those who come to set it.
        self.object.me();
        set().or_else(|| spin(set)).is_some() || switch.wait(&bed())
    }
}

impl Default for Event {
    fn default() -> Self {
        Event::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("is_set", &self.is_set())
            .finish_non_exhaustive()
    }
}
