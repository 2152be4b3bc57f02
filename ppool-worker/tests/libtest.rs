//! Under the ordinary test harness a worker is taken over as well, before the harness runs.
#![forbid(unsafe_code)]

use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ppool_core::{
    error::ExitHow,
    ids::WorkerId,
    link::{Link, LinkState, socket::SocketLink},
    linkme::{self, distributed_slice},
    supervise::launcher::{LaunchConfig, launch},
    task::{Registry, TASKS, TaskEntry},
    wire::{FromWorker, PARENT_LOST_EXIT},
};

#[distributed_slice(TASKS)]
#[linkme(crate = linkme)]
static TASK: TaskEntry = TaskEntry::new("task", "fn()", "", &[], |_| Ok(()), ppool_worker::hook);

#[test]
fn a_test_program_can_be_a_worker() {
    let launched = launch(&LaunchConfig::default(), WorkerId::default()).unwrap();
    let mut link = SocketLink::new(launched.socket).unwrap();
    let mut up = Vec::new();
    while up.is_empty() {
        let mut fds = [PollFd::new(link.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, PollTimeout::from(60_000u16)).unwrap();
        assert!(ready > 0, "the worker hangs");
        assert_eq!(link.drive(&mut up).unwrap(), LinkState::Open);
    }
    let FromWorker::Hello(hello) = up[0] else {
        panic!("a greeting is expected, not {up:?}");
    };
    assert_eq!(hello.pid, launched.pid);
    assert_eq!(hello.fingerprint, Registry::get().unwrap().fingerprint());
    drop(link);
    let exit = launched.exit_watch.wait().unwrap();
    assert_eq!(exit.how, ExitHow::Code(PARENT_LOST_EXIT));
}
