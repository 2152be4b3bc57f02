//! Pools whose number of workers follows the calls that they have.
#![forbid(unsafe_code)]

mod common;

use std::{collections::HashSet, ops::RangeInclusive, time::Duration};

use common::{
    Scratch, Tally,
    processes::{is_alive, wait_until_gone},
    tasks::{Hold, hold, square, worker_pid},
    until, watchdog,
};
use ppool::{Pool, PoolBuilder, SubmitError, TaskFuture, Workers, task};

const SOON: Duration = Duration::from_millis(20);

fn elastic(workers: impl Into<Workers>) -> PoolBuilder {
    Pool::builder().workers(workers).idle_timeout(SOON)
}

/// Calls that run until they are let go, each in a worker of its own.
struct Crowd {
    holds: Vec<Hold>,
    running: Vec<TaskFuture<u32>>,
    _scratch: Scratch,
}

impl Crowd {
    /// Submits so many, and waits until they run.
    fn of(pool: &Pool, calls: usize) -> Self {
        let scratch = Scratch::new();
        let mut crowd = Crowd {
            holds: Vec::new(),
            running: Vec::new(),
            _scratch: scratch,
        };
        for number in 0..calls {
            let held = Hold::new(&crowd._scratch, &format!("call-{number}"));
            crowd.running.push(pool.submit(hold, &held));
            crowd.holds.push(held);
        }
        for held in &crowd.holds {
            held.started.wait();
        }
        crowd
    }

    /// Lets them end; gives their workers.
    fn let_go(self) -> HashSet<u32> {
        for held in &self.holds {
            held.release.raise();
        }
        let pids = self.running.into_iter().map(|call| call.wait());
        pids.collect::<Result<_, _>>().expect("nobody stops them")
    }
}

#[task]
fn leave_a_note(tally: &Tally) {
    tally.note(&std::process::id().to_string());
}

#[test]
fn it_begins_with_the_least_and_grows_while_calls_wait() {
    let _watchdog = watchdog();
    let pool = elastic(1..=3).build().unwrap();
    assert_eq!(pool.worker_pids(), [], "workers start with the first call");
    assert_eq!((pool.min_workers(), pool.max_workers()), (1, 3));
    assert_eq!(pool.free_slots(), 3);
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    assert_eq!(pool.worker_pids().len(), 1);

    let crowd = Crowd::of(&pool, 3);
    assert_eq!((pool.busy_workers(), pool.free_slots()), (3, 0));
    // There is no fourth worker for the fourth call.
    let waiting = pool.submit(square, 4);
    assert!(pool.has_pending());
    assert_eq!(pool.worker_pids().len(), 3);
    assert_eq!(crowd.let_go().len(), 3);
    assert_eq!(waiting.wait().unwrap(), 16);
}

#[test]
fn idle_workers_above_the_least_leave_and_run_their_finalizer() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let left = scratch.tally("left");
    let pool = elastic(1..=3)
        .finalizer(leave_a_note, &left)
        .build()
        .unwrap();
    for round in 1..4 {
        let pids = Crowd::of(&pool, 3).let_go();
        until(|| pool.worker_pids().len() == 1 && left.count() == 2 * round);
        let stays = pool.worker_pids();
        let gone: Vec<u32> = pids
            .into_iter()
            .filter(|pid| !stays.contains(pid))
            .collect();
        assert_eq!(gone.len(), 2);
        wait_until_gone(&gone);
        assert!(is_alive(stays[0]));
    }
}

#[test]
fn the_least_number_stays_however_long_it_is_idle() {
    let _watchdog = watchdog();
    let pool = elastic(2..=4).build().unwrap();
    Crowd::of(&pool, 4).let_go();
    until(|| pool.worker_pids().len() == 2);
    let stay = pool.worker_pids();
    // Workers of another pool come, are idle for as long, and go meanwhile.
    let other = elastic(1..=3).build().unwrap();
    for _ in 0..3 {
        Crowd::of(&other, 3).let_go();
        until(|| other.worker_pids().len() == 1);
    }
    assert_eq!(pool.worker_pids(), stay);
    assert!(stay.into_iter().all(is_alive));
}

#[test]
fn workers_can_be_kept_once_they_were_started() {
    let _watchdog = watchdog();
    let pool = elastic(1..=3).keep_running(true).build().unwrap();
    let pids = Crowd::of(&pool, 3).let_go();
    let other = elastic(1..=3).build().unwrap();
    Crowd::of(&other, 3).let_go();
    until(|| other.worker_pids().len() == 1);
    // Those of the other pool have left by now; these have the same time limit.
    assert_eq!(pool.worker_pids().into_iter().collect::<HashSet<_>>(), pids);
}

#[test]
fn calls_that_come_while_workers_leave_are_not_lost() {
    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(1..=4)
        .idle_timeout(Duration::from_millis(1))
        .build()
        .unwrap();
    for round in 0..100 {
        std::thread::sleep(Duration::from_micros(round * 37 % 2000));
        let squares = pool.map(square, 0..12).unwrap();
        assert_eq!(squares, (0..12).map(|n| n * n).collect::<Vec<_>>());
    }
}

#[test]
fn a_full_queue_may_have_more_workers_than_the_most_when_limits_are_not_strict() {
    let _watchdog = watchdog();
    for (strict, most) in [(true, 2), (false, 3)] {
        let scratch = Scratch::new();
        let pool = elastic(1..=2)
            .queue_capacity(1)
            .strict_limits(strict)
            .build()
            .unwrap();
        let held = Hold::new(&scratch, "held");
        let mut running = Vec::new();
        // One more than may run and wait: it is not accepted, or there would be a fourth worker.
        while running.len() < most + 1 {
            match pool.try_submit(hold, &held) {
                Ok(future) => running.push(future),
                Err(SubmitError::Full(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        until(|| pool.busy_workers() == most && pool.is_full());
        assert!(matches!(
            pool.try_submit(hold, &held),
            Err(SubmitError::Full(_))
        ));
        assert_eq!(pool.worker_pids().len(), most);
        assert_eq!((pool.max_workers(), pool.free_slots()), (2, 0));
        held.release.raise();
        for future in running {
            future.wait().unwrap();
        }
        until(|| pool.worker_pids().len() == 1);
    }
}

#[test]
fn a_pool_can_be_resized_while_it_works() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).build().unwrap();
    pool.resize(2..=4).unwrap();
    assert_eq!(pool.worker_pids(), [], "workers start with the first call");
    assert_eq!((pool.min_workers(), pool.max_workers()), (2, 4));
    pool.apply(square, 1).unwrap();
    until(|| pool.worker_pids().len() == 2);

    let crowd = Crowd::of(&pool, 4);
    pool.resize(6).unwrap();
    until(|| pool.worker_pids().len() == 6);
    assert_eq!((pool.free_slots(), pool.busy_workers()), (2, 4));

    // The idle ones leave at once, the busy ones when their calls have ended.
    pool.resize(1).unwrap();
    until(|| pool.worker_pids().len() == 4);
    assert_eq!((pool.max_workers(), pool.free_slots()), (1, 0));
    let waiting: Vec<_> = (0..20).map(|n| pool.submit(square, n)).collect();
    let pids = crowd.let_go();
    assert_eq!(pids.len(), 4, "no call was interrupted");
    for (n, future) in (0..).zip(waiting) {
        assert_eq!(future.wait().unwrap(), n * n);
    }
    until(|| pool.worker_pids().len() == 1);
    let stays = pool.worker_pids();
    let gone: Vec<u32> = pids
        .into_iter()
        .filter(|pid| !stays.contains(pid))
        .collect();
    wait_until_gone(&gone);

    pool.resize(3).unwrap();
    until(|| pool.worker_pids().len() == 3);
    assert_eq!(Crowd::of(&pool, 3).let_go().len(), 3);
}

#[test]
fn numbers_of_workers_that_make_no_sense_are_clear_errors() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(2).build().unwrap();
    let of = |workers: Workers| {
        let built = Pool::builder().workers(workers).build().unwrap_err();
        let resized = pool.resize(workers).unwrap_err();
        assert_eq!(built.to_string(), resized.to_string());
        built.to_string()
    };
    for none in [Workers::from(0), (0..=0).into(), (0..=3).into()] {
        assert_eq!(of(none), "a pool needs at least 1 worker");
    }
    let inverted = of(RangeInclusive::new(3, 2).into());
    assert_eq!(
        inverted,
        "from 3 to 2 workers is no range: the least number comes first"
    );
    assert!(of(usize::MAX.into()).contains("too many"));
    assert!(of((1..=usize::MAX).into()).contains("too many"));
    assert_eq!((pool.min_workers(), pool.max_workers()), (2, 2));
}

#[test]
fn a_worker_above_the_least_that_dies_is_replaced_when_calls_want_it() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1..=3).build().unwrap();
    let crowd = Crowd::of(&pool, 2);
    let dies = pool.submit(common::tasks::end, common::tasks::End::Kill);
    assert!(dies.wait().unwrap_err().is_worker_lost());
    // Two calls run, and nobody waits.
    until(|| pool.worker_pids().len() == 2);
    let third = pool.apply(worker_pid, ()).unwrap();
    assert!(!crowd.let_go().contains(&third));
}
