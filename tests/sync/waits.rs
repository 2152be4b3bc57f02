//! [`Event`] and [`Condition`].

use std::time::Duration;

use ppool::{
    sync::{Condition, Event},
    task,
};

use crate::{
    common::{Flag, Scratch, Tally, pool_of, until, watchdog},
    kill_now, pid_in, say_pid, waits,
};

#[task]
fn wait_for(event: &Event, said: &Flag) -> bool {
    say_pid(said);
    event.wait();
    event.is_set()
}

#[task]
fn wait_a_little_for(event: &Event, milliseconds: u64) -> bool {
    event.wait_timeout(Duration::from_millis(milliseconds))
}

/// Waits until as many notes are there as it was promised.
#[task]
fn wait_for_notes(condition: &Condition, said: &Flag, notes: &Tally, count: usize) -> usize {
    say_pid(said);
    let guard = condition.lock();
    let _guard = condition.wait_while(guard, || notes.count() < count);
    notes.count()
}

#[task]
fn note(condition: &Condition, notes: &Tally) {
    let _guard = condition.lock();
    notes.add();
    condition.notify_all();
}

#[test]
fn one_waits_as_long_as_it_takes_and_another_only_so_long() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (event, pool) = (Event::new(), pool_of(2));
    let said = scratch.flag("said");
    let blocked = pool.submit(wait_for, (&event, &said));
    assert!(!pool.apply(wait_a_little_for, (&event, 5)).unwrap());
    event.set();
    assert!(blocked.wait().unwrap());
    assert!(pool.apply(wait_a_little_for, (&event, 5)).unwrap());
    event.clear();
    assert!(!pool.apply(wait_a_little_for, (&event, 0)).unwrap());
}

#[test]
fn an_event_wakes_those_who_are_left() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (event, pool) = (Event::new(), pool_of(3));
    let said = [0, 1, 2].map(|n| scratch.flag(&format!("said-{n}")));
    let [killed, others @ ..] = said
        .each_ref()
        .map(|said| pool.submit(wait_for, (&event, said)));
    let pids = said.each_ref().map(pid_in);
    until(|| pids.iter().all(|pid| waits(*pid)));
    kill_now(pids[0]);
    assert!(killed.wait().unwrap_err().is_worker_lost());
    event.set();
    for other in others {
        assert!(other.wait().unwrap());
    }
}

#[test]
fn a_condition_tells_processes_of_a_change() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (condition, pool, notes) = (Condition::new(), pool_of(3), scratch.tally("notes"));
    let said = [0, 1].map(|n| scratch.flag(&format!("said-{n}")));
    let waiting = said
        .each_ref()
        .map(|said| pool.submit(wait_for_notes, (&condition, said, &notes, 2)));
    for _ in 0..2 {
        pool.apply(note, (&condition, &notes)).unwrap();
    }
    for call in waiting {
        assert_eq!(call.wait().unwrap(), 2);
    }
}

#[test]
fn a_condition_works_on_when_one_that_waits_is_killed() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (condition, pool, notes) = (Condition::new(), pool_of(2), scratch.tally("notes"));
    let said = [0, 1].map(|n| scratch.flag(&format!("said-{n}")));
    let [killed, other] = said
        .each_ref()
        .map(|said| pool.submit(wait_for_notes, (&condition, said, &notes, 1)));
    let pids = said.each_ref().map(pid_in);
    until(|| pids.iter().all(|pid| waits(*pid)));
    kill_now(pids[0]);
    assert!(killed.wait().unwrap_err().is_worker_lost());
    let guard = condition.lock();
    assert!(guard.recovered().is_none(), "it waited without the lock");
    notes.add();
    condition.notify_one();
    drop(guard);
    assert_eq!(other.wait().unwrap(), 1);
}
