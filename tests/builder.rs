//! What a builder can set for the workers.
#![forbid(unsafe_code)]

mod common;

use std::{collections::HashSet, env, fs, path::PathBuf, time::Duration};

use common::{
    Scratch, Tally,
    tasks::{End, end, square, worker_pid},
    until, watchdog,
};
use ppool::{Pool, task};

#[test]
fn a_pool_has_as_many_workers_as_it_is_told() {
    let _watchdog = watchdog();
    for workers in [1, 2, 5] {
        let pool = Pool::builder().workers(workers).build().unwrap();
        assert_eq!(pool.worker_pids(), [], "workers start with the first call");
        assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
        until(|| pool.worker_pids().len() == workers);
        let pids: HashSet<_> = pool.worker_pids().into_iter().collect();
        assert_eq!(pids.len(), workers);
    }
}

#[test]
fn a_plain_pool_has_a_worker_for_each_cpu() {
    let _watchdog = watchdog();
    let pool = Pool::new();
    assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
    let cpus = std::thread::available_parallelism().unwrap().get();
    until(|| pool.worker_pids().len() == cpus);
}

#[task]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

#[test]
fn workers_have_the_environment_of_the_parent_and_what_is_added() {
    let _watchdog = watchdog();
    let pool = Pool::builder()
        .workers(1)
        .env("PPOOL_TEST_COLOUR", "red")
        .build()
        .unwrap();
    assert_eq!(
        pool.apply(variable, "PPOOL_TEST_COLOUR")
            .unwrap()
            .as_deref(),
        Some("red")
    );
    assert_eq!(pool.apply(variable, "PATH").unwrap(), env::var("PATH").ok());
    assert!(env::var("PPOOL_TEST_COLOUR").is_err());
}

#[task]
fn directory() -> PathBuf {
    env::current_dir().expect("a directory")
}

#[test]
fn workers_may_have_a_directory_of_their_own() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let there = scratch.path("there");
    fs::create_dir(&there).unwrap();
    let pool = Pool::builder()
        .workers(1)
        .current_dir(&there)
        .build()
        .unwrap();
    assert_eq!(
        pool.apply(directory, ()).unwrap(),
        there.canonicalize().unwrap()
    );
    let pool = Pool::builder().workers(1).build().unwrap();
    assert_eq!(
        pool.apply(directory, ()).unwrap(),
        env::current_dir().unwrap()
    );
}

#[task]
fn open_for_business(starts: &Tally, word: &str) {
    starts.note(&format!("{word} {}", std::process::id()));
}

#[test]
fn the_initializer_runs_once_in_each_worker_before_its_first_call() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let starts = scratch.tally("starts");
    let pool = Pool::builder()
        .workers(1)
        .initializer(open_for_business, (&starts, "grüezi"))
        .build()
        .unwrap();
    let mut pids = Vec::new();
    for _ in 0..3 {
        for _ in 0..3 {
            let pid = pool.apply(worker_pid, ()).unwrap();
            let last = starts.notes().pop();
            assert_eq!(last, Some(format!("grüezi {pid}")));
            pids.push(pid);
        }
        assert!(pool.apply(end, End::Exit(1)).is_err());
    }
    pids.dedup();
    assert_eq!(pids.len(), 3);
    drop(pool);
    // The last death is made good too, or the pool was gone before.
    assert!((3..=4).contains(&starts.count()), "{:?}", starts.notes());
}

#[task]
fn names() -> (String, String) {
    let command_line = fs::read("/proc/self/cmdline").expect("this process is there");
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    (
        String::from_utf8_lossy(&command_line).replace('\0', " "),
        thread,
    )
}

#[test]
fn workers_are_named_after_their_pool() {
    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).name("kitchen").build().unwrap();
    let (command_line, thread) = pool.apply(names, ()).unwrap();
    assert!(
        command_line.contains("kitchen") || thread.contains("kitchen"),
        "{command_line:?}, thread {thread:?}"
    );
}

#[test]
fn a_pool_may_set_a_time_limit_for_all_its_calls() {
    #[task]
    fn park() {
        loop {
            std::thread::park();
        }
    }

    let _watchdog = watchdog();
    let limit = Duration::from_millis(100);
    let pool = Pool::builder()
        .workers(1)
        .task_timeout(limit)
        .build()
        .unwrap();
    assert!(pool.apply(park, ()).unwrap_err().is_timeout());
    // A call may say otherwise.
    assert_eq!(
        pool.task(square)
            .timeout(Duration::from_secs(60))
            .apply(3)
            .unwrap(),
        9
    );
}

#[test]
fn a_pool_can_be_debugged_and_shared() {
    fn shared<T: Send + Sync + std::fmt::Debug>(_: &T) {}

    let _watchdog = watchdog();
    let pool = Pool::builder().workers(1).name("kitchen").build().unwrap();
    shared(&pool);
    assert!(format!("{pool:?}").contains("kitchen"));
}
