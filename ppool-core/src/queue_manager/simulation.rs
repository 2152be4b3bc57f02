//! Drives the reactor through random schedules of everything that can happen to a pool: calls of
//! all kinds, cancels, kills, results in any order, crashes at any moment, starts that fail, workers
//! that ignore signals, messages of the dead, time, and every way to end. After each step it checks
//! the invariants; at the end of each schedule it checks that everything came to an end.
//!
//! A failing schedule prints its seed; `PPOOL_SIMULATION_SEED=<seed>` runs that one alone.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use super::{
    effect::{Effect, Failure, StopSignal},
    reactor::{Accepted, Calls, Cancel, Limits, Reactor, Terms},
};
use crate::{
    error::{BrokenPool, ExitHow, SHORTAGE_EXIT, WorkerExit},
    ids::{Slot, WorkId, WorkerId},
};

const SCHEDULES: u64 = 100_000;

/// One submission, as the test knows it. Its cargo is its number.
#[derive(Debug, Default)]
struct Submission {
    /// How often each of its calls was resolved: exactly once, in the end.
    resolved: Vec<u32>,
    /// How often each was begun by a worker.
    begun: Vec<u32>,
    retries: u32,
    id: WorkId,
}

/// A worker process, as the test knows it.
#[derive(Debug)]
struct Process {
    phase: Phase,
    calls: VecDeque<Held>,
    leaving: bool,
    /// Signals do nothing but SIGKILL.
    stubborn: bool,
    doomed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The reactor asked for it.
    Wanted,
    /// It exists.
    Starting,
    /// It takes calls.
    Ready,
}

#[derive(Debug)]
struct Held {
    id: WorkId,
    submission: usize,
    attempt: u32,
    first: u32,
    next: u32,
    count: u32,
    begun: bool,
}

struct World {
    random: fastrand::Rng,
    reactor: Reactor<usize>,
    limits: Limits,
    call_queue: usize,
    now: Duration,
    submissions: Vec<Submission>,
    processes: BTreeMap<WorkerId, Process>,
    generations: HashMap<Slot, u32>,
    stopped: u32,
    terminated: bool,
    /// Items that the reactor wants for another worker.
    asked_back: Vec<(WorkerId, WorkId)>,
    /// Calls that the reactor wants stopped.
    asked_to_stop: Vec<(WorkerId, WorkId)>,
    /// Whether starts may fail in this schedule.
    rough: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits = Limits {
            workers: random.u32(1..4),
            queue_capacity: random.usize(1..8),
            grace: Duration::from_millis(50),
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
            stopped: 0,
            terminated: false,
            asked_back: Vec::new(),
            asked_to_stop: Vec::new(),
            rough: random.u8(0..4) == 0,
            random,
        }
    }

    /// Tells the reactor something, then does what it wants done, then checks the invariants.
    fn tell<T>(&mut self, event: impl FnOnce(&mut Self, &mut Vec<Effect<usize>>) -> T) -> T {
        let mut effects = Vec::new();
        let answer = event(self, &mut effects);
        for effect in effects {
            self.carry_out(effect);
        }
        self.check();
        while !self.asked_back.is_empty() || !self.asked_to_stop.is_empty() {
            let mut effects = Vec::new();
            if let Some((worker, id)) = self.asked_back.pop() {
                if self.takes_back(worker, id) {
                    self.reactor.taken_back(worker, id, self.now, &mut effects);
                }
            } else if let Some((worker, id)) = self.asked_to_stop.pop() {
                self.stop(worker, id, &mut effects);
            }
            for effect in effects {
                self.carry_out(effect);
            }
            self.check();
        }
        answer
    }

    fn stop(&mut self, worker: WorkerId, id: WorkId, effects: &mut Vec<Effect<usize>>) {
        for behind in self.reactor.behind(worker) {
            if self.takes_back(worker, behind) {
                self.reactor.taken_back(worker, behind, self.now, effects);
            }
        }
        if self.reactor.running(worker) != Some(id) {
            self.reactor.spared(worker, self.now, effects);
        } else if let Some(process) = self.processes.get_mut(&worker) {
            process.doomed |= !process.stubborn;
        }
    }

    /// The shared slot: whoever is first, the worker that claims the call or we who revoke it.
    fn takes_back(&mut self, worker: WorkerId, id: WorkId) -> bool {
        self.processes.get_mut(&worker).is_some_and(|process| {
            let unbegun = |held: &Held| held.id == id && !held.begun;
            match process.calls.iter().position(unbegun) {
                Some(at) => process.calls.remove(at).is_some(),
                None => false,
            }
        })
    }

    fn carry_out(&mut self, effect: Effect<usize>) {
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
                let stubborn = self.random.u8(0..6) == 0;
                self.processes.insert(
                    worker,
                    Process {
                        phase: Phase::Wanted,
                        calls: VecDeque::new(),
                        leaving: false,
                        stubborn,
                        doomed: false,
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
                    count: item.count,
                    begun: false,
                };
                let process = self
                    .processes
                    .get_mut(&worker)
                    .expect("it is sent to the living");
                assert_eq!(process.phase, Phase::Ready, "it is sent to the ready");
                assert!(!process.leaving, "nothing is sent after the sentinel");
                process.calls.push_back(held);
                assert!(process.calls.len() <= self.call_queue, "Q-1");
            }
            Effect::TakeBack(worker, id) => self.asked_back.push((worker, id)),
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

    fn terminate(&mut self) {
        self.terminated = true;
        self.tell(|world, effects| world.reactor.terminate(world.now, effects));
    }

    fn resolve(&mut self, submission: usize, index: u32) {
        let resolved = &mut self.submissions[submission].resolved[index as usize];
        *resolved += 1;
        assert_eq!(
            *resolved, 1,
            "API-1: call {submission}/{index} was resolved twice"
        );
    }

    fn check(&self) {
        assert!(
            self.reactor.unresolved() <= self.limits.queue_capacity + self.limits.workers as usize,
            "Q-1: more than may wait and can run"
        );
        let (busy, idle) = self.reactor.busy_and_idle();
        assert!(busy + idle <= 2 * self.limits.workers as usize);
        assert!(self.stopped <= 1, "the pool ended twice");
    }

    fn step(&mut self) {
        match self.random.u8(0..100) {
            0..=24 => self.submit(),
            25..=29 => self.cancel(),
            30..=31 => self.kill(),
            32..=79 => self.let_a_process_act(),
            80..=84 => self.crash(),
            85..=86 => self.haunt(),
            87..=97 => self.pass_time(),
            98 => self.tell(|world, effects| {
                if world.random.bool() {
                    world.reactor.close(world.now, effects);
                } else {
                    world.reactor.cancel_pending(effects);
                }
            }),
            _ => {
                if self.random.u8(0..3) == 0 {
                    self.terminate();
                }
            }
        }
    }

    fn submit(&mut self) {
        let count = if self.random.bool() {
            1
        } else {
            self.random.u32(1..5)
        };
        let terms = Terms {
            count,
            retries: self.random.u32(0..3) / 2,
            timeout: (self.random.u8(0..4) == 0).then(|| Duration::from_millis(20)),
        };
        let cargo = self.submissions.len();
        self.submissions.push(Submission {
            resolved: vec![0; count as usize],
            begun: vec![0; count as usize],
            retries: terms.retries,
            id: WorkId::default(),
        });
        let admitted = self.reactor.admits().is_ok();
        let submitted =
            self.tell(|world, effects| world.reactor.submit(cargo, terms, world.now, effects));
        assert_eq!(submitted.is_ok(), admitted);
        match submitted {
            Ok(id) => self.submissions[cargo].id = id,
            Err(_) => {
                self.submissions.pop();
            }
        }
    }

    fn any_id(&mut self) -> Option<WorkId> {
        let len = self.submissions.len();
        (len > 0).then(|| self.submissions[self.random.usize(len.saturating_sub(8)..len)].id)
    }

    fn cancel(&mut self) {
        let Some(id) = self.any_id() else { return };
        let answer = self.tell(|world, effects| world.reactor.cancel(id, effects));
        if let Cancel::Ask(worker) = answer {
            let revoked = self.takes_back(worker, id);
            if revoked {
                self.tell(|world, effects| world.reactor.revoked(worker, id, world.now, effects));
            }
        }
    }

    fn kill(&mut self) {
        let Some(id) = self.any_id() else { return };
        match self.tell(|world, effects| world.reactor.cancel(id, effects)) {
            Cancel::Done | Cancel::TooLate => {}
            Cancel::Ask(worker) if self.takes_back(worker, id) => {
                self.tell(|world, effects| world.reactor.revoked(worker, id, world.now, effects));
            }
            Cancel::Ask(worker) => {
                self.tell(|world, effects| world.reactor.kill(worker, id, world.now, effects));
            }
        }
    }

    fn any_process(&mut self) -> Option<WorkerId> {
        let len = self.processes.len();
        (len > 0).then(|| {
            let at = self.random.usize(0..len);
            *self.processes.keys().nth(at).expect("within the length")
        })
    }

    fn let_a_process_act(&mut self) {
        if let Some(worker) = self.any_process() {
            self.act(worker);
        }
    }

    fn act(&mut self, worker: WorkerId) {
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
            Phase::Wanted => {
                process.phase = Phase::Starting;
                self.tell(|world, effects| world.reactor.launched(worker, effects));
            }
            _ if process.doomed => self.die(
                worker,
                ExitHow::Signal {
                    number: 9,
                    core_dumped: false,
                },
            ),
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
                self.tell(|world, effects| world.reactor.joined(worker, world.now, effects));
            }
            Phase::Ready => self.work(worker, dice),
        }
    }

    fn work(&mut self, worker: WorkerId, dice: u8) {
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
        let most = if stopped { 1 } else { held.count - index };
        let calls = Calls {
            index: index - held.first,
            count: self.random.u32(1..=most),
        };
        held.next += calls.count;
        let (first, next, count) = (index, held.next, held.count);
        if next == count {
            process.calls.pop_front();
        }
        // The next calls of the chunk begin at once.
        for begun in first + 1..=next.min(count - 1) {
            self.submissions[submission].begun[begun as usize] += 1;
        }
        let accepted = self.tell(|world, effects| {
            world
                .reactor
                .result(worker, id, attempt, calls, world.now, effects)
        });
        match accepted {
            Some(Accepted::Value { cargo, index, ran }) => {
                assert_eq!((cargo, index), (submission, first));
                assert_eq!(ran.is_some(), next == count);
                (first..next).for_each(|index| self.resolve(cargo, index));
            }
            Some(Accepted::Discarded) => {}
            None => panic!("an expected result was taken for a stale one"),
        }
    }

    fn crash(&mut self) {
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
            2 => self.tell(|world, _| world.reactor.dying(worker, world.now)),
            _ => {}
        }
        self.die(
            worker,
            ExitHow::Signal {
                number: 11,
                core_dumped: false,
            },
        );
    }

    fn die(&mut self, worker: WorkerId, how: ExitHow) {
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
    fn haunt(&mut self) {
        let (Some(id), slot) = (self.any_id(), Slot(self.random.u32(0..self.limits.workers)))
        else {
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

    fn pass_time(&mut self) {
        self.now += Duration::from_millis(self.random.u64(1..40));
        self.tell(|world, effects| world.reactor.tick(world.now, effects));
    }

    /// Lets everything that is under way come to its end.
    fn finish(&mut self) {
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
            let workers: Vec<_> = self.processes.keys().copied().collect();
            for worker in workers {
                if self.processes.contains_key(&worker) {
                    self.act(worker);
                }
            }
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

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..world.random.u32(5..80) {
        world.step();
    }
    world.finish();
}

#[test]
fn whatever_happens_every_call_is_resolved_once_and_the_pool_ends() {
    if let Ok(seed) = std::env::var("PPOOL_SIMULATION_SEED") {
        run(seed.parse().expect("a seed is a number"));
        return;
    }
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in (thread..SCHEDULES).step_by(usize::try_from(threads).expect("few")) {
                    let outcome = std::panic::catch_unwind(|| run(seed));
                    assert!(
                        outcome.is_ok(),
                        "schedule with PPOOL_SIMULATION_SEED={seed} failed"
                    );
                }
            });
        }
    });
}
