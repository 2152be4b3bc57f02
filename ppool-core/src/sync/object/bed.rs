//! Sleeping over an object, in the kernel.

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::{Duration, Instant},
};

use super::Object;
use crate::{
    sync::algorithm::parking::{Bed, Rest},
    sys::futex::{self, Waited},
};

/// How long a thread sleeps at most while deaths can't be watched.
const UNWATCHED: Duration = Duration::from_millis(200);

/// A futex, and a deadline for this wait.
#[derive(Debug)]
pub(crate) struct FutexBed<'a> {
    object: &'a Arc<Object>,
    deadline: Option<Instant>,
}

impl<'a> FutexBed<'a> {
    /// Sleeps as long as it takes.
    #[inline]
    pub(crate) fn endless(object: &'a Arc<Object>) -> Self {
        FutexBed {
            object,
            deadline: None,
        }
    }

    /// Sleeps until `timeout` from now.
    pub(crate) fn with_timeout(object: &'a Arc<Object>, timeout: Duration) -> Self {
        FutexBed {
            object,
            // What the clock can't express is as good as endless.
            deadline: Instant::now().checked_add(timeout),
        }
    }
}

impl Bed for FutexBed<'_> {
    fn sleep(&self, sequence: &AtomicU32, seen: u32) -> Rest {
        let deadline = match self.object.watch_others() {
            Ok(()) => self.deadline,
            Err(_) => {
                let soon = Instant::now() + UNWATCHED;
                Some(self.deadline.map_or(soon, |deadline| deadline.min(soon)))
            }
        };
        match futex::wait_until(sequence, seen, deadline) {
            Ok(Waited::TimedOut) if deadline == self.deadline => Rest::TimedOut,
            waited => {
                debug_assert!(waited.is_ok(), "the word is mapped: {waited:?}");
                Rest::Woken
            }
        }
    }

    fn wake(&self, sequence: &AtomicU32, count: u32) {
        futex::wake(sequence, count);
    }
}

/// Wakes, and never sleeps.
#[derive(Debug)]
pub(crate) struct Waker;

impl Bed for Waker {
    fn sleep(&self, _: &AtomicU32, _: u32) -> Rest {
        unreachable!("a waker only wakes")
    }

    fn wake(&self, sequence: &AtomicU32, count: u32) {
        futex::wake(sequence, count);
    }
}
