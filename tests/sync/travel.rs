//! Handles as arguments, as results, in fields of both, and from worker to worker.

use std::collections::BTreeMap;

use ppool::{
    Pool,
    sync::{Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore},
    task,
};
use serde::{Deserialize, Serialize};

use crate::common::{pool_of, processes::descriptors, until, watchdog};

/// One of everything, here and there.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shared {
    lock: Lock,
    rlock: Option<RLock>,
    events: Vec<Event>,
    semaphores: BTreeMap<String, Semaphore>,
    bounded: (BoundedSemaphore, u32),
    kind: Kind,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Kind {
    Condition { condition: Condition },
    Barrier(Barrier),
}

impl Shared {
    fn new() -> Self {
        Shared {
            lock: Lock::new(),
            rlock: Some(RLock::new()),
            events: vec![Event::new(), Event::new()],
            semaphores: [("three".to_owned(), Semaphore::new(3))].into(),
            bounded: (BoundedSemaphore::new(2), 7),
            kind: Kind::Barrier(Barrier::new(2)),
        }
    }
}

/// Leaves a trace in each thing.
#[task]
fn use_all(shared: Shared) -> Shared {
    assert!(shared.lock.try_lock().is_none(), "the parent has it");
    assert!(
        shared
            .rlock
            .as_ref()
            .is_some_and(|lock| lock.try_lock().is_none())
    );
    shared.events[1].set();
    shared.semaphores["three"].release();
    shared.bounded.0.acquire().forget();
    match &shared.kind {
        Kind::Condition { condition } => drop(condition.lock()),
        Kind::Barrier(barrier) => barrier.abort(),
    }
    shared
}

#[task]
fn make_lock() -> Lock {
    Lock::new()
}

#[task]
fn is_locked(lock: &Lock) -> bool {
    lock.is_locked()
}

/// Hands the lock on to a worker of a pool of its own.
#[task]
fn is_locked_for_another(lock: Lock) -> bool {
    let pool = Pool::builder().workers(1).build().expect("a plain pool");
    pool.apply(is_locked, &lock).expect("nobody kills it")
}

#[task]
fn open_descriptors() -> usize {
    descriptors(std::process::id()).len()
}

#[test]
fn everything_arrives_as_the_same_thing() {
    let _watchdog = watchdog();
    let (shared, pool) = (Shared::new(), pool_of(1));
    let _guard = shared.lock.lock();
    let rlock = shared.rlock.clone().unwrap();
    let _rguard = rlock.lock();
    let back = pool.apply(use_all, &shared).unwrap();
    for shared in [&shared, &back] {
        assert!(shared.lock.is_locked());
        assert!(!shared.events[0].is_set() && shared.events[1].is_set());
        assert_eq!(shared.semaphores["three"].available(), 4);
        assert_eq!((shared.bounded.0.available(), shared.bounded.1), (1, 7));
        assert!(matches!(&shared.kind, Kind::Barrier(barrier) if barrier.is_broken()));
    }
}

#[test]
fn a_worker_hands_on_what_it_was_given_and_what_it_made() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let lock = pool.apply(make_lock, ()).unwrap();
    assert!(!pool.apply(is_locked_for_another, &lock).unwrap());
    let _guard = lock.lock();
    assert!(pool.apply(is_locked_for_another, &lock).unwrap());
    assert!(pool.apply(is_locked, &lock).unwrap());
}

#[test]
fn what_was_shared_leaves_nothing_open() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let shared = |kind| Shared {
        kind,
        ..Shared::new()
    };
    let round = || {
        let condition = Condition::new();
        let shared = shared(Kind::Condition { condition });
        let _guards = (shared.lock.lock(), shared.rlock.as_ref().map(RLock::lock));
        drop(pool.apply(use_all, &shared).unwrap());
    };
    let before = pool.apply(open_descriptors, ()).unwrap();
    (0..20).for_each(|_| round());
    // The thread that watched for deaths ends in its own time.
    until(|| pool.apply(open_descriptors, ()).unwrap() == before);
}

#[test]
fn other_uses_of_serde_are_told_how_handles_travel() {
    for error in [
        serde_json::to_string(&Lock::new()).unwrap_err(),
        serde_json::to_value(Shared::new()).unwrap_err(),
        serde_json::from_str::<Event>("[0]").unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(
            text.contains("can only travel as an argument, a result or an item"),
            "{text}"
        );
    }
}
