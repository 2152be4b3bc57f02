//! [`Lock`] and [`RLock`].

use std::{fs, path::Path, time::Duration};

use ppool::{
    sync::{Lock, RLock},
    task,
};

use crate::{
    ENDS,
    common::{
        Flag, Scratch, pool_of,
        tasks::{End, Hold},
        until, watchdog,
    },
    kill_now, pid_in, say_pid, waits,
};

/// Adds one to a number in a file, so often.
#[task]
fn count_up(lock: &Lock, file: &str, times: u32) {
    for _ in 0..times {
        let _guard = lock.lock();
        let number = read(file);
        fs::write(file, (number + 1).to_string()).expect("the file can be written");
    }
}

fn read(file: impl AsRef<Path>) -> u32 {
    let text = fs::read_to_string(file).expect("the file can be read");
    text.parse().expect("a number")
}

#[task]
fn end_with_lock(lock: &Lock, how: End) {
    let _guard = lock.lock();
    how.come();
}

#[task]
fn end_with_rlock(lock: &RLock, how: End) {
    let _outer = lock.lock();
    let _inner = lock.lock();
    how.come();
}

/// Who died with the lock, if somebody did.
#[task]
fn who_left(lock: &Lock) -> Option<u32> {
    lock.lock().recovered().map(|recovered| recovered.pid())
}

/// Says its process, waits for the lock, and says when it has it.
#[task]
fn wait_for_lock(lock: &Lock, said: &Flag, has_it: &Flag) {
    say_pid(said);
    let _guard = lock.lock();
    has_it.raise();
}

#[task]
fn hold_lock(lock: &Lock, hold: &Hold) {
    let _guard = lock.lock();
    hold.started.raise();
    hold.release.wait();
}

#[test]
fn processes_take_turns() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (lock, pool) = (Lock::new(), pool_of(3));
    let file = scratch.path("number");
    fs::write(&file, "0").unwrap();
    let file = file.to_str().unwrap();
    let calls: Vec<_> = (0..3)
        .map(|_| pool.submit(count_up, (&lock, file, 200)))
        .collect();
    for call in calls {
        call.wait().unwrap();
    }
    assert_eq!(read(file), 600);
}

#[test]
fn a_lock_is_held_for_other_processes_too() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (lock, pool, held) = (Lock::new(), pool_of(1), Hold::new(&scratch, "lock"));
    let call = pool.submit(hold_lock, (&lock, &held));
    held.started.wait();
    assert!(lock.is_locked() && lock.try_lock().is_none());
    assert!(lock.lock_timeout(Duration::from_millis(5)).is_none());
    held.release.raise();
    assert!(lock.lock().recovered().is_none());
    call.wait().unwrap();
}

#[test]
fn however_a_holder_ends_the_next_owner_gets_the_lock_and_is_told() {
    let _watchdog = watchdog();
    let (lock, pool) = (Lock::new(), pool_of(2));
    for how in ENDS {
        let ended = pool.submit(end_with_lock, (&lock, how));
        let error = ended.wait().unwrap_err();
        let told = pool.apply(who_left, &lock).unwrap();
        let ppool::TaskErrorKind::WorkerLost(exit) = error.kind() else {
            panic!("{error:?}");
        };
        assert_eq!(told, Some(exit.pid()));
        assert_eq!(
            pool.apply(who_left, &lock).unwrap(),
            None,
            "it is told once"
        );
    }
}

#[test]
fn an_rlock_of_a_dead_process_is_free_however_deep_it_was_taken() {
    let _watchdog = watchdog();
    let (lock, pool) = (RLock::new(), pool_of(1));
    for how in ENDS {
        pool.submit(end_with_rlock, (&lock, how))
            .wait()
            .unwrap_err();
        let outer = lock.lock();
        assert!(outer.recovered().is_some());
        assert!(lock.lock().recovered().is_none());
    }
}

#[test]
fn those_who_wait_already_learn_of_the_holder_s_death() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (lock, pool) = (Lock::new(), pool_of(2));
    let (holder, held) = (scratch.flag("holder"), scratch.flag("held"));
    let (waiter, has_it) = (scratch.flag("waiter"), scratch.flag("has-it"));
    let holding = pool.submit(wait_then_stay, (&lock, &holder, &held));
    held.wait();
    let waiting = pool.submit(wait_for_lock, (&lock, &waiter, &has_it));
    let waiter = pid_in(&waiter);
    until(|| waits(waiter));
    kill_now(pid_in(&holder));
    waiting.wait().unwrap();
    assert!(has_it.is_up());
    assert!(holding.wait().unwrap_err().is_worker_lost());
}

/// As `wait_for_lock`, and never gives it back.
#[task]
fn wait_then_stay(lock: &Lock, said: &Flag, has_it: &Flag) {
    say_pid(said);
    let _guard = lock.lock();
    has_it.raise();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_waiter_that_is_killed_harms_nobody() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (lock, pool) = (Lock::new(), pool_of(2));
    let guard = lock.lock();
    let flags = ["killed", "killed-has-it", "other", "other-has-it"].map(|name| scratch.flag(name));
    let killed = pool.submit(wait_for_lock, (&lock, &flags[0], &flags[1]));
    let pid = pid_in(&flags[0]);
    let other = pool.submit(wait_for_lock, (&lock, &flags[2], &flags[3]));
    let other_pid = pid_in(&flags[2]);
    until(|| waits(pid) && waits(other_pid));
    kill_now(pid);
    assert!(killed.wait().unwrap_err().is_worker_lost());
    drop(guard);
    other.wait().unwrap();
    assert!(!flags[1].is_up());
    assert!(lock.lock().recovered().is_none(), "nobody died with it");
}
