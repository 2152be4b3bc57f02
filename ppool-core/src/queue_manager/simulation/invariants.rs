//! What must be true after each step.

use super::{Submission, World};
use crate::queue::Place;

impl World {
    /// What was sent comes before what still waits: by priority, and within one by age, as far as
    /// it was not with a worker before.
    pub(super) fn check_order(&mut self) {
        let mut order: Vec<usize> = std::mem::take(&mut self.sent);
        if order.is_empty() {
            return;
        }
        let waiting = |submission: &Submission| {
            let item = self.reactor.item(submission.id);
            item.is_some_and(|item| item.place == Place::Waiting && !submission.pinned)
        };
        let all = self.submissions.iter().enumerate();
        let waiting: Vec<usize> = all
            .filter(|(_, one)| waiting(one))
            .map(|(at, _)| at)
            .collect();
        order.push(usize::MAX);
        for pair in order.windows(2) {
            let first = &self.submissions[pair[0]];
            let next = self.submissions.get(pair[1]).map(|_| pair[1]);
            for &other in next.iter().chain(&waiting) {
                let later = &self.submissions[other];
                assert!(
                    first.priority >= later.priority,
                    "a lower priority was first"
                );
                let fresh = !first.was_sent && !later.was_sent;
                assert!(
                    first.priority > later.priority || !fresh || pair[0] < other,
                    "of one priority, the last in was first"
                );
            }
        }
        for &submission in &order[..order.len() - 1] {
            self.submissions[submission].was_sent = true;
        }
    }

    /// What lies with a worker behind the call that it runs comes in order of the priorities too,
    /// and not before anything that waits.
    pub(super) fn check_queues(&self) {
        let waiting = self.submissions.iter().filter(|one| {
            let item = self.reactor.item(one.id);
            !one.pinned && item.is_some_and(|item| item.place == Place::Waiting)
        });
        let waiting = waiting.map(|one| one.priority).max();
        for (&worker, process) in &self.processes {
            if self.reactor.is_going(worker) {
                continue;
            }
            let behind = process.calls.iter().skip(1);
            let behind = behind.map(|held| &self.submissions[held.submission]);
            let mut behind: Vec<i32> = behind
                .filter(|one| !one.pinned)
                .map(|one| one.priority)
                .collect();
            behind.extend(waiting);
            assert!(
                behind.is_sorted_by(|first, later| first >= later),
                "a lower priority is before a higher one: {behind:?} {:?}",
                self.reactor
            );
        }
    }

    /// As the builder says it.
    pub(super) fn most_workers(&self) -> usize {
        let extra = match self.limits.strict {
            true => 0,
            false => self.limits.max_workers.div_ceil(2),
        };
        (self.limits.max_workers + extra) as usize
    }

    pub(super) fn check(&self) {
        // Each process may run one; a broadcast is let in whole.
        let running = 2 * self.widest as usize;
        let pinned = self.submissions.iter().filter(|one| one.pinned).count();
        assert!(
            self.reactor.unresolved() <= self.limits.queue_capacity + running + pinned,
            "Q-1: more than may wait and can run"
        );
        let (busy, idle) = self.reactor.busy_and_idle();
        assert!(busy + idle <= self.processes.len());
        let waits = self.reactor.pending() > 0;
        let something_happens =
            !self.processes.is_empty() || self.reactor.next_deadline().is_some();
        assert!(
            !waits || something_happens,
            "calls wait for nothing: {:?}",
            self.reactor
        );
        assert!(self.stopped <= 1, "the pool ended twice");
    }

    /// Each call is counted in exactly one place.
    pub(super) fn check_totals(&self) {
        let view = self.reactor.view(self.now);
        let calls = self.submissions.iter().flat_map(|one| &one.resolved);
        let (resolved, open): (Vec<u32>, Vec<u32>) = calls.partition(|&&times| times > 0);
        let totals = view.totals;
        assert_eq!(totals.submitted, (resolved.len() + open.len()) as u64);
        let ended = totals.finished + totals.failed + totals.cancelled;
        assert_eq!(ended, resolved.len() as u64, "{totals:?}");
        let busy = self.processes.values().filter(|one| !one.calls.is_empty());
        assert_eq!(view.in_flight, busy.count() as u64);
        assert_eq!(view.pending + view.in_flight, open.len() as u64);
        assert!(view.workers.len() == self.processes.len());
        let begun = self.submissions.iter().flat_map(|one| &one.begun);
        let begun: u32 = begun.sum();
        assert!(u64::from(begun) <= totals.submitted + totals.retried);
    }
}
