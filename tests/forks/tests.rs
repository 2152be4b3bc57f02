//! Processes that go on where their parent is.
//!
//! The children keep to the rules of `create` in a program with threads: they use their channel and
//! memory of their own thread, and end through the channel.
#![expect(
    unsafe_code,
    reason = "`create` forks, and its caller has rules to keep"
)]

#[path = "../common/mod.rs"]
mod common;

use std::{panic, path::PathBuf, sync::OnceLock};

use common::{
    Scratch, Tally, pool_of,
    processes::{children_of, descriptors, family_of, wait_until_gone},
    program::{self, Program},
    tasks::{run_for_ever, square},
    watchdog,
};
use nix::libc;
use ppool::{
    channel::{self, Channel, ChannelError},
    process::{self, Process},
    task,
};

#[task]
fn double(out: Channel<u64, ()>, n: u64) {
    out.send(2 * n).expect("the other side is there");
}

/// Forks, and runs `child` in the new process.
fn fork(child: impl FnOnce(&Channel) -> Result<(), ChannelError>) -> Channel {
    // SAFETY: the children of these tests use what nobody else does, and never leave this function.
    let channel = unsafe { channel::create() }.expect("there is room for a process");
    if channel.pid() == 0 {
        let done = child(&channel);
        channel.exit(done.is_err().into());
    }
    channel
}

#[test]
fn a_copy_of_the_process_talks_with_its_parent() {
    let _watchdog = watchdog();
    let known = [7_u64, 8, 9];
    let channel = fork(|parent| {
        let index: usize = parent.receive()?;
        // It has what its parent had.
        parent.send(known[index])?;
        parent.send("done")
    });
    assert_ne!(channel.pid(), std::process::id());
    channel.send(2).unwrap();
    assert_eq!(channel.receive::<u64>().unwrap(), 9);
    assert_eq!(channel.receive::<String>().unwrap(), "done");
    assert!(channel.wait().unwrap().success());
    assert!(channel.receive::<u64>().unwrap_err().is_hung_up());
}

#[test]
fn a_copy_ends_with_its_channel() {
    let _watchdog = watchdog();
    // SAFETY: as in `fork`.
    let channel = unsafe { channel::create() }.unwrap();
    if channel.pid() == 0 {
        drop(channel);
        unreachable!("dropping it ends the process");
    }
    assert_eq!(channel.wait().unwrap().exit_code(), Some(0));

    let channel = fork(|_| Err(ChannelError::Closed));
    assert_eq!(channel.wait().unwrap().exit_code(), Some(1));
}

#[test]
fn a_copy_that_panics_says_so() {
    let _watchdog = watchdog();
    // SAFETY: as in `fork`; `resume_unwind` prints nothing.
    let channel = unsafe { channel::create() }.unwrap();
    if channel.pid() == 0 {
        let _dropped = channel;
        panic::resume_unwind(Box::new("oh"));
    }
    let error = channel.receive::<u64>().unwrap_err();
    assert!(error.is_remote(), "{error}");
    assert_eq!(channel.wait().unwrap().exit_code(), Some(101));
}

#[test]
fn a_copy_that_is_killed_hangs_up() {
    let _watchdog = watchdog();
    let channel = fork(|parent| parent.receive());
    channel.process().unwrap().kill().unwrap();
    assert!(matches!(
        channel.receive::<u64>(),
        Err(ChannelError::HungUp)
    ));
    assert_eq!(channel.wait().unwrap().signal_name(), Some("SIGKILL"));
}

#[test]
fn copies_may_be_made_while_others_live() {
    let _watchdog = watchdog();
    let channels: Vec<Channel> = (0..5_u64)
        .map(|n| fork(|parent| parent.send(n + parent.receive::<u64>()?)))
        .collect();
    // That later copies have the earlier sockets keeps nobody from hearing a hang-up.
    let [first, rest @ ..] = &channels[..] else {
        unreachable!("there are five")
    };
    first.close();
    assert_eq!(first.wait().unwrap().exit_code(), Some(1));
    for (channel, n) in rest.iter().zip(1..) {
        channel.send(10_u64).unwrap();
        assert_eq!(channel.receive::<u64>().unwrap(), 10 + n);
        assert!(channel.wait().unwrap().success());
    }
}

#[test]
fn a_copy_that_has_an_end_too_does_not_keep_it_open() {
    let _watchdog = watchdog();
    let (one, other) = Channel::<u64, u64>::pair().unwrap();
    let copy = fork(|parent| parent.receive());
    drop(one);
    assert!(matches!(other.receive(), Err(ChannelError::HungUp)));
    copy.send(()).unwrap();
    assert!(copy.wait().unwrap().success());
}

#[test]
fn a_copy_can_start_processes_and_not_use_its_parent_s() {
    let _watchdog = watchdog();
    Program::start("program_whose_copy_starts_processes").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_copy_starts_processes() {
    if program::inside().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let ours = Process::spawn(run_for_ever, scratch.flag("up")).unwrap();
    let channel = fork(|parent| {
        let refused = ours.join().is_err() && ours.kill().is_err();
        parent.send((refused, process::active_children().len()))?;
        parent.send(channel::start(double, 5).receive()?)
    });
    assert_eq!(channel.receive::<(bool, usize)>().unwrap(), (true, 0));
    assert_eq!(channel.receive::<u64>().unwrap(), 10);
    assert!(channel.wait().unwrap().success());
    assert!(ours.is_alive());
    ours.kill().unwrap();
}

#[test]
fn a_copy_runs_none_of_its_parent_s_exit_handlers() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut command = program::command("program_with_exit_handlers");
    command.env("PPOOL_TEST_PLACE", scratch.path("exits"));
    Program::run(command).must_succeed();
    assert_eq!(scratch.tally("exits").notes(), ["parent"]);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_exit_handlers() {
    static EXITS: OnceLock<(u32, PathBuf)> = OnceLock::new();

    extern "C" fn note() {
        let (parent, place) = EXITS.get().expect("it was set");
        let who = match *parent == std::process::id() {
            true => "parent",
            false => "copy",
        };
        Tally::at(place).note(who);
    }

    if program::inside().is_none() {
        return;
    }
    let place = std::env::var_os("PPOOL_TEST_PLACE").expect("a path");
    EXITS.set((std::process::id(), place.into())).unwrap();
    // SAFETY: `note` lives as long as the program.
    assert_eq!(unsafe { libc::atexit(note) }, 0);
    // Pools and processes have handlers as well.
    assert_eq!(pool_of(1).apply(square, 2).unwrap(), 4);
    let channel = fork(|parent| {
        parent.send(1)?;
        std::process::exit(3)
    });
    assert_eq!(channel.receive::<u64>().unwrap(), 1);
    assert_eq!(channel.wait().unwrap().exit_code(), Some(3));
}

#[test]
fn copies_go_with_a_parent_that_is_killed() {
    let _watchdog = watchdog();
    let mut program = Program::start("program_that_is_copied");
    program.value("ready");
    let family = family_of(program.pid());
    assert_eq!(family.len(), 3, "{family:?}");
    program.kill();
    wait_until_gone(&family);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_is_copied() {
    let Some(program) = program::inside() else {
        return;
    };
    // Forked on a thread that ends: that is not their parent's end.
    let copies = std::thread::spawn(|| {
        let waits = fork(|parent| parent.send("up").and_then(|()| parent.receive()));
        let computes = fork(|parent| {
            parent.send("up")?;
            loop {
                std::hint::spin_loop();
            }
        });
        [waits, computes]
    });
    let copies = copies.join().unwrap();
    for copy in &copies {
        assert_eq!(copy.receive::<String>().unwrap(), "up");
    }
    program.say("ready", "now");
    program.wait();
}

#[test]
fn copies_leave_nothing_behind() {
    let _watchdog = watchdog();
    Program::start("program_of_many_copies").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_of_many_copies() {
    if program::inside().is_none() {
        return;
    }
    let pid = std::process::id();
    let copy = |n: u64| {
        let channel = fork(|parent| parent.send(n));
        assert_eq!(channel.receive::<u64>().unwrap(), n);
        assert!(channel.wait().unwrap().success());
    };
    copy(0);
    let before = descriptors(pid).len();
    (1..100).for_each(copy);
    assert_eq!(descriptors(pid).len(), before);
    assert!(children_of(pid).is_empty());
}
