//! [`Barrier`].

use std::time::Duration;

use ppool::{sync::Barrier, task};

use crate::{
    common::{Flag, Scratch, pool_of, until, watchdog},
    kill_now, pid_in, say_pid,
};

/// The index of each round, or -1 for a broken one.
#[task]
fn meet(barrier: &Barrier, said: &Flag, rounds: usize) -> Vec<i64> {
    say_pid(said);
    let index = |()| match barrier.wait() {
        Ok(turn) => i64::try_from(turn.index()).expect("few parties"),
        Err(_) => -1,
    };
    (0..rounds).map(|_| index(())).collect()
}

#[task]
fn meet_soon(barrier: &Barrier, milliseconds: u64) -> bool {
    barrier
        .wait_timeout(Duration::from_millis(milliseconds))
        .is_ok()
}

#[test]
fn processes_meet_round_after_round() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (barrier, pool) = (Barrier::new(3), pool_of(3));
    let said = [0, 1, 2].map(|n| scratch.flag(&format!("said-{n}")));
    let calls = said
        .each_ref()
        .map(|said| pool.submit(meet, (&barrier, said, 100)));
    let rounds = calls.map(|call| call.wait().unwrap());
    for round in 0..100 {
        let mut indices = rounds.each_ref().map(|indices| indices[round]);
        indices.sort_unstable();
        assert_eq!(indices, [0, 1, 2]);
    }
}

#[test]
fn the_death_of_one_who_waits_breaks_the_barrier_for_the_others() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (barrier, pool) = (Barrier::new(3), pool_of(2));
    let said = [0, 1].map(|n| scratch.flag(&format!("said-{n}")));
    let [killed, other] = said
        .each_ref()
        .map(|said| pool.submit(meet, (&barrier, said, 1)));
    until(|| barrier.waiting() == 2);
    kill_now(pid_in(&said[0]));
    assert!(killed.wait().unwrap_err().is_worker_lost());
    assert_eq!(other.wait().unwrap(), [-1]);
    assert!(barrier.is_broken() && barrier.wait().is_err());

    barrier.reset();
    let call = pool.submit(meet, (&Barrier::new(1), &said[0], 1));
    assert_eq!(call.wait().unwrap(), [0]);
    let calls = said
        .each_ref()
        .map(|said| pool.submit(meet, (&barrier, said, 1)));
    barrier.wait().unwrap();
    for call in calls {
        assert_ne!(call.wait().unwrap(), [-1]);
    }
}

#[test]
fn a_process_that_waits_too_long_breaks_the_barrier() {
    let _watchdog = watchdog();
    let (barrier, pool) = (Barrier::new(2), pool_of(1));
    assert!(!pool.apply(meet_soon, (&barrier, 2)).unwrap());
    assert!(barrier.is_broken());
    assert!(barrier.wait().is_err());
}
