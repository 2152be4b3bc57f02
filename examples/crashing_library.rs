//! A C library that some input crashes and some keeps busy for ever, and a program that lives on.
//!
//! Users send patterns; the regular expressions of the C library match them. Each pattern is a call
//! to a worker process, so a pattern that ends the process costs its sender an error, and nobody
//! else anything. The program checks what it prints.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use ppool::{Pool, TaskError, TaskErrorKind, task};
use ppool_example_posix_regex::Regex;

/// A `Regex` can't leave its process: it is compiled where it is used.
#[task(timeout = "1s")]
fn is_match(pattern: &str, text: &str) -> Result<bool, String> {
    Regex::new(pattern)?.is_match(text)
}

/// What becomes of a request.
#[derive(PartialEq, Eq, Debug)]
enum Answer {
    Match(bool),
    Refused(String),
    Crashed(&'static str),
    TooSlow,
    Failed(String),
}

impl Answer {
    fn of(outcome: Result<Result<bool, String>, TaskError>) -> Answer {
        let error = match outcome {
            Ok(Ok(matched)) => return Answer::Match(matched),
            Ok(Err(message)) => return Answer::Refused(message),
            Err(error) => error,
        };
        match error.kind() {
            TaskErrorKind::TimedOut(_) => Answer::TooSlow,
            TaskErrorKind::WorkerLost(exit) => match exit.signal_name() {
                Some(signal) => Answer::Crashed(signal),
                None => Answer::Failed(error.to_string()),
            },
            _ => Answer::Failed(error.to_string()),
        }
    }

    fn text(&self) -> String {
        match self {
            Answer::Match(true) => "matches".to_owned(),
            Answer::Match(false) => "does not match".to_owned(),
            Answer::Refused(message) => format!("refused: {message}"),
            Answer::Crashed(signal) => format!("crashed the library ({signal})"),
            Answer::TooSlow => "took too long".to_owned(),
            Answer::Failed(message) => format!("failed: {message}"),
        }
    }
}

/// A pattern, a text, and whether an answer is the one that they should get.
type Request = (String, String, fn(&Answer) -> bool);

fn requests() -> Vec<Request> {
    let text = "2026-11-21 GET /index.html";
    let nested = format!("{}a{}", "(".repeat(200_000), ")".repeat(200_000));
    let matches: fn(&Answer) -> bool = |answer| *answer == Answer::Match(true);
    let differs: fn(&Answer) -> bool = |answer| *answer == Answer::Match(false);
    let refused: fn(&Answer) -> bool = |answer| matches!(answer, Answer::Refused(_));
    let crashed: fn(&Answer) -> bool = |answer| matches!(answer, Answer::Crashed(_));
    let slow: fn(&Answer) -> bool = |answer| *answer == Answer::TooSlow;
    let requests = [
        ("^[0-9]{4}-[0-9]{2}", text, matches),
        (nested.as_str(), text, crashed),
        ("(GET|PUT) /", text, matches),
        ("[a-", text, refused),
        ("(.*)(.*)(.*)(.*)\\1\\2\\3\\4x", &"a".repeat(2000), slow),
        ("POST", text, differs),
        (nested.as_str(), text, crashed),
        ("html$", text, matches),
    ];
    requests
        .into_iter()
        .map(|(pattern, text, expected)| (pattern.to_owned(), text.to_owned(), expected))
        .collect()
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let pool = Pool::builder()
        .workers(2)
        // A worker in the middle of a match has nothing to clean up.
        .grace(Duration::ZERO)
        .build()?;
    let requests = requests();
    // All at once: the good ones share two workers with those that crash.
    let calls: Vec<_> = requests
        .iter()
        .map(|(pattern, text, _)| pool.submit(is_match, (pattern.as_str(), text.as_str())))
        .collect();

    let mut out = io::stdout().lock();
    let mut as_expected = 0;
    for ((pattern, _, is_expected), call) in requests.iter().zip(calls) {
        let answer = Answer::of(call.wait());
        let shown: String = pattern.chars().take(24).collect();
        writeln!(out, "{shown:<24}  {}", answer.text())?;
        as_expected += usize::from(is_expected(&answer));
    }
    writeln!(out, "{as_expected} of {} as expected", requests.len())?;
    Ok(match as_expected == requests.len() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
