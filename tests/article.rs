//! The programs of the article on multiprocessing that need no manager, each as an example that prints
//! what the article shows.
#![forbid(unsafe_code)]

mod common;

use common::{example::succeed, watchdog};

const NONE: &[&str] = &[];

/// The lines of an example's output.
fn lines(name: &str) -> Vec<String> {
    succeed(name, NONE).lines().map(str::to_owned).collect()
}

/// Where a line is.
fn place(lines: &[String], line: &str) -> usize {
    let at = lines.iter().position(|other| other == line);
    at.unwrap_or_else(|| panic!("`{line}` is not in {lines:#?}"))
}

#[test]
fn one_object_goes_through_a_queue() {
    let _watchdog = watchdog();
    assert_eq!(
        succeed("multiprocessing_queue", NONE),
        "Doing something fancy in Process-1 for Fancy Dan!\n"
    );
}

#[test]
fn consumers_take_every_job_once_and_each_a_pill() {
    let _watchdog = watchdog();
    let lines = lines("multiprocessing_producer_consumer");
    let consumers = std::thread::available_parallelism().unwrap().get() * 2;
    assert_eq!(lines[0], format!("Creating {consumers} consumers"));
    for consumer in 1..=consumers {
        place(&lines, &format!("Process-{consumer}: Exiting"));
    }
    for n in 0..10 {
        let job = format!(": {n} * {n}");
        let starts = lines.iter().filter(|line| line.ends_with(&job)).count();
        assert_eq!(starts, 1, "{lines:#?}");
        place(&lines, &format!("Result: {n} * {n} = {}", n * n));
    }
    assert_eq!(lines.len(), 1 + consumers + 20);
}

#[test]
fn one_gives_up_before_the_event_is_set_and_the_other_waits_for_it() {
    let _watchdog = watchdog();
    let lines = lines("multiprocessing_event");
    let gave_up = place(&lines, "wait_for_event_timeout: e.is_set()-> false");
    let came = place(&lines, "wait_for_event: e.is_set()-> true");
    assert!(place(&lines, "wait_for_event_timeout: starting") < gave_up && gave_up < came);
    assert!(place(&lines, "wait_for_event: starting") < came);
    assert!(place(&lines, "main: waiting before calling Event.set()") < came);
    place(&lines, "main: event is set");
    assert_eq!(lines.len(), 6);
}

#[test]
fn both_get_the_lock() {
    let _watchdog = watchdog();
    let mut lines = lines("multiprocessing_lock");
    lines.sort_unstable();
    assert_eq!(lines, ["Lock acquired directly", "Lock acquired via with"]);
}

#[test]
fn the_second_stage_runs_after_the_first() {
    let _watchdog = watchdog();
    let lines = lines("multiprocessing_condition");
    let done = place(&lines, "s1 done and ready for stage 2");
    assert!(place(&lines, "Starting s1") < done);
    for i in 1..3 {
        let running = place(&lines, &format!("stage_2[{i}] running"));
        assert!(place(&lines, &format!("Starting stage_2[{i}]")) < running && done < running);
    }
    assert_eq!(lines.len(), 6);
}

#[test]
fn the_map_of_a_pool_is_the_built_in_one() {
    let _watchdog = watchdog();
    assert_eq!(
        succeed("multiprocessing_pool", NONE),
        "Input   : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n\
         Built-in: [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]\n\
         Pool    : [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]\n"
    );
}
