//! Runs one test of this binary as a program of its own, so that it may be killed, starved, or
//! end while its pools live.
//!
//! ```text
//!  #[test]                                   #[test] #[ignore = ..]
//!  fn a_behaviour() {                        fn program_that_behaves() {
//!      let mut program =                         let Some(program) = program::inside() else { return };
//!          Program::start("program_that_..");
//!      program.value("ready")        ◄─────      program.say("ready", "..")
//! ```

use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write, stdout},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
};

use super::watchdog::{self, Watchdog};

const VARIABLE: &str = "PPOOL_TEST_PROGRAM";
/// What a line of a program begins with when it is meant for the test.
const MARK: &str = "@@";

/// A program that runs.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What it has said so far, for the message of a failure.
    transcript: String,
}

/// A program's own side, inside it.
pub(crate) struct Inside {
    _watchdog: Watchdog,
}

/// The command that runs `test` of this binary as a program.
pub(crate) fn command(test: &str) -> Command {
    command_by(&[], test)
}

/// The same through another program, such as `env`, that takes a command.
pub(crate) fn command_by(launcher: &[&str], test: &str) -> Command {
    command_of(
        launcher,
        env::current_exe().expect("this binary has a path"),
        test,
    )
}

/// The same for a copy of this binary.
pub(crate) fn command_of(launcher: &[&str], binary: impl AsRef<OsStr>, test: &str) -> Command {
    let mut command = match launcher {
        [] => Command::new(binary),
        [launcher, arguments @ ..] => {
            let mut command = Command::new(launcher);
            command.args(arguments).arg(binary);
            command
        }
    };
    command.args([test, "--exact", "--ignored", "--nocapture"]);
    command
        .env(VARIABLE, test)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Whether this process was started as a program: without it, an ignored test has nothing to do.
pub(crate) fn inside() -> Option<Inside> {
    env::var_os(VARIABLE).map(|_| Inside {
        _watchdog: watchdog::in_a_program(),
    })
}

impl Inside {
    /// Tells the test something.
    pub(crate) fn say(&self, key: &str, value: impl std::fmt::Display) {
        // One write, past the harness's capture and beginning a line of its own.
        let line = format!("\n{MARK} {key} {value}\n");
        let mut out = stdout().lock();
        out.write_all(line.as_bytes())
            .and_then(|()| out.flush())
            .expect("the test listens");
    }

    /// Waits for the test to let the program go on, or to go away. Blocks in one system call.
    pub(crate) fn wait(&self) {
        let _ = std::io::stdin().read(&mut [0]);
    }
}

impl Program {
    pub(crate) fn start(test: &str) -> Self {
        Program::run(command(test))
    }

    pub(crate) fn run(mut command: Command) -> Self {
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = BufReader::new(child.stdout.take().expect("the output is a pipe"));
        Program {
            stdin: child.stdin.take(),
            child,
            output,
            transcript: String::new(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads on to the next line `key value` that the program says, and gives the value.
    pub(crate) fn value(&mut self, key: &str) -> String {
        self.next(key).unwrap_or_else(|| {
            panic!(
                "the program ended and never said `{key}`:\n{}",
                self.transcript
            )
        })
    }

    fn next(&mut self, key: &str) -> Option<String> {
        loop {
            let mut line = Vec::new();
            if self.output.read_until(b'\n', &mut line).ok()? == 0 {
                return None;
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            self.transcript.push_str(&line);
            let said = line.trim_end().strip_prefix(MARK).map(str::trim_start);
            if let Some((name, value)) = said.and_then(|said| said.split_once(' '))
                && name == key
            {
                return Some(value.to_owned());
            }
        }
    }

    /// The same as numbers between spaces.
    pub(crate) fn numbers(&mut self, key: &str) -> Vec<u32> {
        let value = self.value(key);
        let numbers = value.split_whitespace().map(str::parse);
        numbers
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{value:?}: {error}"))
    }

    /// Lets a program go on that waits.
    pub(crate) fn let_go(&mut self) {
        drop(self.stdin.take());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    /// Waits for its end; gives how it ended and everything that it wrote.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        self.let_go();
        let mut rest = Vec::new();
        // A worker that outlives the program would keep the pipe open: then this hangs, and the
        // watchdog says so.
        self.output
            .read_to_end(&mut rest)
            .expect("a pipe can be read");
        self.transcript.push_str(&String::from_utf8_lossy(&rest));
        let status = self.child.wait().expect("it is our child");
        (status, std::mem::take(&mut self.transcript))
    }

    /// Waits for its end, which must be a good one.
    pub(crate) fn must_succeed(self) -> String {
        let (status, transcript) = self.end();
        assert!(
            status.success(),
            "{status}, signal {:?}:\n{transcript}",
            status.signal()
        );
        transcript
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
