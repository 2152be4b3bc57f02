//! Locks, events, conditions, semaphores and barriers by proxy.

use std::time::Duration;

use ppool::{
    manager::{Barrier, Condition, Event, List, Lock, RLock, Semaphore, Value},
    task,
};

use crate::{
    common::{pool_of, until, watchdog},
    manager,
};

/// Long enough for anything that should happen.
const AMPLE: Duration = Duration::from_secs(60);
/// For what should not.
const SHORT: Duration = Duration::from_millis(20);

/// Reads, and writes what it read and one more: right only under a lock.
#[task]
fn count_under(lock: Lock, value: Value<u64>, times: u64) {
    for _ in 0..times {
        let _guard = lock.lock().expect("the manager lives");
        let before = value.get().expect("the manager lives");
        value.set(before + 1).expect("the manager lives");
    }
}

#[test]
fn a_lock_has_one_owner_at_a_time() {
    let _watchdog = watchdog();
    let manager = manager();
    let lock = manager.lock().unwrap();
    let value = manager.value(0_u64).unwrap();
    let inputs = (0..4).map(|_| (lock.clone(), value.clone(), 50));
    pool_of(4).map(count_under, inputs).unwrap();
    assert_eq!(value.get().unwrap(), 200);
    assert!(!lock.is_locked().unwrap());
}

#[test]
fn who_waits_for_a_lock_waits_as_long_as_it_wants() {
    let _watchdog = watchdog();
    let lock = manager().lock().unwrap();
    let guard = lock.lock().unwrap();
    assert!(lock.try_lock().unwrap().is_none());
    assert!(lock.lock_timeout(SHORT).unwrap().is_none());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lock.lock_timeout(AMPLE).unwrap().is_some());
        drop(guard);
        assert!(waiting.join().unwrap());
    });
    assert!(lock.lock().unwrap().recovered().is_none());
}

#[test]
fn the_owner_of_an_rlock_takes_it_again_and_others_do_not() {
    let _watchdog = watchdog();
    let lock: RLock = manager().rlock().unwrap();
    let outer = lock.lock().unwrap();
    let inner = lock.clone();
    let inner = inner.try_lock().unwrap().expect("it is this thread's");
    let elsewhere = || {
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| lock.lock_timeout(SHORT).unwrap().is_some());
            taken.join().unwrap()
        })
    };
    assert!(!elsewhere());
    drop(outer);
    assert!(!elsewhere());
    drop(inner);
    assert!(elsewhere());
    assert!(!lock.is_locked().unwrap());
}

#[task]
fn wait_and_tell(event: Event, limit: Option<Duration>) -> bool {
    match limit {
        None => event.wait().expect("the manager lives"),
        Some(limit) => {
            let in_time = event.wait_timeout(limit).expect("the manager lives");
            assert_eq!(in_time, event.is_set().expect("the manager lives"));
        }
    }
    event.is_set().expect("the manager lives")
}

#[test]
fn an_event_wakes_all_who_wait_and_a_wait_with_a_limit_ends() {
    let _watchdog = watchdog();
    let event = manager().event().unwrap();
    let pool = pool_of(3);
    let limited = pool.submit(wait_and_tell, (&event, Some(SHORT)));
    let waiting = [0, 1].map(|_| pool.submit(wait_and_tell, (&event, None)));
    assert!(!limited.wait().unwrap());
    event.set().unwrap();
    for waiting in waiting {
        assert!(waiting.wait().unwrap());
    }
    assert!(event.wait_timeout(SHORT).unwrap());
    event.clear().unwrap();
    assert!(!event.is_set().unwrap());
}

#[task]
fn second_stage(condition: Condition, log: List<String>, started: Semaphore) {
    let guard = condition.lock().expect("the manager lives");
    started.release().expect("the manager lives");
    let must_wait = || Ok(!log.contains("stage 1")?);
    let guard = condition.wait_while(guard, must_wait);
    let _guard = guard.expect("the manager lives");
    log.push("stage 2").expect("the manager lives");
}

#[test]
fn a_condition_wakes_all_who_wait_for_the_first_stage() {
    let _watchdog = watchdog();
    let manager = manager();
    let condition = manager.condition().unwrap();
    let log = manager.list::<String>().unwrap();
    let started = manager.semaphore(0).unwrap();
    let pool = pool_of(2);
    let second = [0, 1].map(|_| pool.submit(second_stage, (&condition, &log, &started)));
    for _ in 0..2 {
        started.acquire().unwrap().forget().unwrap();
    }
    {
        let _guard = condition.lock().unwrap();
        log.push("stage 1").unwrap();
        condition.notify_all().unwrap();
    }
    for second in second {
        second.wait().unwrap();
    }
    assert_eq!(log.to_vec().unwrap(), ["stage 1", "stage 2", "stage 2"]);
}

#[test]
fn a_condition_wakes_as_many_as_it_is_told_and_gives_the_lock_back() {
    let _watchdog = watchdog();
    let condition = manager().condition().unwrap();
    let guard = condition.lock().unwrap();
    assert!(condition.try_lock().unwrap().is_none());
    let (guard, notified) = condition.wait_timeout(guard, SHORT).unwrap();
    assert!(!notified);
    let never = || Ok(true);
    let (guard, ended) = condition.wait_while_timeout(guard, SHORT, never).unwrap();
    assert!(!ended);
    assert!(condition.try_lock().unwrap().is_none());
    std::thread::scope(|scope| {
        let (sender, woken) = std::sync::mpsc::channel();
        for _ in 0..2 {
            let (condition, sender) = (&condition, sender.clone());
            scope.spawn(move || {
                let guard = condition.lock().unwrap();
                sender.send("asleep").unwrap();
                let _guard = condition.wait(guard).unwrap();
                sender.send("awake").unwrap();
            });
        }
        drop(guard);
        assert_eq!([woken.recv(), woken.recv()], [Ok("asleep"), Ok("asleep")]);
        // Who said so has the lock, or waits without it.
        drop(condition.lock().unwrap());
        condition.notify_one().unwrap();
        assert_eq!(woken.recv(), Ok("awake"));
        assert_eq!(woken.recv_timeout(SHORT).ok(), None);
        condition.notify_one().unwrap();
        assert_eq!(woken.recv(), Ok("awake"));
    });
}

#[test]
#[should_panic(expected = "a guard of its own lock")]
fn a_condition_refuses_the_guard_of_another() {
    let manager = manager();
    let [one, other] = [0, 1].map(|_| manager.condition().unwrap());
    let guard = one.lock().unwrap();
    let _ = other.wait(guard);
}

/// How many ran at a time, and the most that ever did.
#[task]
fn run_beside_others(semaphore: Semaphore, running: Value<(u32, u32)>) {
    let _permit = semaphore.acquire().expect("the manager lives");
    let begin = |(now, most): &mut (u32, u32)| {
        *now += 1;
        *most = (*most).max(*now);
    };
    running.update(begin).expect("the manager lives");
    std::thread::yield_now();
    running.update(|(now, _)| *now -= 1).expect("it lives");
}

#[test]
fn a_semaphore_lets_no_more_in_than_it_has_permits() {
    let _watchdog = watchdog();
    let manager = manager();
    let semaphore = manager.semaphore(3).unwrap();
    let running = manager.value((0, 0)).unwrap();
    let inputs = (0..40).map(|_| (semaphore.clone(), running.clone()));
    pool_of(6)
        .task(run_beside_others)
        .chunk_size(1)
        .map(inputs)
        .unwrap();
    let (now, most) = running.get().unwrap();
    assert_eq!(now, 0);
    assert!((1..=3).contains(&most), "{most}");
    assert_eq!(semaphore.available().unwrap(), 3);
}

#[test]
fn a_bounded_semaphore_takes_no_permit_too_many() {
    let _watchdog = watchdog();
    let manager = manager();
    let bounded = manager.bounded_semaphore(1).unwrap();
    let error = bounded.release().unwrap_err();
    assert!(
        error.to_string().starts_with("Semaphore::release failed"),
        "{error}"
    );
    bounded.acquire().unwrap().forget().unwrap();
    assert!(bounded.try_acquire().unwrap().is_none());
    assert!(bounded.acquire_timeout(SHORT).unwrap().is_none());
    bounded.release().unwrap();
    assert!(bounded.try_acquire().unwrap().is_some());
    let unbounded = manager.semaphore(0).unwrap();
    unbounded.release().unwrap();
    unbounded.release().unwrap();
    assert_eq!(unbounded.available().unwrap(), 2);
}

#[task]
fn meet(barrier: Barrier) -> (usize, bool) {
    let turn = barrier.wait().expect("all come");
    (turn.index(), turn.is_leader())
}

#[test]
fn a_barrier_lets_all_go_when_all_are_there_again_and_again() {
    let _watchdog = watchdog();
    let barrier = manager().barrier(3).unwrap();
    assert_eq!(barrier.parties().unwrap(), 3);
    let pool = pool_of(3);
    for _ in 0..3 {
        let mut turns = pool
            .task(meet)
            .chunk_size(1)
            .map((0..3).map(|_| &barrier))
            .unwrap();
        turns.sort_unstable();
        assert_eq!(turns, [(0, false), (1, false), (2, true)]);
    }
    assert_eq!(barrier.waiting().unwrap(), 0);
}

#[test]
fn a_barrier_breaks_by_time_or_by_hand_until_it_is_reset() {
    let _watchdog = watchdog();
    let barrier = manager().barrier(2).unwrap();
    let error = barrier.wait_timeout(SHORT).unwrap_err();
    assert!(error.is_broken_barrier());
    assert!(barrier.is_broken().unwrap());
    assert!(barrier.wait().unwrap_err().is_broken_barrier());
    barrier.reset().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| barrier.wait());
        until(|| barrier.waiting().unwrap() == 1);
        barrier.abort().unwrap();
        let error = waiting.join().unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            "Barrier::wait failed: the barrier is broken"
        );
    });
}
