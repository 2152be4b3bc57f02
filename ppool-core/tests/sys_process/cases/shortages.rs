//! Nothing is left behind, neither by launches nor by launches that fail.

use std::{
    fs::File,
    io::ErrorKind,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use nix::{
    libc::{E2BIG, EMFILE},
    sys::resource::{Resource, getrlimit, rlim_t, setrlimit},
};
use ppool_core::{error::ExitHow, supervise::launch, sys::signal};

use super::{finish, list, no_children, role, start, worker};
use crate::{
    roles::{SET, descriptors},
    runner::{Case, Outcome},
};

pub(super) const CASES: &[Case] = list![
    a_hundred_launches_leave_nothing_behind,
    a_hundred_failed_launches_leave_nothing_behind,
    launches_that_race_for_descriptors_leave_nothing_behind,
    launches_while_sigchld_is_ignored_leave_nothing_behind,
    a_program_that_cannot_be_loaded_is_an_error_at_once,
];

fn a_hundred_launches_leave_nothing_behind() -> Outcome {
    let before = descriptors()?;
    for _ in 0..100 {
        finish(start("exit", 0)?)?;
    }
    assert_eq!(descriptors()?, before);
    no_children()
}

/// Leaves room for this many descriptors, numbered from 0.
fn limit_descriptors(count: rlim_t) -> Outcome {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, count, hard)?)
}

fn a_hundred_failed_launches_leave_nothing_behind() -> Outcome {
    let before = descriptors()?;
    let (enough, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let (mut failed, mut launched) = (0, 0);
    // From no room at all to room for everything, so that each step fails in its turn.
    for count in (0..12).cycle() {
        limit_descriptors(count)?;
        match start("exit", 0) {
            Ok(worker) => {
                finish(worker)?;
                launched += 1;
            }
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(EMFILE), "{error:?}");
                assert!(error.is_shortage());
                failed += 1;
            }
        }
        if failed >= 100 {
            break;
        }
    }
    limit_descriptors(enough)?;
    assert!(launched > 0, "there was never room");
    assert_eq!(descriptors()?, before);
    no_children()
}

fn launches_that_race_for_descriptors_leave_nothing_behind() -> Outcome {
    let before = descriptors()?;
    let (enough, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let stop = AtomicBool::new(false);
    let file = File::open("/dev/null")?;
    // The file, and just what a launch needs; the thread takes one of these now and then.
    limit_descriptors(8)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                drop(file.try_clone());
            }
        });
        let outcome = (0..300).try_for_each(|_| -> Outcome {
            match start("exit", 0) {
                Ok(worker) => finish(worker).map(drop),
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(EMFILE), "{error:?}");
                    Ok(())
                }
            }
        });
        stop.store(true, Relaxed);
        outcome
    })?;
    limit_descriptors(enough)?;
    drop(file);
    assert_eq!(descriptors()?, before);
    no_children()
}

fn launches_while_sigchld_is_ignored_leave_nothing_behind() -> Outcome {
    signal::ignore(signal::SIGCHLD)?;
    let before = descriptors()?;
    for _ in 0..100 {
        // The worker may be gone before anybody could watch it.
        match start("exit", 0) {
            Ok(worker) => assert_eq!(finish(worker)?.1, ExitHow::Unknown),
            Err(error) => assert_eq!(error.into_parts().1.kind(), ErrorKind::NotFound),
        }
    }
    assert_eq!(descriptors()?, before);
    no_children()
}

fn a_program_that_cannot_be_loaded_is_an_error_at_once() -> Outcome {
    let before = descriptors()?;
    let mut config = role("exit", 0);
    // Longer than the kernel allows one text to be.
    config
        .env
        .push((SET.into(), Some("x".repeat(1 << 20).into())));
    let error = launch(&config, worker(0))
        .map(drop)
        .expect_err("it is too long");
    assert_eq!(error.raw_os_error(), Some(E2BIG));
    assert!(!error.is_shortage());
    assert_eq!(
        error.to_string(),
        "could not start the process for worker 0.1"
    );
    assert_eq!(descriptors()?, before);
    no_children()
}
