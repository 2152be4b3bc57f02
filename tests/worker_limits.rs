//! Limits that the kernel enforces on workers: memory, processor time, where and how eagerly they
//! run.
#![forbid(unsafe_code)]

mod common;

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

use common::{
    Scratch, Tally,
    processes::{status, wait_until_gone},
    tasks::{End, Hold, end, hold, square, worker_pid},
    watchdog,
};
use ppool::{Pool, PoolBuilder, TaskErrorKind, task};

const MIB: u64 = 1 << 20;

fn one_worker() -> PoolBuilder {
    Pool::builder().workers(1)
}

// ------------------------------------------------------------------ memory

/// Takes so many mebibytes at once.
#[task]
fn take(mebibytes: usize) -> usize {
    black_box(vec![1u8; mebibytes << 20]).len()
}

/// Takes them one by one.
#[task]
fn take_slowly(mebibytes: usize) -> usize {
    let taken: Vec<_> = (0..mebibytes).map(|_| vec![1u8; 1 << 20]).collect();
    black_box(taken).len()
}

#[task]
fn try_to_take(mebibytes: usize) -> bool {
    Vec::<u8>::new().try_reserve(mebibytes << 20).is_ok()
}

#[task]
fn give_back(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

#[test]
fn a_call_that_wants_more_memory_than_there_may_be_fails_alone() {
    let _watchdog = watchdog();
    for backtrace in ["0", "1"] {
        let pool = Pool::builder()
            .workers(2)
            .memory_limit(64 * MIB)
            .env("RUST_BACKTRACE", backtrace)
            .build()
            .unwrap();
        assert_eq!(pool.apply(take, 16).unwrap(), 16 << 20);
        for attempt in [pool.submit(take, 1 << 10), pool.submit(take_slowly, 200)] {
            let error = attempt.wait().unwrap_err();
            assert!(
                matches!(error.kind(), TaskErrorKind::MemoryLimit),
                "{error:?}"
            );
            assert!(error.is_memory_limit() && error.was_started());
            assert!(error.to_string().contains("memory"), "{error}");
        }
        assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
        assert_eq!(pool.apply(take, 16).unwrap(), 16 << 20);
    }
}

#[test]
fn a_call_past_the_memory_limit_is_not_run_again() {
    let _watchdog = watchdog();
    #[task]
    fn note_and_take(tally: &Tally) -> usize {
        tally.note("ran");
        black_box(vec![1u8; 1 << 30]).len()
    }

    let scratch = Scratch::new();
    let tally = scratch.tally("ran");
    let pool = one_worker()
        .memory_limit(64 * MIB)
        .retries(3)
        .build()
        .unwrap();
    let error = pool.apply(note_and_take, &tally).unwrap_err();
    assert!(error.is_memory_limit(), "{error:?}");
    assert_eq!(tally.count(), 1);
}

#[test]
fn other_deaths_stay_what_they_are_under_a_memory_limit() {
    let _watchdog = watchdog();
    let pool = one_worker().memory_limit(64 * MIB).build().unwrap();
    for how in [End::Abort, End::Segfault, End::Kill, End::Exit(3)] {
        // A refusal that a task copes with is no death, and no reason for a later one.
        assert!(!pool.apply(try_to_take, 1 << 10).unwrap());
        assert!(pool.apply(try_to_take, 1).unwrap());
        let error = pool.apply(end, how).unwrap_err();
        let TaskErrorKind::WorkerLost(exit) = error.kind() else {
            panic!("{how:?}: {error:?}");
        };
        assert_eq!(
            exit.exit_code().ok_or(exit.signal_name().unwrap_or("")),
            how.exit()
        );
    }
}

#[test]
fn an_argument_beyond_the_memory_limit_fails_its_own_call() {
    let _watchdog = watchdog();
    let pool = one_worker().memory_limit(64 * MIB).build().unwrap();
    let large = vec![7u8; 100 << 20];
    let error = pool.apply(give_back, &large[..]).unwrap_err();
    assert!(error.is_memory_limit(), "{error:?}");
    assert_eq!(pool.apply(give_back, &large[..1000]).unwrap().len(), 1000);
}

#[test]
fn a_memory_limit_below_what_a_worker_needs_is_said_at_once() {
    let _watchdog = watchdog();
    for bytes in [1, MIB, 8 * MIB] {
        let pool = Pool::builder()
            .workers(4)
            .memory_limit(bytes)
            .build()
            .unwrap();
        let error = pool.apply(square, 2).unwrap_err();
        assert!(
            matches!(error.kind(), TaskErrorKind::PoolBroken(_)),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains("memory_limit") && text.contains("before its first call"),
            "{text}"
        );
        assert!(pool.submit(square, 2).wait().is_err());
        assert!(pool.stats().workers_started <= 4, "a storm of processes");
    }
    assert!(one_worker().memory_limit(0).build().is_err());
}

#[test]
fn an_initializer_past_the_memory_limit_breaks_the_pool() {
    let _watchdog = watchdog();
    let pool = one_worker()
        .initializer(take, 1 << 10)
        .memory_limit(64 * MIB)
        .build()
        .unwrap();
    let error = pool.apply(square, 2).unwrap_err();
    assert!(error.to_string().contains("memory_limit"), "{error}");
    assert_eq!(pool.stats().workers_started, 1);
}

// ------------------------------------------------------------------ processor time

const SHORT: Duration = Duration::from_millis(100);

/// Computes without end, on so many threads.
#[task]
fn compute(threads: u32) {
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    black_box(0);
                }
            });
        }
    });
}

/// Computes for so many milliseconds of the clock.
#[task]
fn compute_for(milliseconds: u64) -> u64 {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(milliseconds) {
        black_box(0);
    }
    milliseconds
}

#[test]
fn a_call_past_its_processor_time_is_ended() {
    let _watchdog = watchdog();
    let pool = one_worker().cpu_time_limit(SHORT).build().unwrap();
    for threads in [1, 2] {
        let pid = pool.apply(worker_pid, ()).unwrap();
        let error = pool.apply(compute, threads).unwrap_err();
        assert!(
            matches!(error.kind(), TaskErrorKind::TimedOut(limit) if *limit == SHORT),
            "{error:?}"
        );
        assert!(error.is_timeout() && error.is_cpu_timeout() && error.was_started());
        assert!(error.to_string().contains("processor time"), "{error}");
        wait_until_gone(&[pid]);
    }
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
    assert!(one_worker().cpu_time_limit(Duration::ZERO).build().is_err());
}

#[test]
fn each_call_has_its_own_processor_time_and_waiting_takes_none() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = one_worker()
        .cpu_time_limit(Duration::from_millis(400))
        .build()
        .unwrap();
    let pid = pool.apply(worker_pid, ()).unwrap();
    // Together they take more than one may.
    assert_eq!(
        pool.task(compute_for).chunk_size(6).map([100; 6]).unwrap(),
        [100; 6]
    );
    // This one's worker waits for longer than it may compute.
    let held = Hold::new(&scratch, "held");
    let running = pool.submit(hold, &held);
    held.started.wait();
    std::thread::sleep(Duration::from_millis(600));
    held.release.raise();
    assert_eq!(running.wait().unwrap(), pid);
}

#[test]
fn sigxcpu_from_elsewhere_is_a_lost_worker() {
    let _watchdog = watchdog();
    #[task]
    fn signal_myself() {
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGXCPU).unwrap();
    }

    let error = one_worker()
        .build()
        .unwrap()
        .apply(signal_myself, ())
        .unwrap_err();
    let TaskErrorKind::WorkerLost(exit) = error.kind() else {
        panic!("{error:?}");
    };
    assert_eq!(exit.signal_name(), Some("SIGXCPU"));
}

// ------------------------------------------------------------------ niceness, processors

/// The niceness of each thread of this process.
#[task]
fn niceness() -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").expect("threads have a directory");
    tasks
        .map(|task| {
            let path = task.expect("it can be listed").path().join("stat");
            let stat = fs::read_to_string(path).expect("the thread lives");
            let (_, fields) = stat.rsplit_once(") ").expect("its name ends");
            let nice = fields.split(' ').nth(16).expect("there is a 19th field");
            nice.parse().expect("it is a number")
        })
        .collect()
}

/// The processors that this thread may run on, as the kernel writes them.
#[task]
fn my_cpus() -> String {
    let status = fs::read_to_string("/proc/thread-self/status").expect("this thread lives");
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.expect("there is such a line").trim().to_owned()
}

/// The processors of this process.
fn own_cpus() -> BTreeSet<usize> {
    let mut cpus = BTreeSet::new();
    let list = my_cpus();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.parse::<usize>().expect("it is a number");
        cpus.extend(number(first)..=number(last));
    }
    cpus
}

#[test]
fn workers_are_as_nice_as_they_are_told_to_be() {
    let _watchdog = watchdog();
    let pool = one_worker().nice(17).build().unwrap();
    let nice = pool.apply(niceness, ()).unwrap();
    assert!(
        !nice.is_empty() && nice.iter().all(|nice| *nice == 17),
        "{nice:?}"
    );
    assert!(
        niceness().iter().all(|nice| *nice < 17),
        "the parent stays as it was"
    );
    for nice in [-21, 20, i32::MAX] {
        let error = one_worker().nice(nice).build().unwrap_err();
        assert!(error.to_string().contains("-20 to 19"), "{error}");
    }
}

#[test]
fn workers_keep_to_their_processors() {
    let _watchdog = watchdog();
    let own = own_cpus();
    let last = *own.last().unwrap();
    let pool = one_worker().cpu_affinity([last]).build().unwrap();
    assert_eq!(pool.apply(my_cpus, ()).unwrap(), last.to_string());
    assert_eq!(own_cpus(), own, "the parent stays as it was");

    let pool = Pool::builder()
        .workers(own.len())
        .cpu_affinity(own.clone())
        .pin_workers(true)
        .build()
        .unwrap();
    let theirs = pool.broadcast(my_cpus, ());
    let theirs: HashSet<String> = theirs.into_iter().map(Result::unwrap).collect();
    assert_eq!(theirs, own.iter().map(usize::to_string).collect());
}

#[test]
fn processors_that_are_not_there_are_an_error_that_names_them() {
    let _watchdog = watchdog();
    let first = *own_cpus().first().unwrap();
    for cpus in [
        vec![1023],
        vec![first, 1023],
        vec![100_000],
        vec![usize::MAX],
    ] {
        let named = cpus.last().unwrap().to_string();
        let error = one_worker().cpu_affinity(cpus).build().unwrap_err();
        assert!(error.to_string().contains(&named), "{error}");
    }
    assert!(one_worker().cpu_affinity([]).build().is_err());
    assert!(one_worker().pin_workers(true).build().is_err());
}

#[test]
fn limits_hold_in_every_replacement() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = one_worker()
        .nice(11)
        .memory_limit(64 * MIB)
        .cpu_time_limit(Duration::from_secs(30))
        .build()
        .unwrap();
    for _ in 0..2 {
        assert!(pool.apply(end, End::Kill).unwrap_err().is_worker_lost());
        assert!(pool.apply(niceness, ()).unwrap().contains(&11));
        assert!(pool.apply(take, 1 << 10).unwrap_err().is_memory_limit());
    }
    let held = Hold::new(&scratch, "last");
    let running = pool.submit(hold, &held);
    held.started.wait();
    assert!(status(pool.worker_pids()[0], "VmData") < 64 << 10);
    held.release.raise();
    running.wait().unwrap();
}
