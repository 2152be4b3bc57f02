//! The cases: what must hold, each named as a sentence.

mod exits;
mod launches;
mod programs;
mod shortages;

use std::{io::Read, os::unix::net::UnixStream};

use nix::{errno::Errno, sys::wait::waitpid};
use ppool_core::{
    error::ExitHow,
    ids::{Generation, Slot, WorkerId},
    supervise::{LaunchConfig, LaunchError, Launched, launch},
};

use crate::{
    roles::{NUMBER, ROLE},
    runner::{Case, Outcome},
};

/// Makes a list of cases of functions: a function's name is its case's.
macro_rules! list {
    ($($case:ident),* $(,)?) => { &[$((stringify!($case), $case)),*] };
}
use list;

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = Case> {
    [
        exits::CASES,
        launches::CASES,
        programs::CASES,
        shortages::CASES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// What other cases need a process of its own for.
pub(crate) fn inner() -> impl Iterator<Item = Case> {
    programs::INNER.iter().copied()
}

/// The first worker of a slot.
pub(crate) fn worker(slot: u32) -> WorkerId {
    WorkerId {
        slot: Slot(slot),
        generation: Generation(1),
    }
}

/// The configuration of a worker that plays a role.
fn role(name: &str, number: i32) -> LaunchConfig {
    LaunchConfig {
        pool_name: "test".into(),
        env: vec![
            (ROLE.into(), Some(name.into())),
            (NUMBER.into(), Some(number.to_string().into())),
        ],
        ..LaunchConfig::default()
    }
}

/// Starts a worker that plays a role.
fn start(name: &str, number: i32) -> Result<Launched, LaunchError> {
    launch(&role(name, number), worker(0))
}

/// All that a worker says until it ends, and then how it ended.
fn finish(launched: Launched) -> Result<(String, ExitHow), Box<dyn std::error::Error>> {
    let mut said = String::new();
    UnixStream::from(launched.socket).read_to_string(&mut said)?;
    Ok((said, launched.exit_watch.wait()?.how))
}

/// Checks that this process has no child left, neither running nor waiting to be reaped.
fn no_children() -> Outcome {
    match waitpid(None, None) {
        Err(Errno::ECHILD) => Ok(()),
        other => Err(format!("there was a child left: {other:?}").into()),
    }
}
