//! What a launched process does, by the name in [`ROLE`].

use std::{
    env,
    error::Error,
    fs,
    io::{Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    process::{self, ExitCode},
    sync::OnceLock,
};

use ppool_core::{
    supervise::{LaunchConfig, handover, launch},
    sys::{exit_hook, inherit, signal},
};

use crate::cases::worker;

/// The environment variable that says which role to play.
pub(crate) const ROLE: &str = "PPOOL_TEST_ROLE";
/// The environment variable with the role's number: an exit code, a signal, a size.
pub(crate) const NUMBER: &str = "PPOOL_TEST_NUMBER";

/// A variable that the processes of all cases have.
pub(crate) const KEPT: &str = "PPOOL_TEST_KEPT";
/// Another one, which a case removes for its worker.
pub(crate) const REMOVED: &str = "PPOOL_TEST_REMOVED";
/// One that no process has, until a case sets it for its worker.
pub(crate) const SET: &str = "PPOOL_TEST_SET";

/// The exit code of a role that failed: none that a case asks for.
const FAILED: u8 = 99;

/// Plays the role of this process.
pub(crate) fn play() -> ExitCode {
    match try_play() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("a worker of the test failed: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn try_play() -> Result<(), Box<dyn Error>> {
    let mut socket = UnixStream::from(inherit::take(handover::FD)?);
    let number = || -> Result<i32, Box<dyn Error>> { Ok(env::var(NUMBER)?.parse()?) };
    match env::var(ROLE)?.as_str() {
        "exit" => process::exit(number()?),
        "raise" => signal::raise(number()?)?,
        "use memory" => use_memory(number()?)?,
        "wait" => until_closed(&mut socket)?,
        "report" => socket.write_all(report(&socket)?.as_bytes())?,
        "launch" => {
            let refused = launch(&LaunchConfig::default(), worker(0)).map(|launched| launched.pid);
            write!(socket, "{refused:?}")?;
        }
        "die with parent" => {
            let alive = signal::set_parent_death_signal(signal::SIGKILL, parent()?)?;
            assert!(alive, "the parent waits for the next line");
            // For ever, whatever becomes of the socket: only the signal ends it.
            socket.write_all(b"ready")?;
            loop {
                std::thread::park();
            }
        }
        "orphan" => {
            until_closed(&mut socket)?;
            // Its parent is alive and another process: as if it had been given away.
            assert!(!signal::set_parent_death_signal(
                signal::SIGKILL,
                parent()? + 1
            )?);
        }
        "ignore" => {
            signal::ignore(number()?)?;
            signal::raise(number()?)?;
            signal::restore_default(number()?)?;
            socket.write_all(b"survived")?;
            signal::raise(number()?)?;
        }
        "exit hooks" => exit_hooks(socket)?,
        "take twice" => write!(
            socket,
            "{:?}",
            inherit::take(handover::FD).map_err(|e| e.kind())
        )?,
        other => return Err(format!("there is no role {other:?}").into()),
    }
    Ok(())
}

fn parent() -> Result<u32, Box<dyn Error>> {
    let value = env::var(handover::VARIABLE)?;
    let handover = handover::parse(&value).ok_or("the hand-over makes no sense")?;
    Ok(handover.parent_pid)
}

fn until_closed(socket: &mut UnixStream) -> Result<(), Box<dyn Error>> {
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest)?;
    Ok(())
}

fn use_memory(mebibytes: i32) -> Result<(), Box<dyn Error>> {
    let memory = vec![1_u8; usize::try_from(mebibytes)? << 20];
    std::hint::black_box(memory);
    Ok(())
}

/// What this process looks like, as `name=value` lines.
fn report(socket: impl AsFd) -> Result<String, Box<dyn Error>> {
    use std::os::unix::fs::MetadataExt;

    let status = fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("?", |line| line.trim_start_matches(':').trim())
            .to_owned()
    };
    let flags = nix::fcntl::fcntl(socket, nix::fcntl::FcntlArg::F_GETFD)?;
    let program = fs::metadata("/proc/self/exe")?;
    let title = fs::read("/proc/self/cmdline")?;
    let mut text = format!(
        "title={:?}\nparent={}\nhandover={:?}\nblocked={}\nignored={}\ncaught={}\n\
         descriptors={}\ncloexec={flags}\nprogram={}:{}\n",
        String::from_utf8_lossy(&title),
        std::os::unix::process::parent_id(),
        env::var(handover::VARIABLE),
        field("SigBlk"),
        field("SigIgn"),
        field("SigCgt"),
        descriptors()?,
        program.dev(),
        program.ino(),
    );
    for name in [KEPT, REMOVED, SET] {
        text.push_str(&format!("{name}={:?}\n", env::var(name).ok()));
    }
    Ok(text)
}

/// The numbers of the open descriptors, without the one that looks.
pub(crate) fn descriptors() -> Result<String, Box<dyn Error>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        if fs::read_link(entry.path()).is_ok_and(|target| !target.ends_with("fd")) {
            numbers.push(entry.file_name().to_string_lossy().parse::<u32>()?);
        }
    }
    numbers.sort_unstable();
    Ok(format!("{numbers:?}"))
}

fn exit_hooks(socket: UnixStream) -> Result<(), Box<dyn Error>> {
    static SOCKET: OnceLock<UnixStream> = OnceLock::new();
    fn say(word: &str) {
        let mut socket = SOCKET.get().expect("set below, before any hook can run");
        socket.write_all(word.as_bytes()).expect("the case reads");
    }
    fn first() {
        say("first ");
    }
    fn panics() {
        panic!("on purpose: it must not keep the other hooks from running");
    }
    fn last() {
        say("last ");
        // A hook that comes late still runs, before those that are left.
        exit_hook::at_exit(|| say("late ")).expect("there is room for a hook");
    }

    SOCKET.set(socket).map_err(|_| "set once")?;
    exit_hook::at_exit(first)?;
    exit_hook::at_exit(panics)?;
    exit_hook::at_exit(last)?;
    Ok(())
}
