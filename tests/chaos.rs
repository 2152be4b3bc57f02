//! Everything at once, by chance: calls that succeed, fail, kill their worker and hang, workers
//! killed from outside, calls cancelled and killed. Whatever dies, every call resolves exactly
//! once, and none runs twice (API-1).
#![forbid(unsafe_code)]

mod common;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use common::{Raise, Scratch, Tally, tasks::End, watchdog};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use ppool::{Done, Pool, TaskError, TaskErrorKind, task};
use serde::{Deserialize, Serialize};

const CALLS: u64 = 2000;
const HANGS_FOR: Duration = Duration::from_millis(30);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Fate {
    Value,
    LargeValue,
    Panic,
    End(End),
    Hang,
}

impl Fate {
    fn by(chance: &mut fastrand::Rng) -> Self {
        match chance.u8(0..100) {
            0 => Fate::End(End::Kill),
            1 => Fate::End(End::Exit(5)),
            2 => Fate::End(End::Abort),
            3 => Fate::End(End::Segfault),
            4 | 5 => Fate::Hang,
            6..=9 => Fate::Panic,
            10..=14 => Fate::LargeValue,
            _ => Fate::Value,
        }
    }
}

#[task]
fn meet(fate: Fate, n: u64, padding: &[u8], ran: &Tally) -> (u64, Vec<u8>) {
    ran.note(&format!("{n} {}", std::process::id()));
    match fate {
        Fate::Value => (n, padding.to_vec()),
        Fate::LargeValue => (n, vec![n.to_le_bytes()[0]; 1 << 20]),
        Fate::Panic => panic!("call {n}"),
        Fate::End(how) => how.come(),
        Fate::Hang => loop {
            thread::park();
        },
    }
}

/// Which call noted that it ran, and in which worker.
fn numbers_of(note: &str) -> (u64, u32) {
    let numbers = note.split_once(' ');
    let numbers = numbers.and_then(|(n, pid)| Some((n.parse().ok()?, pid.parse().ok()?)));
    numbers.expect("two numbers")
}

/// What the pool's callbacks have heard: how often of each call, and whether it gave a value.
type Heard = Arc<Mutex<HashMap<u64, Vec<bool>>>>;

fn chaos(seed: u64) {
    let scratch = Scratch::new();
    let ran = scratch.tally("ran");
    let heard = Heard::default();
    let hear = |heard: &Heard, id: u64, value: bool| {
        heard
            .lock()
            .expect("nobody panics")
            .entry(id)
            .or_default()
            .push(value);
    };
    let (of_values, of_errors) = (heard.clone(), heard.clone());
    let pool = Pool::builder()
        .workers(3)
        .queue_capacity(50)
        .grace(Duration::from_millis(20))
        .callback(move |done: &Done<'_>| hear(&of_values, done.id(), true))
        .exception_callback(move |error: &TaskError| hear(&of_errors, error.id(), false))
        .build()
        .expect("a plain pool");

    let over = AtomicBool::new(false);
    let outcomes: Vec<_> = thread::scope(|scope| {
        let _at_the_end = Raise(&over);
        scope.spawn(|| {
            let mut chance = fastrand::Rng::with_seed(seed ^ 0x5eed);
            while !over.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(chance.u64(10..30)));
                // One that has come up: the start of workers is not the subject.
                let last = ran.notes().pop().map(|note| numbers_of(&note).1);
                if let Some(pid) = last.filter(|pid| pool.worker_pids().contains(pid)) {
                    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid is small"));
                    // It may be gone by now, and that is as well.
                    let _ = kill(pid, Signal::SIGKILL);
                }
            }
        });
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut futures = Vec::new();
        for n in 0..CALLS {
            let fate = Fate::by(&mut chance);
            let padding = vec![7u8; chance.usize(0..3000)];
            let call = pool.task(meet).timeout(HANGS_FOR);
            let future = call.submit((fate, n, &padding[..], &ran));
            match chance.u8(0..50) {
                0 => drop(future.cancel()),
                1 => drop(future.kill()),
                _ => {}
            }
            futures.push((n, fate, future));
            if chance.u8(0..20) == 0 {
                // Somebody takes a result in between.
                let at = chance.usize(0..futures.len());
                futures[at].2.wait_timeout(HANGS_FOR);
            }
        }
        let outcomes = futures.into_iter();
        outcomes
            .map(|(n, fate, future)| (n, fate, future.id(), future.wait()))
            .collect()
    });
    drop(pool);

    let mut runs: HashMap<u64, u32> = HashMap::new();
    for note in ran.notes() {
        *runs.entry(numbers_of(&note).0).or_default() += 1;
    }
    let heard = heard.lock().expect("nobody panics");
    assert_eq!(outcomes.len() as u64, CALLS);
    for (n, fate, id, outcome) in outcomes {
        let ran = runs.get(&n).copied().unwrap_or(0);
        assert!(ran <= 1, "seed {seed}: call {n} ran {ran} times");
        assert_eq!(
            heard.get(&id),
            Some(&vec![outcome.is_ok()]),
            "seed {seed}: call {n}"
        );
        judge(fate, n, ran == 1, outcome, seed);
    }
}

/// Any call may be cancelled, and the worker of any call may be killed; else its fate decides.
fn judge(fate: Fate, n: u64, ran: bool, outcome: Result<(u64, Vec<u8>), TaskError>, seed: u64) {
    let error = match (fate, outcome) {
        (Fate::Value | Fate::LargeValue, Ok((m, _))) => return assert!(m == n && ran),
        (_, Ok(_)) => panic!("seed {seed}: call {n}, {fate:?}, gave a value"),
        (_, Err(error)) => error,
    };
    // What is said not to have started has not run.
    assert!(
        error.was_started() || !ran,
        "seed {seed}: call {n}: {error:?}"
    );
    let as_expected = match (fate, error.kind()) {
        (_, TaskErrorKind::Cancelled) => true,
        (Fate::Panic, TaskErrorKind::Panicked(panic)) => panic.message() == format!("call {n}"),
        (Fate::End(how), TaskErrorKind::WorkerLost(exit)) => {
            let told = exit
                .exit_code()
                .ok_or_else(|| exit.signal_name().unwrap_or("?"));
            told == how.exit() || exit.signal_name() == Some("SIGKILL")
        }
        (_, TaskErrorKind::WorkerLost(exit)) => exit.signal_name() == Some("SIGKILL"),
        // On a busy machine any call may take so long.
        (_, TaskErrorKind::TimedOut(limit)) => *limit == HANGS_FOR,
        _ => false,
    };
    assert!(as_expected, "seed {seed}: call {n}, {fate:?}: {error:?}");
}

#[test]
fn every_call_resolves_once_whatever_dies() {
    let _watchdog = watchdog();
    for seed in [1, 0xfeed_beef, 0x1234_5678_9abc] {
        chaos(seed);
    }
}
