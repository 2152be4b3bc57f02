//! Workers that are forked from a template: what they share, and who dies how.
#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;
mod deaths;
mod preload;
mod shares;

use std::time::Duration;

use common::{
    processes::{children_of, is_alive},
    tasks::{Hold, hold, square, worker_pid},
    until, watchdog,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use ppool::{Pool, PoolBuilder, StartMethod};

fn forking() -> PoolBuilder {
    Pool::builder().start_method(StartMethod::Template)
}

fn forking_pool_of(workers: usize) -> Pool {
    let pool = forking().workers(workers).build();
    pool.expect("a plain pool")
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid is small"));
    kill(pid, signal).expect("the process is ours");
}

/// The template of the pool of this name, when it lives. The name has six bytes at the most, since
/// the kernel keeps no more. A worker has its template's name for a moment.
fn template_of(name: &str) -> Option<u32> {
    let mut children = children_of(std::process::id());
    children.sort_unstable();
    children.into_iter().find(|&pid| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        is_alive(pid) && comm.trim_end() == format!("{name}-template")
    })
}

#[test]
fn calls_run_in_workers_that_are_children_of_the_pool() {
    let _watchdog = watchdog();
    let pool = forking_pool_of(3);
    let squares = pool.map(square, 0..1000).unwrap();
    assert!(squares.iter().zip(0..).all(|(got, n)| *got == n * n));
    let pid = pool.apply(worker_pid, ()).unwrap();
    until(|| pool.worker_pids().len() == 3);
    let children = children_of(std::process::id());
    assert!(pool.worker_pids().contains(&pid));
    assert!(pool.worker_pids().iter().all(|pid| children.contains(pid)));
}

#[test]
fn an_elastic_pool_grows_by_forks() {
    let _watchdog = watchdog();
    let scratch = common::Scratch::new();
    let pool = forking()
        .workers(1..=6)
        .idle_timeout(Duration::from_millis(50))
        .name("grow")
        .build()
        .unwrap();
    let held: Vec<_> = (0..6)
        .map(|n| {
            let held = Hold::new(&scratch, &n.to_string());
            let call = pool.submit(hold, &held);
            (held, call)
        })
        .collect();
    for (held, _) in &held {
        held.started.wait();
    }
    let template = template_of("grow").expect("it lives");
    assert_eq!(pool.worker_pids().len(), 6);
    assert!(!pool.worker_pids().contains(&template));
    for (held, call) in held {
        held.release.raise();
        call.wait().unwrap();
    }
    until(|| pool.worker_pids().len() == 1);
    assert_eq!(template_of("grow"), Some(template));
    drop(pool);
    assert!(!is_alive(template));
}
