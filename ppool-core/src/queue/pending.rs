//! The ids of the calls that no worker has yet: the highest priority first, and first in first out
//! within one.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::WorkId;

/// The waiting calls. A cancelled call's id stays until it comes to the front; `len` doesn't count
/// it.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Those of priority 0: almost always all of them.
    usual: VecDeque<WorkId>,
    /// Those of other priorities; no queue in here is empty.
    others: BTreeMap<i32, VecDeque<WorkId>>,
    /// How many ids there are, those of cancelled calls included.
    ids: usize,
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
    pub(crate) fn push_back(&mut self, id: WorkId, priority: i32) {
        self.level(priority).push_back(id);
        self.ids += 1;
        self.len += 1;
    }

    /// A call that was with a worker and comes back: it goes before those of its priority that
    /// came later.
    pub(crate) fn push_front(&mut self, id: WorkId, priority: i32) {
        self.level(priority).push_front(id);
        self.ids += 1;
        self.len += 1;
    }

    /// `count` calls whose ids are in here no longer wait: `is_waiting` denies them from now on.
    pub(crate) fn forget(&mut self, count: usize, is_waiting: impl Fn(WorkId) -> bool) {
        self.len -= count;
        // Forgotten ids may not pile up behind a call that waits long.
        if self.ids > 2 * self.len + 64 {
            self.usual.retain(|&id| is_waiting(id));
            self.others.retain(|_, ids| {
                ids.retain(|&id| is_waiting(id));
                !ids.is_empty()
            });
            self.ids = self.len;
        }
    }

    /// The call whose turn it is; ids that `is_waiting` denies were forgotten before.
    pub(crate) fn pop(&mut self, is_waiting: impl Fn(WorkId) -> bool) -> Option<WorkId> {
        while let Some(id) = self.pop_id() {
            self.ids -= 1;
            if is_waiting(id) {
                self.len -= 1;
                return Some(id);
            }
        }
        debug_assert_eq!(self.len, 0, "every waiting call has its id in the queue");
        None
    }

    fn pop_id(&mut self) -> Option<WorkId> {
        if let Some(mut highest) = self.others.last_entry()
            && (*highest.key() > 0 || self.usual.is_empty())
        {
            let id = highest.get_mut().pop_front();
            if highest.get().is_empty() {
                highest.remove();
            }
            return id;
        }
        self.usual.pop_front()
    }

    fn level(&mut self, priority: i32) -> &mut VecDeque<WorkId> {
        match priority {
            0 => &mut self.usual,
            _ => self.others.entry(priority).or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(calls: &[(u64, i32)]) -> Pending {
        let mut pending = Pending::default();
        for &(id, priority) in calls {
            pending.push_back(WorkId(id), priority);
        }
        pending
    }

    fn drain(pending: &mut Pending, is_waiting: impl Fn(WorkId) -> bool) -> Vec<u64> {
        let ids = std::iter::from_fn(|| pending.pop(&is_waiting).map(|id| id.0));
        ids.collect()
    }

    #[test]
    fn higher_priorities_go_first_and_each_is_first_in_first_out() {
        let calls = [
            (1, 0),
            (2, -5),
            (3, 7),
            (4, 0),
            (5, 7),
            (6, -5),
            (7, i32::MAX),
        ];
        let mut pending = pending(&calls);
        assert_eq!(pending.len(), 7);
        assert_eq!(drain(&mut pending, |_| true), [7, 3, 5, 1, 4, 2, 6]);
        assert!(pending.is_empty());
    }

    #[test]
    fn a_call_that_comes_back_goes_before_those_of_its_priority() {
        let mut pending = pending(&[(2, 0), (3, 1)]);
        pending.push_front(WorkId(1), 0);
        assert_eq!(drain(&mut pending, |_| true), [3, 1, 2]);
    }

    #[test]
    fn forgotten_calls_are_not_given_and_do_not_pile_up() {
        let calls: Vec<_> = (0..1000).map(|id| (id, (id % 3) as i32 - 1)).collect();
        let mut pending = pending(&calls);
        let last = |id: WorkId| id.0 >= 998;
        pending.forget(998, last);
        assert_eq!((pending.len(), pending.ids), (2, 2));
        assert_eq!(drain(&mut pending, last), [998, 999]);
        assert!(pending.others.is_empty());
    }
}
