//! Processes that use everything at once are killed at random: nobody waits for ever, and nothing is
//! lost or doubled but what the dead had in hands.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use ppool::{
    process::Process,
    shared::{SharedArray, SharedValue},
    sync::{Barrier, Condition, Event, JoinableQueue, Lock, Queue, RLock, Semaphore},
    task,
};
use serde::{Deserialize, Serialize};

use crate::common::watchdog;

/// Items that go round.
const ITEMS: u64 = 20;
const PERMITS: usize = 2;
/// Processes that are there at a time.
const PROCESSES: usize = 4;

/// What the processes share.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rig {
    stop: Event,
    lock: Lock,
    rlock: RLock,
    semaphore: Semaphore,
    condition: Condition,
    barrier: Barrier,
    items: Queue<u64>,
    bounded: Queue<String>,
    tasks: JoinableQueue<u32>,
    /// Who is inside of the lock, and of the recursive one.
    inside: SharedArray<AtomicU64>,
    /// Two numbers that are the same unless their writer was killed.
    pair: SharedArray<u64>,
    /// How often the condition has changed.
    turn: SharedValue<AtomicU64>,
}

impl Rig {
    fn new() -> Self {
        let rig = Rig {
            stop: Event::new(),
            lock: Lock::new(),
            rlock: RLock::new(),
            semaphore: Semaphore::new(PERMITS),
            condition: Condition::new(),
            barrier: Barrier::new(2),
            items: Queue::new(),
            bounded: Queue::bounded(3),
            tasks: JoinableQueue::new(),
            inside: SharedArray::new(2),
            pair: SharedArray::new(2),
            turn: SharedValue::default(),
        };
        (0..ITEMS).for_each(|n| rig.items.put(n).expect("it is open"));
        rig
    }

    /// Alone inside, unless who was there before has died there.
    fn be_inside(&self, which: usize, recovered: bool) {
        let me = u64::from(std::process::id());
        let before = self.inside[which].swap(me, Relaxed);
        assert!(before == 0 || recovered, "{before} is inside");
        assert_eq!(self.inside[which].swap(0, Relaxed), me);
    }

    /// One of each, chosen by `random`.
    fn step(&self, random: &mut Random) {
        match random.below(9) {
            0 => {
                let guard = self.lock.lock();
                self.be_inside(0, guard.recovered().is_some());
            }
            1 => {
                let outer = self.rlock.lock();
                let _inner = self.rlock.lock();
                self.be_inside(1, outer.recovered().is_some());
            }
            2 => drop([self.semaphore.acquire()]),
            3 => {
                let mut pair = self.pair.lock();
                assert!(pair[0] == pair[1] || pair.recovered().is_some());
                let next = pair[0] + 1;
                pair[0] = next;
                pair[1] = next;
            }
            4 => self.take_turns(),
            5 => self.meet(),
            // What is taken and not put back is in the hands of the dead.
            6 => {
                let item = self.items.get().expect("more items than processes");
                self.items.put(item).expect("it is open");
            }
            7 => {
                let text = "x".repeat(random.below(70_000));
                let _ = self.bounded.try_put(text);
                let _ = self.bounded.try_get();
            }
            _ => {
                if self.tasks.try_get().is_ok() {
                    self.tasks.task_done().expect("it was taken");
                }
            }
        }
    }

    /// Waits until somebody changes what it has just seen. Each who comes changes it first.
    fn take_turns(&self) {
        let guard = self.condition.lock();
        let seen = self.turn.fetch_add(1, Relaxed) + 1;
        self.condition.notify_all();
        let _guard = self.condition.wait_while(guard, || {
            self.turn.load(Relaxed) == seen && !self.stop.is_set()
        });
    }

    /// Waits for one other.
    fn meet(&self) {
        if self.barrier.wait().is_err() && !self.stop.is_set() {
            self.barrier.reset();
        }
    }

    /// Lets all come to an end.
    fn end(&self) {
        self.stop.set();
        drop(self.condition.lock());
        self.condition.notify_all();
        self.barrier.abort();
    }
}

/// Numbers that look random (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("it is less than a usize")
    }
}

/// Uses everything until it is told to stop, or killed.
#[task]
fn use_everything(rig: Rig, seed: u64) {
    let mut random = Random(seed);
    while !rig.stop.is_set() {
        rig.step(&mut random);
    }
}

fn soak(kills: u64, seed: u64) {
    let rig = Rig::new();
    let start = |seed: u64| {
        let seed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Process::spawn(use_everything, (&rig, seed)).expect("a process")
    };
    let mut processes: Vec<Process> = (0..PROCESSES as u64).map(start).collect();
    let mut random = Random(0x2545_f491_4f6c_dd1d ^ seed << 20);
    let mut items = ITEMS;
    for kill in 0..kills {
        // Anywhere between its first breath and its hundredth step.
        thread::sleep(Duration::from_micros(random.below(8_000) as u64));
        let index = random.below(PROCESSES);
        processes[index].kill().expect("it is ours");
        let exit = processes[index].join().expect("it is ours");
        assert_eq!(
            exit.signal(),
            Some(9),
            "it was killed, and ended by nothing else"
        );
        processes[index] = start(PROCESSES as u64 + kill);
        while rig.items.len() < PROCESSES * 2 {
            rig.items.put(items).expect("it is open");
            items += 1;
        }
        if kill % 8 == 0 {
            // It ends, whoever dies with a task in hands.
            rig.tasks.put(7).expect("it is open");
            rig.tasks.join();
        }
    }
    rig.end();
    for process in &processes {
        let exit = process.join().expect("it is ours");
        assert!(exit.success(), "{exit:?}");
    }
    drop((rig.lock.lock(), rig.rlock.lock(), rig.condition.lock()));
    let all: Vec<_> = (0..PERMITS).map(|_| rig.semaphore.acquire()).collect();
    assert!(
        rig.semaphore.try_acquire().is_none(),
        "{} permits",
        all.len()
    );
    rig.items.close();
    let left: Vec<u64> = rig.items.iter().collect();
    let different: BTreeSet<u64> = left.iter().copied().collect();
    assert_eq!(left.len(), different.len(), "an item was doubled: {left:?}");
    assert!(
        left.len() as u64 + kills >= items,
        "too many items were lost"
    );
}

#[test]
fn nobody_waits_for_ever_when_processes_are_killed_at_random() {
    let _watchdog = watchdog();
    soak(60, 0);
}

/// `make soak`: takes a minute or more.
#[test]
#[ignore = "it takes minutes"]
fn thousands_of_kills_leave_nobody_waiting() {
    for seed in 1..=10 {
        let _watchdog = watchdog();
        soak(500, seed);
    }
}
