//! [`Semaphore`] and [`BoundedSemaphore`].

use std::time::Duration;

use ppool::{
    sync::{BoundedSemaphore, Semaphore},
    task,
};

use crate::{
    ENDS,
    common::{Flag, Scratch, Tally, pool_of, tasks::End, until, watchdog},
    kill_now, pid_in, say_pid, waits,
};

/// Notes how many are inside, itself included.
#[task]
fn go_inside(semaphore: &Semaphore, inside: &Semaphore, counts: &Tally, times: u32) {
    for _ in 0..times {
        let _permit = semaphore.acquire();
        let one_inside = inside.acquire();
        counts.note(&(100 - inside.available()).to_string());
        drop(one_inside);
    }
}

#[task]
fn end_with_permits(semaphore: &Semaphore, how: End) {
    let _permits = [semaphore.acquire(), semaphore.acquire()];
    how.come();
}

#[task]
fn end_with_the_permit(semaphore: &BoundedSemaphore, how: End) {
    let _permit = semaphore.acquire();
    how.come();
}

/// Takes a permit for good, even if its process ends.
#[task]
fn take_for_good(semaphore: &Semaphore) {
    semaphore.acquire().forget();
}

#[task]
fn wait_for_permit(semaphore: &Semaphore, said: &Flag) {
    say_pid(said);
    drop(semaphore.acquire());
}

#[test]
fn no_more_than_so_many_processes_are_inside() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (semaphore, inside) = (Semaphore::new(2), Semaphore::new(100));
    let (pool, counts) = (pool_of(4), scratch.tally("counts"));
    let calls: Vec<_> = (0..4)
        .map(|_| pool.submit(go_inside, (&semaphore, &inside, &counts, 50)))
        .collect();
    for call in calls {
        call.wait().unwrap();
    }
    let counts: Vec<u32> = counts
        .notes()
        .iter()
        .map(|note| note.parse().unwrap())
        .collect();
    assert_eq!(counts.len(), 200);
    assert!(
        counts.iter().all(|count| (1..=2).contains(count)),
        "{counts:?}"
    );
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn permits_come_back_however_their_holder_ends() {
    let _watchdog = watchdog();
    let (semaphore, pool) = (Semaphore::new(3), pool_of(1));
    let bounded = BoundedSemaphore::new(1);
    for how in ENDS {
        pool.submit(end_with_permits, (&semaphore, how))
            .wait()
            .unwrap_err();
        let all = [(); 3].map(|()| semaphore.acquire());
        assert!(semaphore.try_acquire().is_none(), "no more than there were");
        drop(all);
        pool.submit(end_with_the_permit, (&bounded, how))
            .wait()
            .unwrap_err();
        drop(bounded.acquire());
        assert!(bounded.release().is_err());
    }
}

#[test]
fn a_permit_may_be_released_by_another_process_than_took_it() {
    let _watchdog = watchdog();
    let (semaphore, pool) = (Semaphore::new(1), pool_of(1));
    pool.apply(take_for_good, &semaphore).unwrap();
    pool.join();
    assert!(
        semaphore
            .acquire_timeout(Duration::from_millis(5))
            .is_none()
    );
    semaphore.release();
    assert!(semaphore.try_acquire().is_some());
}

#[test]
fn one_that_is_killed_while_it_waits_takes_no_permit_along() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (semaphore, pool) = (Semaphore::new(1), pool_of(2));
    let permit = semaphore.acquire();
    let said = ["killed", "other"].map(|name| scratch.flag(name));
    let [killed, other] = said
        .each_ref()
        .map(|said| pool.submit(wait_for_permit, (&semaphore, said)));
    let pids = said.each_ref().map(pid_in);
    until(|| pids.iter().all(|pid| waits(*pid)));
    kill_now(pids[0]);
    assert!(killed.wait().unwrap_err().is_worker_lost());
    drop(permit);
    other.wait().unwrap();
    assert_eq!(semaphore.available(), 1);
}
