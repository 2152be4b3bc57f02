//! The program's file, and the life of the parent.

use std::{
    env, fs,
    io::{Read, Write},
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::Path,
    process::{self, Command, Stdio},
};

use ppool_core::{
    error::ExitHow,
    sys::{pidfd::ExitWatch, signal::SIGKILL},
};

use super::{finish, list, no_children, start};
use crate::runner::{CASE, Case, Outcome};

pub(super) const CASES: &[Case] = list![
    a_replaced_program_goes_on_launching_itself,
    a_worker_dies_with_its_parent,
    a_parent_that_is_gone_is_noticed,
];

pub(super) const INNER: &[Case] = list![replace_and_launch, launch_and_stay];

fn a_replaced_program_goes_on_launching_itself() -> Outcome {
    let copy =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sys_process-{}", process::id()));
    fs::copy(env::current_exe()?, &copy)?;
    let status = Command::new(&copy).env(CASE, "replace_and_launch").status();
    fs::remove_file(&copy)?;
    assert!(status?.success());
    Ok(())
}

/// In a copy of this program: puts something else in its own place, then launches a worker.
fn replace_and_launch() -> Outcome {
    let own = fs::metadata("/proc/self/exe")?;
    let path = env::current_exe()?;
    fs::remove_file(&path)?;
    let (said, _) = finish(start("report", 0)?)?;
    let expected = format!("\nprogram={}:{}\n", own.dev(), own.ino());
    assert!(
        said.contains(&expected),
        "deleted: {said} has no {expected}"
    );

    fs::write(&path, "another program")?;
    let (said, _) = finish(start("report", 0)?)?;
    assert!(
        said.contains(&expected),
        "replaced: {said} has no {expected}"
    );
    Ok(())
}

fn a_worker_dies_with_its_parent() -> Outcome {
    let mut parent = Command::new(env::current_exe()?)
        .env(CASE, "launch_and_stay")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = [0; 4];
    parent
        .stdout
        .as_mut()
        .ok_or("it is a pipe")?
        .read_exact(&mut said)?;
    // No child of this process: its end can be seen all the same.
    let orphan = ExitWatch::open(u32::from_ne_bytes(said))?;
    assert_eq!(orphan.try_wait()?, None);

    parent.kill()?;
    assert_eq!(orphan.wait()?.how, ExitHow::Unknown);
    assert!(!parent.wait()?.success());
    Ok(())
}

/// Launches a worker that asks to die with it, tells the worker's id, and stays.
fn launch_and_stay() -> Outcome {
    let launched = start("die with parent", SIGKILL)?;
    let mut socket = UnixStream::from(launched.socket);
    let mut ready = [0; 5];
    socket.read_exact(&mut ready)?;
    let mut out = std::io::stdout();
    out.write_all(&launched.pid.to_ne_bytes())?;
    out.flush()?;
    launched.exit_watch.wait()?;
    Err("the worker ended before its parent".into())
}

fn a_parent_that_is_gone_is_noticed() -> Outcome {
    let launched = start("orphan", 0)?;
    drop(launched.socket);
    assert_eq!(launched.exit_watch.wait()?.how, ExitHow::Code(0));
    no_children()
}
