//! Workers are killed at random moments, again and again, while they run a million calls. What is
//! lost is exactly what they were running: at most one call for each kill, and never one that had
//! not begun, or whose result was on its way.
#![forbid(unsafe_code)]

mod common;

use std::{
    sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32,
        Ordering::{Relaxed, SeqCst},
    },
    thread,
    time::Duration,
};

use common::{Raise, watchdog};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use ppool::{Pool, TaskError, TaskErrorKind, shared::SharedArray, task, worker};

const WORKERS: usize = 2;

/// What the workers write down, where it outlives them.
#[derive(Clone)]
struct Ledger {
    /// How often each call was begun and ended.
    begun: SharedArray<AtomicU8>,
    ended: SharedArray<AtomicU8>,
    /// The process that ran a call last, in each slot of the pool.
    pids: SharedArray<AtomicU32>,
}

#[task]
fn keep(begun: SharedArray<AtomicU8>, ended: SharedArray<AtomicU8>, pids: SharedArray<AtomicU32>) {
    worker::set_state(Ledger { begun, ended, pids });
}

#[task]
fn run(call: usize) -> usize {
    worker::with_state(|ledger: &mut Ledger| {
        ledger.begun[call].fetch_add(1, SeqCst);
        if let Some(me) = worker::current() {
            ledger.pids[me.slot as usize].store(me.pid, Relaxed);
        }
        ledger.ended[call].fetch_add(1, SeqCst);
    });
    call
}

/// Kills workers that have run a call since their start, until `over`; gives the killed.
fn kill_at_random(pool: &Pool, ledger: &Ledger, over: &AtomicBool) -> Vec<u32> {
    let mut killed = Vec::new();
    while !over.load(SeqCst) {
        thread::sleep(Duration::from_micros(fastrand::u64(0..20_000)));
        let slot = fastrand::usize(0..WORKERS);
        let pid = ledger.pids[slot].swap(0, Relaxed);
        if pid != 0 && pool.worker_pids().contains(&pid) && !killed.contains(&pid) {
            // It may be gone by now, and that is as well.
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
            killed.push(pid);
        }
    }
    killed
}

fn run_and_kill(calls: usize, chunk_size: Option<usize>) {
    let _watchdog = watchdog();
    let ledger = Ledger {
        begun: SharedArray::new(calls),
        ended: SharedArray::new(calls),
        pids: SharedArray::new(WORKERS),
    };
    let Ledger { begun, ended, pids } = &ledger;
    let pool = Pool::builder()
        .workers(WORKERS)
        .initializer(keep, (begun, ended, pids))
        .build()
        .expect("a plain pool");
    let over = AtomicBool::new(false);
    let (outcomes, killed) = thread::scope(|scope| {
        let killer = scope.spawn(|| kill_at_random(&pool, &ledger, &over));
        let at_the_end = Raise(&over);
        let mut each = pool.task(run);
        if let Some(size) = chunk_size {
            each = each.chunk_size(size);
        }
        let outcomes: Vec<Result<usize, TaskError>> = each.imap(0..calls).collect();
        drop(at_the_end);
        (outcomes, killer.join().expect("it only kills"))
    });
    assert_eq!(outcomes.len(), calls);
    let mut victims = Vec::new();
    for (call, outcome) in outcomes.into_iter().enumerate() {
        let (begun, ended) = (begun[call].load(SeqCst), ended[call].load(SeqCst));
        assert!(begun <= 1, "call {call} was begun {begun} times");
        match outcome {
            Ok(value) => assert_eq!((value, begun, ended), (call, 1, 1)),
            // It was claimed, and got as far as it got.
            Err(error) => match error.kind() {
                TaskErrorKind::WorkerLost(exit) if exit.signal_name() == Some("SIGKILL") => {
                    victims.push(exit.pid());
                }
                _ => panic!("call {call}: {error:?}"),
            },
        }
    }
    let lost = victims.len();
    assert!(lost > 0, "none of {} kills hit a call", killed.len());
    assert!(victims.iter().all(|pid| killed.contains(pid)));
    victims.sort_unstable();
    victims.dedup();
    assert_eq!(victims.len(), lost, "one kill cost more than one call");
}

#[test]
fn a_kill_costs_the_call_that_runs_when_each_call_goes_alone() {
    run_and_kill(200_000, Some(1));
}

#[test]
fn a_kill_costs_the_call_that_runs_when_calls_go_in_chunks() {
    run_and_kill(1_000_000, None);
}
