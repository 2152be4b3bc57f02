//! Time, and how a schedule comes to its end.

use std::time::Duration;

use super::{Phase, Process, World};

impl World {
    pub(super) fn pass_time(&mut self) {
        self.now += Duration::from_millis(self.random.u64(1..40));
        self.tell(|world, effects| world.reactor.tick(world.now, effects));
        let next = self.reactor.next_deadline();
        assert!(
            next.is_none_or(|next| next > self.now),
            "a deadline that passed is still waited for: {next:?} at {:?}: {:?}",
            self.now,
            self.reactor
        );
    }

    /// Lets the pool come to rest, still open: then it has as many workers as it is to have.
    pub(super) fn rest(&mut self) {
        let whole = !self.rough
            && !self.cursed
            && self.reactor.admits().is_ok()
            && !self.submissions.is_empty();
        self.rough = false;
        for _ in 0..300 {
            self.let_all_act();
            self.pass_time();
            let mut processes = self.processes.values();
            let stays = |one: &Process| one.phase == Phase::Ready && !one.doomed && !one.leaving;
            if self.reactor.unresolved() == 0
                && self.reactor.next_deadline().is_none()
                && processes.all(stays)
            {
                break;
            }
        }
        if !whole || self.reactor.broken().is_some() {
            return;
        }
        assert_eq!(
            self.reactor.unresolved(),
            0,
            "calls are left: {:?}",
            self.reactor
        );
        let workers = self.processes.len();
        let (min, max) = (
            self.limits.min_workers as usize,
            self.limits.max_workers as usize,
        );
        assert!(
            (min..=max).contains(&workers),
            "{workers} workers: {:?}",
            self.reactor
        );
        if self.limits.idle_timeout.is_some() {
            assert_eq!(workers, min, "idle workers stay: {:?}", self.reactor);
        }
    }

    pub(super) fn let_all_act(&mut self) {
        let workers: Vec<_> = self.processes.keys().copied().collect();
        for worker in workers {
            if self.processes.contains_key(&worker) {
                self.act(worker);
            }
        }
    }

    /// Lets everything that is under way come to its end.
    pub(super) fn finish(&mut self) {
        self.rough = false;
        if self.random.u8(0..4) == 0 {
            self.terminate();
        } else {
            self.tell(|world, effects| world.reactor.close(world.now, effects));
        }
        for _ in 0..5_000 {
            if self.stopped > 0 {
                break;
            }
            self.let_all_act();
            self.pass_time();
        }
        assert_eq!(self.stopped, 1, "the pool did not end: {:?}", self.reactor);
        assert!(self.processes.is_empty(), "a process outlived the pool");
        for (number, submission) in self.submissions.iter().enumerate() {
            assert!(
                submission.resolved.iter().all(|&times| times == 1),
                "API-1: a call of submission {number} was not resolved: {submission:?}"
            );
        }
        assert_eq!(self.reactor.unresolved(), 0);
        assert_eq!(
            self.reactor.next_deadline(),
            None,
            "an ended pool waits for nothing"
        );
    }
}
