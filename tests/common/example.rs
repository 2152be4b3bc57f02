//! Runs a built example as a user runs it: as a program of its own.
//!
//! `cargo test` builds the examples before it runs tests; `cargo test --test examples` alone does
//! not, and then runs what an earlier build left.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// An example that runs, in a process group of its own.
pub(crate) struct Example {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: BufReader<ChildStderr>,
    /// What was read of `stderr` so far.
    heard: String,
}

/// An example that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The path of an example.
fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let directory = test.ancestors().nth(2);
    directory
        .expect("cargo puts tests in `deps`, beside `examples`")
        .join("examples")
        .join(name)
}

impl Example {
    pub(crate) fn start<A: AsRef<OsStr>>(name: &str, arguments: &[A]) -> Self {
        let example = path(name);
        let mut child = Command::new(&example)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| {
                let example = example.display();
                panic!("{example}: {error}; run `cargo build --examples` first")
            });
        let stdout = child.stdout.take().expect("it is a pipe");
        let stderr = child.stderr.take().expect("it is a pipe");
        Example {
            child,
            stdout: thread::spawn(move || read(stdout)),
            stderr: BufReader::new(stderr),
            heard: String::new(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a terminal does at Ctrl-C: every process of the group gets the signal.
    pub(crate) fn ctrl_c(&self) {
        let group = i32::try_from(self.child.id()).expect("a pid is a positive i32");
        killpg(Pid::from_raw(group), Signal::SIGINT).expect("it runs");
    }

    /// Waits until it says so on its standard error.
    pub(crate) fn hear(&mut self, text: &str) {
        while !self.heard.contains(text) {
            let read = self.stderr.read_line(&mut self.heard).expect("UTF-8");
            assert_ne!(read, 0, "it ended and never said `{text}`:\n{}", self.heard);
        }
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let read = self.stderr.read_to_string(&mut self.heard);
        read.expect("examples print UTF-8");
        Ended {
            status: self.child.wait().expect("it is our child"),
            stdout: self.stdout.join().expect("reading does not panic"),
            stderr: self.heard,
        }
    }
}

fn read(mut stdout: ChildStdout) -> String {
    let mut text = String::new();
    let read = stdout.read_to_string(&mut text);
    read.expect("examples print UTF-8");
    text
}

/// Runs an example to its end.
pub(crate) fn run<A: AsRef<OsStr>>(name: &str, arguments: &[A]) -> Ended {
    Example::start(name, arguments).end()
}

/// The same for an example that must succeed: what it printed.
pub(crate) fn succeed<A: AsRef<OsStr>>(name: &str, arguments: &[A]) -> String {
    let ended = run(name, arguments);
    assert!(
        ended.status.success(),
        "`{name}` failed: {}, signal {:?}\n{}{}",
        ended.status,
        ended.status.signal(),
        ended.stdout,
        ended.stderr
    );
    ended.stdout
}

/// An empty directory of this name, which `cargo clean` removes.
pub(crate) fn fresh_dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).expect("what an earlier run made can be removed");
    }
    fs::create_dir_all(&dir).expect("cargo's directory for tests can be written to");
    dir
}
