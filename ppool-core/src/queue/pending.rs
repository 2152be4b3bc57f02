//! The ids of the calls that no worker has yet, first in first out.

use std::collections::VecDeque;

use crate::ids::WorkId;

/// The waiting calls. A cancelled call's id stays until it comes to the front; `len` doesn't count
/// it.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    ids: VecDeque<WorkId>,
    len: usize,
}

impl Pending {
    /// How many calls wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether none does.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A new call.
    pub(crate) fn push_back(&mut self, id: WorkId) {
        self.ids.push_back(id);
        self.len += 1;
    }

    /// A call that was with a worker and comes back: it goes before those that came later.
    pub(crate) fn push_front(&mut self, id: WorkId) {
        self.ids.push_front(id);
        self.len += 1;
    }

    /// `count` calls whose ids are in here no longer wait: `is_waiting` denies them from now on.
    pub(crate) fn forget(&mut self, count: usize, is_waiting: impl Fn(WorkId) -> bool) {
        self.len -= count;
        // Forgotten ids may not pile up behind a call that waits long.
        if self.ids.len() > 2 * self.len + 64 {
            self.ids.retain(|&id| is_waiting(id));
        }
    }

    /// The call that waits longest; ids that `is_waiting` denies were forgotten before.
    pub(crate) fn pop(&mut self, is_waiting: impl Fn(WorkId) -> bool) -> Option<WorkId> {
        while let Some(id) = self.ids.pop_front() {
            if is_waiting(id) {
                self.len -= 1;
                return Some(id);
            }
        }
        debug_assert_eq!(self.len, 0, "every waiting call has its id in the queue");
        None
    }
}
