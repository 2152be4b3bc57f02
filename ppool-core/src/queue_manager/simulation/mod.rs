//! Drives the reactor through random schedules of everything that can happen to a pool: calls of
//! all kinds, cancels, kills, results in any order, crashes at any moment, starts that fail, workers
//! that ignore signals, messages of the dead, time, and every way to end. After each step it checks
//! the invariants; at the end of each schedule it checks that everything came to an end.
//!
//! A failing schedule prints its seed; `PPOOL_SIMULATION_SEED=<seed>` runs that one alone.

mod endings;
mod invariants;
mod users;
mod workers;
mod world;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use super::reactor::{Limits, Reactor};
use crate::ids::{Slot, WorkId, WorkerId};

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

/// A pool without its threads and processes: the reactor, and what it believes to exist.
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
fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..world.random.u32(5..80) {
        world.step();
        // Not each time: it counts everything, and a mistake stays.
        if world.random.u8(0..8) == 0 {
            world.check_totals();
        }
    }
    if world.random.u8(0..4) == 0 {
        world.rest();
    }
    world.finish();
    world.check_totals();
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
