//! The examples on processes and channels, beside what the articles print whose programs they are.
#![forbid(unsafe_code)]

mod common;

use std::thread::available_parallelism;

use common::{example::succeed, watchdog};

/// What an example without arguments prints.
fn printed(example: &str) -> String {
    succeed::<&str>(example, &[])
}

/// Its lines, where processes print in any order.
fn sorted(example: &str) -> Vec<String> {
    let mut lines: Vec<String> = printed(example).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_started_process_answers_and_its_error_arrives() {
    let _watchdog = watchdog();
    assert_eq!(
        printed("channel_start"),
        "1: hello, Dan!\n\
         2: hello, Dan!\n\
         -- the other side has closed the channel\n\
         1: hello, !\n\
         2: hello, !\n\
         -- the task at the other end of the channel failed: whom did it greet?\n"
    );
}

#[test]
fn a_created_process_has_what_its_parent_had() {
    let _watchdog = watchdog();
    assert_eq!(
        printed("channel_create"),
        "1 + 1000 = 1001\n\
         2 + 1000 = 1002\n\
         3 + 1000 = 1003\n\
         the created process ended: Some(0)\n"
    );
}

#[test]
fn an_exchange_gives_each_result_and_the_slow_ones_last() {
    let _watchdog = watchdog();
    let printed = printed("channel_exchange");
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 6, "{printed}");
    for name in ["slow", "medium", "fast"] {
        let at = |what: &str| {
            lines
                .iter()
                .position(|line| *line == format!("{name} {what}"))
        };
        assert!(
            at("has begun").is_some() && at("has begun") < at("is done"),
            "{printed}"
        );
    }
}

#[test]
fn a_store_fills_the_table() {
    let _watchdog = watchdog();
    assert_eq!(
        printed("channel_store"),
        "  1  2  3  4  5  6\n\
         \u{20} 2  4  6  8 10 12\n\
         \u{20} 3  6  9 12 15 18\n\
         \u{20} 4  8 12 16 20 24\n"
    );
}

#[test]
fn process_queue_prints_what_the_article_shows() {
    let _watchdog = watchdog();
    assert_eq!(
        printed("process_queue"),
        "Doing something fancy in Process-1 for Fancy Dan!\n"
    );
}

#[test]
fn process_consumers_do_each_task_once_and_take_a_pill_each() {
    let _watchdog = watchdog();
    let printed = printed("process_consumers");
    let count = |text: &str| printed.lines().filter(|line| line.ends_with(text)).count();
    let consumers = available_parallelism().unwrap().get() * 2;
    assert!(printed.starts_with(&format!("Creating {consumers} consumers\n")));
    for n in 0..10 {
        assert_eq!(count(&format!(": {n} * {n}")), 1, "{printed}");
        let result = format!("Result: {n} * {n} = {}", n * n);
        assert_eq!(count(&result), 1, "{printed}");
    }
    for n in 1..=consumers {
        assert_eq!(count(&format!("Consumer-{n}: Exiting")), 1, "{printed}");
    }
    assert_eq!(
        printed.lines().count(),
        1 + 10 + 10 + consumers,
        "{printed}"
    );
}

#[test]
fn process_event_prints_what_the_article_shows() {
    let _watchdog = watchdog();
    assert_eq!(
        sorted("process_event"),
        [
            "main: event is set",
            "main: waiting before calling Event.set()",
            "wait_for_event: e.is_set()-> true",
            "wait_for_event: starting",
            "wait_for_event_timeout: e.is_set()-> false",
            "wait_for_event_timeout: starting",
        ]
    );
}

#[test]
fn process_lock_prints_what_the_article_shows() {
    let _watchdog = watchdog();
    assert_eq!(
        sorted("process_lock"),
        ["Lock acquired directly", "Lock acquired via with"]
    );
}

#[test]
fn process_condition_prints_what_the_article_shows() {
    let _watchdog = watchdog();
    let printed = printed("process_condition");
    let mut lines: Vec<&str> = printed.lines().collect();
    let at = |text: &str| lines.iter().position(|line| *line == text);
    let stage_1 = at("s1 done and ready for stage 2");
    assert!(stage_1.is_some(), "{printed}");
    for client in ["stage_2[1] running", "stage_2[2] running"] {
        assert!(at(client) > stage_1, "{printed}");
    }
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "Starting s1",
            "Starting stage_2[1]",
            "Starting stage_2[2]",
            "s1 done and ready for stage 2",
            "stage_2[1] running",
            "stage_2[2] running",
        ]
    );
}

#[test]
fn pool_map_prints_what_the_article_shows() {
    let _watchdog = watchdog();
    assert_eq!(
        printed("pool_map"),
        "Input   : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n\
         Built-in: [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]\n\
         Pool    : [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]\n"
    );
}
