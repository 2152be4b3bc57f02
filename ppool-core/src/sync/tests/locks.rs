use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use super::support::{until, watchdog};
use crate::sync::{Condition, Event, Lock, RLock};

const SHORT: Duration = Duration::from_millis(2);

/// A sum in two steps, between which others may come; the lock must keep them out.
#[derive(Default)]
struct TwoSteps(AtomicU64);

impl TwoSteps {
    fn add(&self) {
        let before = self.0.load(Relaxed);
        std::hint::spin_loop();
        self.0.store(before + 1, Relaxed);
    }
}

#[test]
fn threads_take_turns() {
    let _watchdog = watchdog();
    let (lock, count) = (Lock::new(), TwoSteps::default());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    let _guard = lock.lock();
                    count.add();
                }
            });
        }
    });
    assert_eq!(count.0.load(Relaxed), 80_000);
    assert!(!lock.is_locked());
}

#[test]
fn a_lock_that_is_held_is_waited_for_only_so_long() {
    let _watchdog = watchdog();
    let lock = Lock::new();
    let guard = lock.lock();
    assert!(lock.try_lock().is_none());
    assert!(lock.lock_timeout(SHORT).is_none());
    assert!(lock.lock_timeout(Duration::ZERO).is_none());
    drop(guard);
    assert!(lock.lock_timeout(Duration::MAX).is_some());
}

#[test]
fn a_guard_may_be_dropped_by_another_thread() {
    let _watchdog = watchdog();
    let lock = Lock::new();
    let guard = lock.lock();
    thread::scope(|scope| {
        scope.spawn(move || drop(guard));
        drop(lock.lock());
    });
}

#[test]
fn a_waiting_thread_is_not_passed_over_for_ever() {
    let _watchdog = watchdog();
    let (lock, served) = (Lock::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        let greedy = || {
            while !served.load(Relaxed) {
                drop(lock.lock());
            }
        };
        scope.spawn(greedy);
        scope.spawn(greedy);
        scope.spawn(|| {
            for _ in 0..100 {
                drop(lock.lock());
            }
            served.store(true, Relaxed);
        });
    });
}

#[test]
fn an_rlock_is_free_when_all_its_guards_are_gone() {
    let _watchdog = watchdog();
    let lock = RLock::new();
    let taken_elsewhere =
        || thread::scope(|s| s.spawn(|| lock.try_lock().is_some()).join().unwrap());
    let one = lock.lock();
    let two = lock.try_lock().unwrap();
    let three = lock.lock_timeout(SHORT).unwrap();
    drop(one);
    drop(three);
    assert!(!taken_elsewhere());
    drop(two);
    assert!(taken_elsewhere());
}

#[test]
fn an_event_wakes_all_who_wait_even_if_it_is_cleared_at_once() {
    let _watchdog = watchdog();
    let event = Event::new();
    assert!(!event.wait_timeout(SHORT));
    let waiting = AtomicU64::new(0);
    let (waiting, event) = (&waiting, &event);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(move || {
                waiting.fetch_add(1, Relaxed);
                event.wait();
                waiting.fetch_sub(1, Relaxed);
            });
        }
        until(|| waiting.load(Relaxed) == 3);
        // Who had not begun to wait is woken by a later one.
        until(|| {
            event.set();
            event.clear();
            waiting.load(Relaxed) == 0
        });
    });
    event.set();
    event.set();
    assert!(event.wait_timeout(Duration::ZERO));
}

#[test]
fn a_condition_hands_items_over() {
    let _watchdog = watchdog();
    let (condition, items) = (Condition::new(), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    let guard = condition.lock();
                    let _guard = condition.wait_while(guard, || items.load(Relaxed) == 0);
                    items.fetch_sub(1, Relaxed);
                }
            });
        }
        for _ in 0..3_000 {
            let _guard = condition.lock();
            items.fetch_add(1, Relaxed);
            condition.notify_one();
        }
    });
    assert_eq!(items.load(Relaxed), 0);
}

#[test]
fn a_condition_says_whether_somebody_notified() {
    let _watchdog = watchdog();
    let lock = Lock::new();
    let condition = Condition::with_lock(&lock);
    let (guard, notified) = condition.wait_timeout(condition.lock(), SHORT);
    assert!(!notified);
    let (guard, came) = condition.wait_while_timeout(guard, SHORT, || true);
    assert!(!came && lock.is_locked());
    drop(guard);
    thread::scope(|scope| {
        let guard = condition.lock();
        scope.spawn(|| {
            let _guard = lock.lock();
            condition.notify_all();
        });
        let (_guard, notified) = condition.wait_timeout(guard, Duration::MAX);
        assert!(notified);
    });
}

#[test]
#[should_panic(expected = "a guard of its own lock")]
fn a_condition_refuses_the_guard_of_another_lock() {
    let (condition, lock) = (Condition::new(), Lock::new());
    drop(condition.wait(lock.lock()));
}
