//! Worker processes, and this program as an ordinary process.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    ops::{Deref, DerefMut},
    os::fd::AsFd,
    process::{Child, Command, Stdio},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ppool_core::{
    error::ExitHow,
    link::socket::SocketLink,
    supervise::launcher::{LaunchConfig, launch},
    sys::pidfd::ExitWatch,
    wire::{Boot, FromWorker},
};

use super::parent::{Parent, WORKER, plain_boot, text};

/// A worker process of this program.
pub(crate) struct Worker {
    pub(crate) pid: u32,
    watch: ExitWatch,
    parent: Parent,
}

impl Worker {
    /// Starts one. The thread that does has to outlive it.
    pub(crate) fn launch() -> Self {
        let config = LaunchConfig {
            pool_name: "test".to_string(),
            ..LaunchConfig::default()
        };
        let launched = launch(&config, WORKER).unwrap();
        Worker {
            pid: launched.pid,
            watch: launched.exit_watch,
            parent: Parent::new(SocketLink::new(launched.socket).unwrap()),
        }
    }

    /// Starts and boots one, and gives its first message after the greeting.
    pub(crate) fn boot(boot: &Boot) -> (Self, FromWorker) {
        let mut worker = Worker::launch();
        let next = worker.parent.boot(boot);
        (worker, next)
    }

    /// Starts one that is ready for calls.
    pub(crate) fn ready() -> Self {
        let (worker, next) = Worker::boot(&plain_boot());
        assert_eq!(next, FromWorker::Ready);
        worker
    }

    /// Waits for it to end by itself.
    pub(crate) fn ends(self) -> ExitHow {
        self.watch.wait().unwrap().how
    }

    /// Closes the link, and waits for it to end.
    pub(crate) fn leave(self) -> ExitHow {
        drop(self.parent);
        self.watch.wait().unwrap().how
    }

    /// Tells it to end, and sees it end well.
    pub(crate) fn finish(mut self) {
        self.link.send_sentinel().unwrap();
        assert_eq!(self.next(), FromWorker::Bye);
        assert_eq!(self.ends(), ExitHow::Code(0));
    }
}

impl Deref for Worker {
    type Target = Parent;

    fn deref(&self) -> &Parent {
        &self.parent
    }
}

impl DerefMut for Worker {
    fn deref_mut(&mut self) -> &mut Parent {
        &mut self.parent
    }
}

/// What `main` does when its first argument is this.
pub(crate) fn role(name: &str) -> Option<fn()> {
    match name {
        "--ordinary" => Some(|| print!("an ordinary program")),
        "--parent" => Some(be_a_parent),
        "--quiet" => Some(be_quiet),
        _ => None,
    }
}

/// This program, started as an ordinary one with a role.
pub(crate) fn start(role: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .arg(role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Has an idle and a busy worker, tells their ids, and waits to be killed.
fn be_a_parent() {
    let idle = Worker::ready();
    let mut busy = Worker::ready();
    busy.call(1, "square", 1, vec![0; 8]);
    busy.result(1, 0);
    busy.call(2, "keeps_busy", 1, Vec::new());
    println!("{} {}", idle.pid, busy.pid);
    // Until the end of the input, should nobody kill it.
    let _ = std::io::stdin().read(&mut [0]);
}

/// Has workers that panic, fail and end, and prints nothing itself.
fn be_quiet() {
    let mut worker = Worker::ready();
    worker.call(1, "panics", 1, text("unheard"));
    assert!(matches!(worker.next(), FromWorker::Result(_)));
    if cfg!(panic = "abort") {
        worker.ends();
    } else {
        worker.finish();
    }
    let (worker, _) = Worker::boot(&super::parent::boot_with_initializer("panics", 1));
    worker.ends();
    Worker::ready().leave();
}

/// A process with workers, to be killed.
pub(crate) struct Victim {
    child: Child,
    /// Of its workers, which are not ours to wait for.
    watches: Vec<ExitWatch>,
}

impl Victim {
    pub(crate) fn start() -> Self {
        let mut child = start("--parent");
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let pids = line.split_whitespace().map(|pid| pid.parse().unwrap());
        let watches = pids.map(|pid| ExitWatch::open(pid).unwrap()).collect();
        Victim { child, watches }
    }

    /// Kills it, and waits until its workers are gone too.
    pub(crate) fn kill(mut self) -> usize {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        for watch in &self.watches {
            let mut fds = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
            let gone = poll(&mut fds, PollTimeout::from(60_000u16)).unwrap();
            assert_eq!(gone, 1, "a worker outlives its parent");
        }
        self.watches.len()
    }
}
