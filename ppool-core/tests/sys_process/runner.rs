//! Runs each case in a process of its own, with a watchdog.

use std::{
    env,
    error::Error,
    ffi::OsStr,
    fs::File,
    io::{Read, Seek},
    os::fd::OwnedFd,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use ppool_core::{
    error::ExitHow,
    sys::{
        epoll::{Events, Interest, Poller},
        memfd::Memfd,
        pidfd::ExitWatch,
        signal::SIGKILL,
    },
};

use crate::{
    cases,
    roles::{KEPT, REMOVED},
};

/// The environment variable that names the case that a process is to run.
pub(crate) const CASE: &str = "PPOOL_TEST_CASE";

/// How long a case may take before it counts as hanging. No case comes near it.
const WATCHDOG: Duration = Duration::from_secs(120);

/// What a case returns: an error fails it as a panic does.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// A behaviour as a sentence, and the function that checks it.
pub(crate) type Case = (&'static str, fn() -> Outcome);

/// Runs the cases that the arguments of `cargo test` choose.
pub(crate) fn run_all(arguments: impl Iterator<Item = String>) -> ExitCode {
    let (options, filters): (Vec<_>, Vec<_>) =
        arguments.partition(|argument| argument.starts_with('-'));
    let exact = options.iter().any(|option| option == "--exact");
    let chosen = |name: &str| {
        filters.is_empty()
            || filters.iter().any(|filter| {
                if exact {
                    name == filter
                } else {
                    name.contains(filter.as_str())
                }
            })
    };
    let cases = cases::all().filter(|(name, _)| chosen(name));
    if options.iter().any(|option| option == "--list") {
        // Nothing is ignored here; a runner that asks for the ignored ones gets an empty list.
        let ignored = options.iter().any(|option| option == "--ignored");
        cases
            .filter(|_| !ignored)
            .for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }

    let mut failures = 0;
    for (name, _) in cases {
        match in_own_process(name) {
            Ok(()) => println!("test {name} ... ok"),
            Err(error) => {
                println!("test {name} ... FAILED\n{error}");
                failures += 1;
            }
        }
    }
    if failures == 0 {
        ExitCode::SUCCESS
    } else {
        println!("{failures} failed");
        ExitCode::FAILURE
    }
}

/// Runs the case that this process was started for.
pub(crate) fn run_case(name: &OsStr) -> ExitCode {
    let Some((_, case)) = cases::all()
        .chain(cases::inner())
        .find(|(known, _)| name == *known)
    else {
        eprintln!("there is no case {name:?}");
        return ExitCode::FAILURE;
    };
    match case() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn in_own_process(name: &str) -> Outcome {
    // What it says goes to memory, not to a pipe: a worker that it left behind could keep a pipe
    // open for ever.
    let mut said = File::from(OwnedFd::from(Memfd::create("ppool-test-output", 0)?));
    let child = Command::new(env::current_exe()?)
        .env(CASE, name)
        .envs([(KEPT, "from the parent"), (REMOVED, "from the parent")])
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said.try_clone()?)
        .spawn()?;
    let watch = ExitWatch::open(child.id())?;
    end_if_late(&watch)?;
    let how = watch.wait()?.how;
    if how == ExitHow::Code(0) {
        return Ok(());
    }
    let mut text = Vec::new();
    said.rewind()?;
    said.read_to_end(&mut text)?;
    Err(format!("{how:?}\n{}", String::from_utf8_lossy(&text)).into())
}

/// The watchdog: waits for the end of a case, and brings it about when it is late.
fn end_if_late(watch: &ExitWatch) -> Outcome {
    let poller = Poller::new()?;
    poller.add(watch, 0, Interest::READ)?;
    let mut events = Events::with_capacity(1);
    poller.wait(&mut events, Some(WATCHDOG))?;
    if events.is_empty() {
        eprintln!("the watchdog ends a case");
        watch.signal(SIGKILL)?;
    }
    Ok(())
}
