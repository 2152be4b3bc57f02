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
    effect::{Effect, Failure, Refusal, StopSignal},
    reactor::{Accepted, Calls, Cancel, Limits, Reactor, Terms},
};
use crate::{
    error::{BrokenPool, ExitHow, SHORTAGE_EXIT, WorkerExit},
    ids::{Slot, WorkId, WorkerId},
    queue::Place,
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
    priority: i32,
    /// Whether it is one of a broadcast.
    pinned: bool,
    /// Whether it was ever given to a worker.
    was_sent: bool,
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
    /// How many calls it has begun and ended.
    begun: u32,
    done: u32,
    memory: u64,
    /// Whether it has more memory than it may.
    bloated: bool,
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
    end: u32,
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
    /// What the last event had sent, in order.
    sent: Vec<usize>,
    stopped: u32,
    /// The most workers that were ever allowed.
    widest: u32,
    terminated: bool,
    /// Items that the reactor wants for another worker.
    asked_back: Vec<(WorkerId, WorkId)>,
    /// Items that are to make way for others.
    reclaimed: Vec<(WorkerId, Vec<WorkId>)>,
    /// Calls that the reactor wants stopped.
    asked_to_stop: Vec<(WorkerId, WorkId)>,
    /// Whether starts may fail in this schedule.
    rough: bool,
    /// Whether workers die again and again in this schedule, mostly before they do anything.
    cursed: bool,
}

impl World {
    fn new(seed: u64) -> Self {
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
    fn tell<T>(&mut self, event: impl FnOnce(&mut Self, &mut Vec<Effect<usize>>) -> T) -> T {
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

    /// What was sent comes before what still waits: by priority, and within one by age, as far as
    /// it was not with a worker before.
    fn check_order(&mut self) {
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
    fn check_queues(&self) {
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
    fn most_workers(&self) -> usize {
        let extra = match self.limits.strict {
            true => 0,
            false => self.limits.max_workers.div_ceil(2),
        };
        (self.limits.max_workers + extra) as usize
    }

    fn check(&self) {
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
    fn check_totals(&self) {
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

    fn step(&mut self) {
        match self.random.u8(0..100) {
            0..=24 => self.submit(),
            25..=29 => self.cancel(),
            30..=31 => self.kill(),
            32..=79 => self.let_a_process_act(),
            80..=84 => self.crash(),
            85..=86 => self.haunt(),
            87 => self.broadcast(),
            88..=96 => self.pass_time(),
            97 => self.resize(),
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
            priority: if self.random.bool() {
                0
            } else {
                self.random.i32(-2..3)
            },
        };
        let cargo = self.submissions.len();
        self.submissions.push(Submission {
            resolved: vec![0; count as usize],
            begun: vec![0; count as usize],
            retries: terms.retries,
            priority: terms.priority,
            pinned: false,
            was_sent: false,
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

    fn resize(&mut self) {
        let max = self.random.u32(1..7);
        let min = self.random.u32(1..=max);
        (self.limits.min_workers, self.limits.max_workers) = (min, max);
        self.widest = self.widest.max(max);
        self.tell(|world, effects| world.reactor.resize(min, max, world.now, effects));
        assert_eq!(self.reactor.min_and_max(), (min, max));
    }

    fn broadcast(&mut self) {
        let terms = Terms {
            count: 1,
            retries: self.random.u32(0..2),
            timeout: None,
            priority: 0,
        };
        let first = self.submissions.len();
        let admitted = !matches!(
            self.reactor.admits(),
            Err(Refusal::Closed | Refusal::Broken(_))
        );
        // More than there can be workers.
        for _ in 0..2 * self.widest {
            self.submissions.push(Submission {
                resolved: vec![0],
                begun: vec![0],
                retries: terms.retries,
                pinned: true,
                ..Submission::default()
            });
        }
        let calls = self.tell(|world, effects| {
            let mut next = first;
            world.reactor.broadcast(terms, world.now, effects, || {
                next += 1;
                next - 1
            })
        });
        assert_eq!(calls.is_ok(), admitted);
        let calls = calls.unwrap_or_default();
        if admitted {
            let workers = calls.len();
            assert!(workers >= self.limits.min_workers as usize || self.reactor.broken().is_some());
        }
        self.submissions.truncate(first + calls.len());
        for (submission, id) in self.submissions[first..].iter_mut().zip(calls) {
            submission.id = id;
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
                self.measure(worker);
                self.tell(|world, effects| world.reactor.joined(worker, world.now, effects));
            }
            Phase::Ready if self.cursed && dice < 6 => self.die(
                worker,
                ExitHow::Signal {
                    number: 11,
                    core_dumped: false,
                },
            ),
            Phase::Ready => self.work(worker, dice),
        }
    }

    fn work(&mut self, worker: WorkerId, dice: u8) {
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

    fn measure(&mut self, worker: WorkerId) {
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

    fn pass_time(&mut self) {
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
    fn rest(&mut self) {
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

    fn let_all_act(&mut self) {
        let workers: Vec<_> = self.processes.keys().copied().collect();
        for worker in workers {
            if self.processes.contains_key(&worker) {
                self.act(worker);
            }
        }
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

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..world.random.u32(5..80) {
        world.step();
        world.check_totals();
    }
    if world.random.u8(0..4) == 0 {
        world.rest();
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
