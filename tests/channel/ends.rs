//! How channels and their processes end, and what is left: nothing.

use std::sync::Mutex;

use ppool::{
    channel::{self, Channel, ChannelError},
    process::{self, Process},
    task,
};

use crate::{
    common::{
        Flag, Scratch,
        processes::{children_of, descriptors, family_of, wait_until_gone},
        program::{self, Program},
        tasks::run_for_ever,
        until, watchdog,
    },
    square_all,
};

#[test]
fn closing_is_heard_at_once_by_who_waits_and_by_who_sends() {
    #[task]
    fn wait_to_receive(in_: Channel<(), u64>, heard: &Flag) {
        if let Err(ChannelError::HungUp) = in_.receive::<u64>() {
            heard.raise();
        }
    }

    #[task]
    fn wait_to_send(out: Channel<u64, ()>, heard: &Flag) {
        if let Err(ChannelError::HungUp) = out.send(1) {
            heard.raise();
        }
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (received, sent) = (scratch.flag("received"), scratch.flag("sent"));
    let receiver = channel::start(wait_to_receive, &received);
    receiver.close();
    receiver.close();
    assert!(receiver.is_closed());
    assert!(matches!(receiver.send(1), Err(ChannelError::Closed)));
    assert!(matches!(receiver.receive(), Err(ChannelError::Closed)));
    assert!(receiver.wait().unwrap().success());
    // Dropping it closes it.
    let sender = channel::start(wait_to_send, &sent);
    until(|| sender.is_ready());
    let process = sender.process().unwrap().clone();
    drop(sender);
    assert!(process.join().unwrap().success());
    assert!(received.is_up() && sent.is_up());
}

/// In a program of its own, whose children are none but these.
#[test]
fn wait_all_waits_for_the_processes_of_channels_alone() {
    let _watchdog = watchdog();
    Program::start("ends::program_that_waits_for_all").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_waits_for_all() {
    if program::inside().is_none() {
        return;
    }
    channel::wait_all();
    let scratch = Scratch::new();
    let started = scratch.flag("started");
    let other = Process::spawn(run_for_ever, &started).unwrap();
    let channels: Vec<_> = (0..5).map(|_| channel::start(square_all, ())).collect();
    assert_eq!(process::active_children().len(), 6);
    drop(channels);
    channel::wait_all();
    assert_eq!(process::active_children().len(), 1);
    started.wait();
    assert!(other.is_alive());
    other.kill().unwrap();
    other.join().unwrap();
    assert!(children_of(std::process::id()).is_empty());
}

#[test]
fn channels_leave_no_descriptor_and_no_process() {
    let _watchdog = watchdog();
    Program::start("ends::program_of_many_channels").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_of_many_channels() {
    if program::inside().is_none() {
        return;
    }
    let pid = std::process::id();
    let talk = || {
        let channels: Vec<_> = (0..20).map(|_| channel::start(square_all, ())).collect();
        for (channel, n) in channels.iter().zip(0..) {
            channel.send(n).unwrap();
            assert_eq!(channel.receive().unwrap(), n * n);
        }
    };
    talk();
    channel::wait_all();
    let before = descriptors(pid).len();
    for _ in 0..5 {
        talk();
        channel::wait_all();
        assert_eq!(descriptors(pid).len(), before);
    }
    assert!(children_of(pid).is_empty());
}

#[task]
fn wait_for_a_message(in_: Channel<(), u64>, up: &Flag) {
    up.raise();
    let _ = in_.receive::<u64>();
}

#[task]
fn wait_for_an_answer(out: Channel<u64, ()>, up: &Flag) {
    up.raise();
    let _ = out.send(1);
}

#[task]
fn wait_for_room(out: Channel<Vec<u8>, ()>, up: &Flag) {
    up.raise();
    while out.send_unacknowledged([0; 30_000]).is_ok() {}
}

/// Kept beyond the end of `main`, so that nothing but the exit hangs them up.
static KEPT: Mutex<Vec<Channel>> = Mutex::new(Vec::new());

fn start_waiters(scratch: &Scratch) {
    let flags = ["message", "answer", "room"].map(|name| scratch.flag(name));
    let [message, answer, room] = &flags;
    KEPT.lock().expect("nobody panics with it").extend([
        channel::start(wait_for_a_message, message).typed(),
        channel::start(wait_for_an_answer, answer).typed(),
        channel::start(wait_for_room, room).typed(),
    ]);
    flags.iter().for_each(Flag::wait);
}

#[test]
fn tasks_that_wait_at_their_channels_do_not_hold_up_the_exit() {
    let _watchdog = watchdog();
    Program::start("ends::program_that_keeps_channels").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_keeps_channels() {
    if program::inside().is_some() {
        start_waiters(&Scratch::new());
    }
}

#[test]
fn processes_of_channels_go_with_a_parent_that_is_killed() {
    let _watchdog = watchdog();
    let mut program = Program::start("ends::program_that_is_killed");
    program.value("ready");
    let family = family_of(program.pid());
    assert_eq!(family.len(), 4, "{family:?}");
    program.kill();
    wait_until_gone(&family);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_is_killed() {
    if let Some(program) = program::inside() {
        start_waiters(&Scratch::new());
        program.say("ready", "now");
        program.wait();
    }
}
