//! The styles of pprocess's page, each as an example.
#![forbid(unsafe_code)]

mod common;

use common::{example::succeed, watchdog};

/// What an example without arguments prints.
fn printed(example: &str) -> String {
    succeed::<&str>(example, &[])
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
