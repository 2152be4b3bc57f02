//! One sample: a process, its figures, and what it asks in between.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{observe, results::Why};
use crate::Failure;

/// What a process said.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub(super) figures: Vec<(String, f64)>,
    pub(super) notes: Vec<String>,
}

/// How long a process may take to end after its last word.
const FAREWELL: Duration = Duration::from_secs(5);

/// Runs `command` and listens to it. An error is the reason why there are no figures.
pub(super) fn take(command: &mut Command, patience: Duration) -> Result<Sample, Why> {
    match run(command, patience) {
        Ok((Ended::Properly, sample)) => Ok(sample),
        Ok((Ended::Late, _)) => {
            let seconds = patience.as_secs_f64();
            Err(Why::Hangs(format!("hangs: not done after {seconds:.0} s")))
        }
        Ok((Ended::Early(last_words), _)) => Err(Why::Fails(last_words)),
        Err(error) => Err(Why::Fails(error.to_string())),
    }
}

fn run(command: &mut Command, patience: Duration) -> Result<(Ended, Sample), Failure> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn()?;
    let last_words = LastWords::listen(&mut child);
    let mut sample = Sample::default();
    let talked = talk(&mut child, patience, &mut sample);
    let is_over = matches!(talked, Ok(Ended::Properly | Ended::Early(_)));
    if !is_over || !ends_within(&mut child, FAREWELL)? {
        // With all that it started, so that nothing disturbs the next sample. It is not waited for
        // yet, so the id can't be another's.
        let group = Pid::from_raw(child.id().cast_signed());
        let _ = killpg(group, Signal::SIGKILL);
        child.wait()?;
    }
    let ended = match talked? {
        Ended::Early(_) => Ended::Early(last_words.line()),
        ended => ended,
    };
    Ok((ended, sample))
}

/// How a conversation ended.
enum Ended {
    /// With its last word.
    Properly,
    /// Before it; what was said to standard error instead.
    Early(String),
    /// Not at all.
    Late,
}

fn talk(child: &mut Child, patience: Duration, sample: &mut Sample) -> Result<Ended, Failure> {
    let deadline = Instant::now() + patience;
    let lines = lines(child.stdout.take().ok_or("standard output is piped")?);
    let mut answers = child.stdin.take().ok_or("standard input is piped")?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = match lines.recv_timeout(left) {
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(Ended::Early(String::new())),
            Err(mpsc::RecvTimeoutError::Timeout) => return Ok(Ended::Late),
        };
        let (word, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
        match word {
            "end" => return Ok(Ended::Properly),
            "calls" => {}
            "note" => sample.notes.push(rest.to_owned()),
            "figure" => {
                let (name, value) = rest.split_once(' ').ok_or("a figure has a value")?;
                sample.figures.push((name.to_owned(), value.parse()?));
            }
            "memory" | "activity" => answer(word, rest, &mut answers)?,
            _ => return Err(format!("said `{line}`").into()),
        }
    }
}

fn answer(word: &str, rest: &str, out: &mut ChildStdin) -> Result<(), Failure> {
    let numbers = match word {
        "memory" => {
            let memory = observe::memory(&pids(rest)?)?;
            (memory.pss, memory.private)
        }
        _ => {
            let (seconds, rest) = rest.split_once(' ').ok_or("no process to look at")?;
            let while_ = Duration::try_from_secs_f64(seconds.parse()?)?;
            let activity = observe::activity(while_, &pids(rest)?)?;
            (activity.cpu, activity.switches)
        }
    };
    Ok(writeln!(out, "{:e} {:e}", numbers.0, numbers.1)?)
}

fn pids(text: &str) -> Result<Vec<u32>, Failure> {
    Ok(text
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?)
}

/// The lines of `from`, read by a thread of their own, so that they can be waited for with a limit.
fn lines(from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn ends_within(child: &mut Child, limit: Duration) -> Result<bool, Failure> {
    let deadline = Instant::now() + limit;
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(true)
}

/// The last line that a process wrote to its standard error.
struct LastWords(Arc<Mutex<String>>);

impl LastWords {
    /// Listens until the end, or for as long as a worker that was left behind holds the pipe.
    fn listen(child: &mut Child) -> LastWords {
        let last = Arc::new(Mutex::new(String::new()));
        if let Some(stderr) = child.stderr.take() {
            let last = Arc::clone(&last);
            let words = lines(stderr);
            thread::spawn(move || {
                for line in words.iter().filter(|line| !line.trim().is_empty()) {
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = line;
                }
            });
        }
        LastWords(last)
    }

    fn line(&self) -> String {
        // What was written before the end may still be on its way.
        thread::sleep(Duration::from_millis(20));
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match last.trim() {
            "" => "ended without a word".into(),
            line => line.chars().take(200).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Sample, Why> {
        let mut command = Command::new("sh");
        take(command.args(["-c", script]), Duration::from_millis(500))
    }

    #[test]
    fn a_process_gives_figures_and_asks_questions() {
        let sample = shell(
            "echo note hello; echo figure a 1.5e-6; echo memory $$; read pss private; \
             test -n \"$private\" && echo figure pss $pss; echo end",
        )
        .unwrap();
        assert_eq!(sample.notes, ["hello"]);
        assert_eq!(sample.figures[0], ("a".into(), 1.5e-6));
        assert!(sample.figures[1].1 > 0.0);
    }

    #[test]
    fn one_that_fails_or_hangs_gives_the_reason() {
        let reason = |script| shell(script).unwrap_err();
        let fails = |text: &str| Why::Fails(text.into());
        assert_eq!(reason("echo no luck >&2; exit 1"), fails("no luck"));
        assert_eq!(reason("true"), fails("ended without a word"));
        assert_eq!(reason("echo what; read answer"), fails("said `what`"));
        assert!(matches!(reason("sleep 60"), Why::Hangs(_)));
    }
}
