//! The world around the reactor: it is told what happens, and what it wants done is done.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use super::{Held, Phase, Process, World};
use crate::{
    ids::{WorkId, WorkerId},
    queue_manager::{
        effect::{Effect, Failure, StopSignal},
        reactor::{Limits, Reactor},
    },
};

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let max_workers = random.u32(1..5);
        let limits = Limits {
            min_workers: random.u32(1..=max_workers),
            max_workers,
            max_tasks: random.bool().then(|| random.u32(1..6)),
            max_memory_growth: (random.u8(0..4) == 0).then_some(100),
            memory_limit: None,
            cpu_time_limit: None,
            histograms: random.u8(0..=255) == 0,
            strict: random.bool(),
            idle_timeout: random
                .bool()
                .then(|| Duration::from_millis(random.u64(1..150))),
            queue_capacity: random.usize(1..8),
            grace: Duration::from_millis(50),
            forked: random.bool(),
            start_timeout: Duration::from_millis(500),
            leave_timeout: Duration::from_millis(100),
        };
        let call_queue = random.usize(1..4);
        World {
            reactor: Reactor::new(limits, call_queue),
            limits,
            call_queue,
            now: Duration::ZERO,
            submissions: Vec::new(),
            processes: BTreeMap::new(),
            generations: HashMap::new(),
            sent: Vec::new(),
            stopped: 0,
            widest: limits.max_workers,
            terminated: false,
            asked_back: Vec::new(),
            reclaimed: Vec::new(),
            asked_to_stop: Vec::new(),
            rough: random.u8(0..4) == 0,
            cursed: random.u8(0..16) == 0,
            random,
        }
    }

    /// Tells the reactor something, then does what it wants done, then checks the invariants.
    pub(super) fn tell<T>(
        &mut self,
        event: impl FnOnce(&mut Self, &mut Vec<Effect<usize>>) -> T,
    ) -> T {
        let mut effects = Vec::new();
        let answer = event(self, &mut effects);
        for effect in effects {
            self.carry_out(effect);
        }
        self.check_order();
        self.check();
        while !self.asked_back.is_empty()
            || !self.reclaimed.is_empty()
            || !self.asked_to_stop.is_empty()
        {
            let mut effects = Vec::new();
            if let Some((worker, mut ids)) = self.reclaimed.pop() {
                ids.retain(|&id| self.takes_back(worker, id));
                self.reactor.reclaimed(worker, &ids, self.now, &mut effects);
            } else if let Some((worker, id)) = self.asked_back.pop() {
                if self.takes_back(worker, id) {
                    self.reactor.taken_back(worker, id, self.now, &mut effects);
                }
            } else if let Some((worker, id)) = self.asked_to_stop.pop() {
                self.stop(worker, id, &mut effects);
            }
            for effect in effects {
                self.carry_out(effect);
            }
            self.check_order();
            self.check();
        }
        self.check_queues();
        answer
    }

    pub(super) fn stop(&mut self, worker: WorkerId, id: WorkId, effects: &mut Vec<Effect<usize>>) {
        for behind in self.reactor.behind(worker) {
            if self.takes_back(worker, behind) {
                self.reactor.taken_back(worker, behind, self.now, effects);
            }
        }
        if self.reactor.running(worker) != Some(id) {
            self.reactor.spared(worker, self.now, effects);
        } else if let Some(process) = self.processes.get_mut(&worker) {
            // The call may hear of it and end by itself.
            process.doomed |= !process.stubborn && self.random.bool();
        }
    }

    /// The shared slot: whoever is first, the worker that claims the call or we who revoke it.
    pub(super) fn takes_back(&mut self, worker: WorkerId, id: WorkId) -> bool {
        self.processes.get_mut(&worker).is_some_and(|process| {
            let unbegun = |held: &Held| held.id == id && !held.begun;
            match process.calls.iter().position(unbegun) {
                Some(at) => process.calls.remove(at).is_some(),
                None => false,
            }
        })
    }

    pub(super) fn carry_out(&mut self, effect: Effect<usize>) {
        match effect {
            Effect::Spawn(worker) => {
                let generation = self.generations.entry(worker.slot).or_default();
                assert!(
                    worker.generation.0 > *generation,
                    "SUP-1: a generation came twice"
                );
                *generation = worker.generation.0;
                assert!(
                    self.processes.keys().all(|other| other.slot != worker.slot),
                    "SUP-1: two processes in {:?}",
                    worker.slot
                );
                assert!(
                    self.processes.len() < self.most_workers(),
                    "there are more processes than workers allowed"
                );
                let stubborn = self.random.u8(0..6) == 0;
                self.processes.insert(
                    worker,
                    Process {
                        phase: Phase::Wanted,
                        calls: VecDeque::new(),
                        leaving: false,
                        stubborn,
                        doomed: false,
                        begun: 0,
                        done: 0,
                        memory: 0,
                        bloated: false,
                    },
                );
            }
            Effect::Send(worker, id) => {
                let item = self.reactor.item(id).expect("what is sent is not resolved");
                let held = Held {
                    id,
                    submission: item.cargo,
                    attempt: item.attempt,
                    first: item.next,
                    next: item.next,
                    end: item.next + item.sent_count,
                    begun: false,
                };
                let process = self
                    .processes
                    .get_mut(&worker)
                    .expect("it is sent to the living");
                assert_eq!(process.phase, Phase::Ready, "it is sent to the ready");
                assert!(!process.leaving, "nothing is sent after the sentinel");
                assert!(
                    !process.bloated || item.pinned.is_some(),
                    "a worker with too much memory goes on"
                );
                assert!(
                    item.pinned.is_none_or(|slot| slot == worker.slot),
                    "a call goes to another worker than its own"
                );
                if item.pinned.is_none() {
                    self.sent.push(held.submission);
                }
                process.calls.push_back(held);
                assert!(process.calls.len() <= self.call_queue, "Q-1");
            }
            Effect::TakeBack(worker, id) => self.asked_back.push((worker, id)),
            Effect::Reclaim(worker, ids) => self.reclaimed.push((worker, ids)),
            Effect::Stop(worker, id) => self.asked_to_stop.push((worker, id)),
            Effect::SendSentinel(worker) => {
                self.processes.get_mut(&worker).expect("alive").leaving = true;
            }
            Effect::Signal(worker, signal) => {
                if let Some(process) = self.processes.get_mut(&worker)
                    && process.phase != Phase::Wanted
                {
                    process.doomed |= signal == StopSignal::Kill || !process.stubborn;
                }
            }
            Effect::Requeued(_) | Effect::Begins(_) => {}
            Effect::Fail {
                cargo,
                calls,
                failure,
                ..
            } => {
                assert!(
                    !self.terminated || !matches!(failure, Failure::Lost(_)),
                    "what a terminated pool stops is cancelled, not lost"
                );
                for index in calls {
                    self.resolve(cargo, index);
                    let begun = self.submissions[cargo].begun[index as usize];
                    if let Failure::Cancelled { started: false } | Failure::Broken(_) = failure {
                        let retries = self.submissions[cargo].retries;
                        assert!(
                            begun == 0 || retries > 0,
                            "a call that ran is said not to have"
                        );
                    }
                }
            }
            Effect::Stopped => self.stopped += 1,
        }
    }

    pub(super) fn terminate(&mut self) {
        self.terminated = true;
        self.tell(|world, effects| world.reactor.terminate(world.now, effects));
    }

    pub(super) fn resolve(&mut self, submission: usize, index: u32) {
        let resolved = &mut self.submissions[submission].resolved[index as usize];
        *resolved += 1;
        assert_eq!(
            *resolved, 1,
            "API-1: call {submission}/{index} was resolved twice"
        );
    }
}
