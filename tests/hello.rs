//! The first program of the documentation, wherever its task stands.
#![forbid(unsafe_code)]

mod common;

use common::{program::Program, watchdog};
use ppool::{Pool, task};

#[task]
fn square(n: u64) -> u64 {
    n * n
}

mod inner {
    #[ppool::task]
    pub(crate) fn cube(n: u64) -> u64 {
        n * n * n
    }

    pub(crate) mod deeper {
        /// The same name as a task further out: a task's name has its module in it.
        #[ppool::task]
        pub(crate) fn square(n: u64) -> u64 {
            n * n + 1
        }
    }
}

/// `main` of the documentation's Hello, to the letter but for printing.
fn hello() -> Result<Vec<u64>, ppool::TaskError> {
    let squares: Vec<u64> = Pool::new().map(square, 0..10)?;
    Ok(squares)
}

#[test]
fn hello_gives_the_squares() {
    let _watchdog = watchdog();
    assert_eq!(hello().unwrap(), [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
}

#[test]
fn a_task_is_still_a_function_here() {
    assert_eq!(square(7), 49);
    let function: fn(u64) -> u64 = *square;
    assert_eq!(function(8), 64);
}

#[test]
fn a_task_may_stand_in_a_module() {
    let _watchdog = watchdog();
    let pool = Pool::new();
    assert_eq!(pool.apply(inner::cube, 3).unwrap(), 27);
    assert_eq!(pool.apply(inner::deeper::square, 3).unwrap(), 10);
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn a_task_may_stand_inside_a_function() {
    #[task]
    fn half(n: u64) -> u64 {
        n / 2
    }

    let _watchdog = watchdog();
    assert_eq!(Pool::new().apply(half, 84).unwrap(), 42);
}

#[test]
fn a_task_may_stand_in_a_library() {
    let _watchdog = watchdog();
    let pool = Pool::new();
    assert_eq!(pool.apply(ppool_test_library::double, 21).unwrap(), 42);
    let words = "through its name is enough";
    assert_eq!(
        pool.apply(ppool_test_library::text::count_words, words)
            .unwrap(),
        5
    );
}

#[test]
fn a_call_runs_in_another_process() {
    let _watchdog = watchdog();
    let pid = Pool::new().apply(common::tasks::worker_pid, ()).unwrap();
    assert_ne!(pid, std::process::id());
}

#[test]
fn no_worker_reaches_main() {
    let _watchdog = watchdog();
    let transcript = Program::start("program_with_workers").must_succeed();
    // `main` of a test binary prints this line first.
    assert_eq!(
        transcript.matches("running 1 test").count(),
        1,
        "{transcript}"
    );
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_workers() {
    let Some(_program) = common::program::inside() else {
        return;
    };
    let pool = Pool::builder().workers(4).build().unwrap();
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
}
