//! What a new worker finds, whatever state its parent is in.

use std::{
    collections::HashMap,
    error::Error,
    fs::{self, File},
    io,
    os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd},
    process,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::SigSet,
    },
    unistd::{close, dup2_stderr, dup2_stdout},
};
use ppool_core::{
    error::ExitHow,
    supervise::{handover, launch},
    sys::{inherit, signal},
};

use super::{finish, list, no_children, role, start, worker};
use crate::{
    roles::{KEPT, REMOVED, SET, descriptors},
    runner::{Case, Outcome},
};

pub(super) const CASES: &[Case] = list![
    a_worker_finds_its_socket_its_parent_and_nothing_else,
    a_worker_has_a_title_for_the_list_of_processes,
    a_worker_starts_with_plain_signals,
    the_environment_is_the_parents_with_changes,
    the_handover_cannot_be_configured_away,
    an_environment_that_cannot_be_is_refused_by_name,
    a_worker_that_reached_main_is_refused_a_worker,
    a_socket_is_taken_once,
    launches_work_beside_ten_thousand_descriptors,
    launches_work_whichever_low_descriptors_are_closed,
    launches_work_beside_allocating_threads,
    closed_standard_streams_are_filled,
];

/// What a worker says of itself.
fn report(launched: ppool_core::supervise::Launched) -> io::Result<HashMap<String, String>> {
    let (said, how) = finish(launched).map_err(|error| io::Error::other(error.to_string()))?;
    assert_eq!(how, ExitHow::Code(0));
    Ok(said
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

/// What a worker has open: standard streams, its socket, and what whoever started these tests lets
/// everybody inherit.
fn inherited() -> Result<String, Box<dyn Error>> {
    const CLOSE_ON_EXEC: u32 = 0o2000000;
    let mut numbers = vec![0, 1, 2, 3];
    for number in 4..1024 {
        let Ok(info) = fs::read_to_string(format!("/proc/self/fdinfo/{number}")) else {
            continue;
        };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.ok_or("it has flags")?.trim(), 8)?;
        if flags & CLOSE_ON_EXEC == 0 {
            numbers.push(number);
        }
    }
    Ok(format!("{numbers:?}"))
}

fn a_worker_finds_its_socket_its_parent_and_nothing_else() -> Outcome {
    let report = report(start("report", 0)?)?;
    let me = process::id();
    assert_eq!(report["descriptors"], inherited()?);
    assert_eq!(report["cloexec"], "1");
    assert_eq!(report["parent"], me.to_string());
    assert_eq!(report["handover"], format!("Ok(\"1:3:{me}\")"));
    no_children()
}

fn a_worker_has_a_title_for_the_list_of_processes() -> Outcome {
    let report = report(launch(&role("report", 0), worker(12))?)?;
    assert_eq!(report["title"], format!("{:?}", "ppool worker test/12\0"));
    Ok(())
}

fn a_worker_starts_with_plain_signals() -> Outcome {
    signal::ignore(nix::libc::SIGUSR1)?;
    SigSet::all().thread_block()?;
    let launched = start("report", 0)?;
    SigSet::all().thread_unblock()?;
    let report = report(launched)?;
    assert_eq!(report["blocked"], "0000000000000000");
    let ignored = u64::from_str_radix(&report["ignored"], 16)?;
    // Signals 32 and 33 are the C library's own. SIGPIPE, number 13, is ignored by Rust's start-up.
    assert_eq!(ignored & !(0b11 << 31), 1 << 12, "{ignored:x}");
    Ok(())
}

fn the_environment_is_the_parents_with_changes() -> Outcome {
    let mut config = role("report", 0);
    config.env.push((SET.into(), Some("a=b".into())));
    config.env.push((REMOVED.into(), None));
    let report = report(launch(&config, worker(0))?)?;
    assert_eq!(report[KEPT], "Some(\"from the parent\")");
    assert_eq!(report[SET], "Some(\"a=b\")");
    assert_eq!(report[REMOVED], "None");
    Ok(())
}

fn the_handover_cannot_be_configured_away() -> Outcome {
    let mut config = role("exit", 3);
    config.env.push((handover::VARIABLE.into(), None));
    let (_, how) = finish(launch(&config, worker(0))?)?;
    assert_eq!(how, ExitHow::Code(3));
    Ok(())
}

fn an_environment_that_cannot_be_is_refused_by_name() -> Outcome {
    let before = descriptors()?;
    let mut config = role("exit", 0);
    config.env.push(("A=B".into(), Some("x".into())));
    let error = launch(&config, worker(2))
        .map(|_| ())
        .expect_err("there is no such variable");
    assert!(!error.is_shortage());
    assert_eq!(
        error.to_string(),
        "could not make the environment for worker 2.1"
    );
    let (_, source) = error.into_parts();
    assert_eq!(source.kind(), io::ErrorKind::InvalidInput);
    assert!(source.to_string().contains("\"A=B\""), "{source}");
    assert_eq!(descriptors()?, before);
    no_children()
}

fn a_worker_that_reached_main_is_refused_a_worker() -> Outcome {
    let (said, how) = finish(start("launch", 0)?)?;
    assert_eq!(how, ExitHow::Code(0));
    assert!(said.starts_with("Err("), "{said}");
    assert!(said.contains("Unsupported"), "{said}");
    assert!(said.contains("PPOOL_WORKER is still set"), "{said}");
    Ok(())
}

fn a_socket_is_taken_once() -> Outcome {
    let (said, _) = finish(start("take twice", 0)?)?;
    assert_eq!(said, "Err(AlreadyExists)");
    Ok(())
}

fn launches_work_beside_ten_thousand_descriptors() -> Outcome {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = hard.min(10_100);
    setrlimit(Resource::RLIMIT_NOFILE, limit, hard)?;
    let file = File::open("/dev/null")?;
    let mut open = Vec::new();
    while (open.len() as u64) < limit - 100 {
        open.push(file.try_clone()?);
    }
    let expected = inherited()?;
    assert_eq!(report(start("report", 0)?)?["descriptors"], expected);
    Ok(())
}

fn launches_work_whichever_low_descriptors_are_closed() -> Outcome {
    // Bit n of `closed` says that descriptor n is closed when the worker is launched.
    let problems: Vec<String> = with_low_descriptors_to_play_with(|| {
        (0..16_u32)
            .filter_map(|closed| match launch_with_closed(closed) {
                Ok(()) => None,
                Err(error) => Some(format!("with {closed:04b} closed: {error}")),
            })
            .collect()
    })?;
    assert_eq!(problems, Vec::<String>::new());
    no_children()
}

/// Runs `body`, which may close 0 to 3, and puts standard output and error back afterwards.
fn with_low_descriptors_to_play_with<T>(body: impl FnOnce() -> T) -> io::Result<T> {
    let high = |fd| ppool_core::sys::fcntl::duplicate(fd, 20);
    let (out, error) = (high(io::stdout().as_fd())?, high(io::stderr().as_fd())?);
    let result = body();
    dup2_stdout(out)?;
    dup2_stderr(error)?;
    Ok(result)
}

fn launch_with_closed(closed: u32) -> Outcome {
    fill(4)?;
    for number in (0..4).filter(|number| closed >> number & 1 == 1) {
        close(number)?;
    }
    let before = descriptors()?;
    let launched = start("report", 0)?;
    for fd in [launched.socket.as_fd(), launched.exit_watch.as_fd()] {
        if fd.as_raw_fd() <= handover::FD {
            return Err(format!("descriptor {fd:?} is in the way").into());
        }
    }
    let report = report(launched)?;
    // Rust's start-up fills what is closed of 0 to 2 before `main`.
    if report["descriptors"] != inherited()? {
        return Err(format!("the worker has {}", report["descriptors"]).into());
    }
    if descriptors()? != before {
        return Err(format!("{} became {}", before, descriptors()?).into());
    }
    Ok(())
}

/// Opens descriptors until all below `end` are open.
fn fill(end: RawFd) -> io::Result<()> {
    loop {
        let fd = OwnedFd::from(File::open("/dev/null")?);
        if fd.as_raw_fd() >= end {
            return Ok(());
        }
        let _number = fd.into_raw_fd();
    }
}

fn launches_work_beside_allocating_threads() -> Outcome {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    std::hint::black_box(vec![0_u8; 4096]);
                }
            });
        }
        let outcome = (0..50).try_for_each(|_| -> Outcome {
            let (_, how) = finish(start("exit", 0)?)?;
            assert_eq!(how, ExitHow::Code(0));
            Ok(())
        });
        stop.store(true, Relaxed);
        outcome
    })?;
    no_children()
}

fn closed_standard_streams_are_filled() -> Outcome {
    let (before, after) = with_low_descriptors_to_play_with(|| {
        let before = descriptors().map_err(|error| error.to_string());
        let closed = close(0).and_then(|()| close(2));
        let filled = inherit::open_standard_streams();
        let after = descriptors().map_err(|error| error.to_string());
        closed.expect("they were open");
        filled.expect("there is a /dev/null");
        (before, after)
    })?;
    assert_eq!(before, after);
    assert!(before?.starts_with("[0, 1, 2"));
    Ok(())
}
