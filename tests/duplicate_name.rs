//! Two tasks of one name, in a binary of their own: the registry is the whole binary's.
#![forbid(unsafe_code)]

mod common;

use common::{processes::children_of, watchdog};
use ppool::{Pool, TaskErrorKind};

mod one {
    #[ppool::task(name = "twice")]
    pub(crate) fn task(n: u64) -> u64 {
        n
    }
}

mod other {
    #[ppool::task(name = "twice")]
    pub(crate) fn task(n: u64) -> u64 {
        n + 1
    }
}

#[test]
fn a_name_that_is_there_twice_is_refused_at_the_start() {
    let _watchdog = watchdog();
    let error = Pool::builder().workers(1).build().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`twice`"), "{text}");
    // Both places, so that nobody has to look for them.
    let lines: Vec<_> = text.matches("duplicate_name.rs:").collect();
    assert_eq!(lines.len(), 2, "{text}");
}

#[test]
fn a_pool_that_can_not_fail_to_be_made_says_so_with_the_first_call() {
    let _watchdog = watchdog();
    let pool = Pool::new();
    for outcome in [pool.apply(one::task, 1), pool.apply(other::task, 1)] {
        let error = outcome.unwrap_err();
        assert!(
            matches!(error.kind(), TaskErrorKind::PoolBroken(_)),
            "{error:?}"
        );
        assert!(error.to_string().contains("`twice`"), "{error}");
    }
    assert_eq!(pool.worker_pids(), []);
    assert!(children_of(std::process::id()).is_empty());
}
