use std::{sync::Arc, thread, time::Duration};

use super::support::{Other, until, watchdog};
use crate::sync::{
    Barrier, BrokenBarrier, Condition, Lock, RLock, Semaphore,
    algorithm::{lock_word::Acquired, permits::TooMany},
    object::{Kind, Object, Plan, Waker},
};

/// A lock that another process holds.
fn held_by(other: &Other) -> Lock {
    let lock = Lock::new();
    other.sit_down(lock.object());
    let acquired = lock.object().lock_word().try_acquire(other.identity);
    assert_eq!(acquired, Some(Acquired { left_by: None }));
    lock
}

#[test]
fn who_waits_gets_the_lock_of_a_process_that_is_killed_and_is_told() {
    let _watchdog = watchdog();
    let mut other = Other::start();
    let lock = held_by(&other);
    assert!(lock.try_lock().is_none());
    thread::scope(|scope| {
        let waiter = scope.spawn(|| lock.lock().recovered());
        until(|| lock.object().parking(0).has_waiters());
        other.kill();
        let recovered = waiter.join().unwrap().unwrap();
        assert_eq!(recovered.pid(), other.identity.pid());
    });
    assert!(lock.lock().recovered().is_none(), "it is told once");
}

#[test]
fn a_lock_left_long_ago_is_taken_at_once_by_those_who_never_wait_too() {
    let _watchdog = watchdog();
    for reap in [false, true] {
        let mut other = Other::start();
        let lock = held_by(&other);
        other.kill();
        if reap {
            other.reap();
        }
        // Until the kernel has carried the signal out.
        until(|| {
            lock.try_lock()
                .is_some_and(|guard| guard.recovered().is_some())
        });
    }
}

#[test]
fn another_process_with_the_same_id_is_not_the_one_that_held_it() {
    let _watchdog = watchdog();
    let living = Other::start();
    let lock = Lock::new();
    let id = living.identity.bits();
    let earlier = crate::sync::algorithm::seats::Identity::from_bits(id - 1).unwrap();
    assert_eq!(earlier.pid(), living.identity.pid());
    let seat = crate::sync::algorithm::seats::take(&**lock.object(), earlier);
    assert!(seat.is_some());
    assert!(lock.object().lock_word().try_acquire(earlier).is_some());
    assert!(lock.lock().recovered().is_some());
}

#[test]
fn one_that_comes_while_others_wait_is_watched_too() {
    let _watchdog = watchdog();
    let (first, mut second) = (Other::start(), Other::start());
    let lock = held_by(&first);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| lock.lock().recovered());
        until(|| lock.object().parking(0).has_waiters());
        // The second takes its seat as `Object` does: and tells those who wait.
        second.sit_down(lock.object());
        lock.object().parking(0).notify(&Waker, u32::MAX);
        lock.object().lock_word().take_from(first.identity);
        // Whoever is first; should the waiter be, this has nothing to show.
        let taken = lock.object().lock_word().try_acquire(second.identity);
        second.kill();
        if taken.is_none() {
            lock.object().parking(0).notify(&Waker, u32::MAX);
        }
        let recovered = waiter.join().unwrap().unwrap();
        let holder = if taken.is_some() { &second } else { &first };
        assert_eq!(recovered.pid(), holder.identity.pid());
    });
}

#[test]
fn an_rlock_is_recovered_once_however_deep_it_is_taken() {
    let _watchdog = watchdog();
    let mut other = Other::start();
    let lock = RLock::new();
    other.sit_down(lock.object());
    assert!(
        lock.object()
            .lock_word()
            .try_acquire(other.identity)
            .is_some()
    );
    other.kill();
    let outer = lock.lock();
    assert!(outer.recovered().is_some());
    assert!(lock.lock().recovered().is_none());
}

#[test]
fn permits_of_the_dead_come_back() {
    let _watchdog = watchdog();
    let (mut other, living) = (Other::start(), Other::start());
    let semaphore = Semaphore::new(4);
    let object = semaphore.object();
    let (seat, living_seat) = (other.sit_down(object), living.sit_down(object));
    assert!((0..3).all(|_| object.permits().try_acquire(seat)));
    assert!(object.permits().try_acquire(living_seat));
    object.permits().forget(seat);
    assert_eq!(object.permits().put_in(seat, &Waker), Ok(()));
    let mine = semaphore.acquire();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| drop(semaphore.acquire()));
        until(|| object.parking(0).has_waiters());
        other.kill();
        waiter.join().unwrap();
    });
    drop(mine);
    assert_eq!(semaphore.available(), 3);
    assert_eq!(object.permits().held_at(seat), 0);
}

#[test]
fn a_bounded_semaphore_stays_within_its_bound_when_a_holder_dies() {
    let _watchdog = watchdog();
    let mut other = Other::start();
    let semaphore = crate::sync::BoundedSemaphore::new(1);
    let object = semaphore.object();
    let seat = other.sit_down(object);
    assert!(object.permits().try_acquire(seat));
    other.kill();
    drop(semaphore.acquire());
    assert_eq!(object.permits().put_in(object.seat(), &Waker), Err(TooMany));
}

#[test]
fn a_barrier_breaks_when_one_who_may_come_dies() {
    let _watchdog = watchdog();
    let mut other = Other::start();
    let barrier = Barrier::new(3);
    other.sit_down(barrier.object());
    thread::scope(|scope| {
        let waiters = [(); 2].map(|()| scope.spawn(|| barrier.wait()));
        until(|| barrier.waiting() == 2);
        other.kill();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Err(BrokenBarrier));
        }
    });
    assert!(barrier.is_broken());
    barrier.reset();
    thread::scope(|scope| {
        let waiters = [(); 3].map(|()| scope.spawn(|| barrier.wait()));
        for waiter in waiters {
            waiter.join().unwrap().unwrap();
        }
    });
}

#[test]
fn the_death_of_one_who_waits_wakes_the_others_of_a_condition() {
    let _watchdog = watchdog();
    let mut other = Other::start();
    let condition = Condition::new();
    other.sit_down(condition.object());
    let guard = condition.lock();
    other.kill();
    // It may have been the one that was notified.
    let (_guard, woken) = condition.wait_timeout(guard, Duration::MAX);
    assert!(woken);
}

#[test]
fn the_dead_are_not_counted_among_those_who_wait() {
    let _watchdog = watchdog();
    let mut other = Other::start();
    let object: Arc<Object> = Object::create(Plan::plain(Kind::Event)).unwrap();
    other.sit_down(&object);
    object.parking(0).count_one_for_ever();
    assert!(object.parking(0).has_waiters());
    other.kill();
    other.reap();
    object.watch_others().unwrap();
    assert!(!object.parking(0).has_waiters());
}
