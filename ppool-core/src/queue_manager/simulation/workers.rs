//! What the worker processes do: start, work, die and send messages from beyond.

use super::{Phase, World};
use crate::{
    error::{BrokenPool, ExitHow, SHORTAGE_EXIT, WorkerExit},
    ids::{Slot, WorkerId},
    queue_manager::reactor::{Accepted, Calls},
};

/// By a signal, without a core dump.
fn signal(number: i32) -> ExitHow {
    ExitHow::Signal {
        number,
        core_dumped: false,
    }
}

impl World {
    pub(super) fn any_process(&mut self) -> Option<WorkerId> {
        let len = self.processes.len();
        (len > 0).then(|| {
            let at = self.random.usize(0..len);
            *self.processes.keys().nth(at).expect("within the length")
        })
    }

    pub(super) fn let_a_process_act(&mut self) {
        if let Some(worker) = self.any_process() {
            self.act(worker);
        }
    }

    pub(super) fn act(&mut self, worker: WorkerId) {
        let (rough, dice) = (self.rough, self.random.u8(0..10));
        let process = self.processes.get_mut(&worker).expect("it was just there");
        match process.phase {
            Phase::Wanted if rough && dice < 5 => {
                self.processes.remove(&worker);
                let cause = BrokenPool::new("no more processes");
                let lasts = dice == 0;
                self.tell(|world, effects| {
                    world
                        .reactor
                        .spawn_failed(worker, cause, lasts, world.now, effects);
                });
            }
            // Its template was not asked for it yet.
            Phase::Wanted if process.doomed && self.limits.forked && dice < 8 => {
                self.processes.remove(&worker);
                self.tell(|world, effects| world.reactor.withdrawn(worker, world.now, effects));
            }
            Phase::Wanted => {
                process.phase = Phase::Starting;
                self.tell(|world, effects| world.reactor.launched(worker, world.now, effects));
            }
            _ if process.doomed => self.die(worker, signal(9)),
            Phase::Starting if rough && dice == 0 => {
                let cause = BrokenPool::new("the initializer panicked");
                self.tell(|world, effects| {
                    world
                        .reactor
                        .start_failed(worker, cause, world.now, effects);
                });
                self.die(worker, ExitHow::Code(87));
            }
            Phase::Starting if rough && dice == 1 => {
                self.die(worker, ExitHow::Code(SHORTAGE_EXIT));
            }
            Phase::Starting => {
                process.phase = Phase::Ready;
                self.measure(worker);
                self.tell(|world, effects| world.reactor.joined(worker, world.now, effects));
            }
            Phase::Ready if self.cursed && dice < 6 => self.die(worker, signal(11)),
            Phase::Ready => self.work(worker, dice),
        }
    }

    pub(super) fn work(&mut self, worker: WorkerId, dice: u8) {
        let max_tasks = self.limits.max_tasks;
        let process = self.processes.get_mut(&worker).expect("it was just there");
        let Some(held) = process.calls.front_mut() else {
            if process.leaving && !(process.stubborn && dice < 5) {
                self.die(worker, ExitHow::Code(0));
            }
            return;
        };
        let (submission, index) = (held.submission, held.next);
        if !held.begun {
            held.begun = true;
            process.begun += 1;
            let submission = &mut self.submissions[submission];
            let begun = &mut submission.begun[index as usize];
            *begun += 1;
            assert!(
                *begun <= 1 + submission.retries,
                "API-1: a call ran too often"
            );
            assert_eq!(
                submission.resolved[index as usize], 0,
                "a resolved call runs"
            );
            return;
        }
        let (id, attempt) = (held.id, held.attempt);
        // Several results may be told at once, but for a call that is being stopped.
        let stopped = self.reactor.item(id).is_none_or(|item| item.stop.is_some());
        let most = if stopped { 1 } else { held.end - index };
        let calls = Calls {
            index: index - held.first,
            count: self.random.u32(1..=most),
        };
        held.next += calls.count;
        process.done += calls.count;
        let (first, next, end) = (index, held.next, held.end);
        let whole = held.first == 0 && end as usize == self.submissions[submission].resolved.len();
        if next == end {
            process.calls.pop_front();
        }
        // The next calls of the chunk begin at once.
        for begun in first + 1..=next.min(end - 1) {
            process.begun += 1;
            self.submissions[submission].begun[begun as usize] += 1;
        }
        assert!(
            max_tasks.is_none_or(|most| process.begun <= most),
            "a worker does more calls than it may"
        );
        self.measure(worker);
        let accepted = self.tell(|world, effects| {
            world
                .reactor
                .result(worker, id, attempt, calls, world.now, effects)
        });
        match accepted {
            Some(Accepted::Value { cargo, index, ran }) => {
                assert_eq!((cargo, index), (submission, first));
                assert_eq!(ran.is_some(), whole && next == end);
                (first..next).for_each(|index| self.resolve(cargo, index));
            }
            Some(Accepted::Discarded) => {}
            None => panic!("an expected result was taken for a stale one"),
        }
        let process = &self.processes[&worker];
        let over = process.bloated || max_tasks.is_some_and(|most| process.done == most);
        let goes = process.leaving || !process.calls.is_empty() || self.reactor.is_going(worker);
        assert!(goes || !over, "a worker that has done its part stays");
    }

    pub(super) fn measure(&mut self, worker: WorkerId) {
        if !self.reactor.wants_memory_of(worker, self.now) {
            return;
        }
        let process = self.processes.get_mut(&worker).expect("it was just there");
        let grown = match process.done {
            0 => 0,
            _ => self.random.u64(0..110),
        };
        if process.done == 0 {
            process.memory = self.random.u64(0..1 << 40);
        }
        process.bloated |= grown > 100;
        let memory = process.memory + grown;
        self.tell(|world, effects| {
            world.reactor.has_memory(worker, memory, world.now, effects);
        });
    }

    pub(super) fn crash(&mut self) {
        let Some(worker) = self.any_process() else {
            return;
        };
        let process = &self.processes[&worker];
        // Starts that crash break the pool; that is for rough schedules.
        if process.phase == Phase::Wanted || (process.phase == Phase::Starting && !self.rough) {
            return;
        }
        match self.random.u8(0..4) {
            0 | 1 => {
                self.tell(|world, effects| world.reactor.link_closed(worker, world.now, effects))
            }
            2 => self.panic_fatally(worker),
            _ => {}
        }
        self.die(worker, signal(11));
    }

    /// The call that runs ends with a panic that the process does not survive. The next one of its chunk
    /// does not begin.
    fn panic_fatally(&mut self, worker: WorkerId) {
        let process = self.processes.get_mut(&worker).expect("it was just there");
        let Some(held) = process.calls.front_mut().filter(|held| held.begun) else {
            return;
        };
        let (id, attempt, index) = (held.id, held.attempt, held.next);
        let calls = Calls {
            index: index - held.first,
            count: 1,
        };
        held.next += 1;
        held.begun = false;
        if held.next == held.end {
            process.calls.pop_front();
        }
        let accepted = self.tell(|world, effects| {
            world.reactor.dying(worker, world.now);
            world
                .reactor
                .result(worker, id, attempt, calls, world.now, effects)
        });
        if let Some(Accepted::Value { cargo, index, .. }) = accepted {
            self.resolve(cargo, index);
        }
    }

    pub(super) fn die(&mut self, worker: WorkerId, how: ExitHow) {
        let process = self.processes.remove(&worker).expect("only the living die");
        let started = process.calls.front().is_some_and(|held| held.begun);
        let exit = WorkerExit {
            worker,
            pid: 1,
            how,
            task: None,
            peak_memory: None,
            stderr_tail: None,
        };
        self.tell(|world, effects| {
            world
                .reactor
                .exited(worker, &exit, started, world.now, effects);
        });
    }

    /// A message of a worker that is gone, or about a call that is.
    pub(super) fn haunt(&mut self) {
        let (Some(id), slot) = (self.any_id(), Slot(self.random.u32(0..self.widest))) else {
            return;
        };
        let mut worker = WorkerId {
            slot,
            ..WorkerId::default()
        };
        worker.generation.0 = self
            .generations
            .get(&slot)
            .copied()
            .unwrap_or(0)
            .saturating_sub(1);
        if self.processes.contains_key(&worker) {
            return;
        }
        let accepted = self.tell(|world, effects| {
            let calls = Calls { index: 0, count: 1 };
            let accepted = world
                .reactor
                .result(worker, id, 0, calls, world.now, effects);
            world.reactor.joined(worker, world.now, effects);
            accepted
        });
        assert!(
            accepted.is_none(),
            "SUP-1: a dead worker's result was accepted"
        );
    }
}
