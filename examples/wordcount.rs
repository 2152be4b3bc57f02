//! Counts the words of all text files under some paths, in worker processes.
//!
//! ```text
//! cargo run --release --example wordcount                  # this repository
//! cargo run --release --example wordcount -- ~/notes /usr/share/doc
//! cargo run --release --example wordcount -- --check       # and compare with one thread
//! ```
//!
//! It prints the twenty most frequent words and one line of throughput. Regular files count, except
//! those with a NUL byte in their first 8 KiB; bytes that are not UTF-8 separate words. Directories
//! named `target` and anything named `.git` are skipped, and links are not followed. A word is a
//! run of letters and digits, in lower case. The exit code is 1 when something could not be read
//! or the check fails.
//!
//! ```text
//!  walk ──► batches of files ──► imap_unordered ══► count_batch in a worker
//!                                                         │
//!  top twenty ◄──────────────── add up ◄══════════════════┘ one small table for each batch
//! ```
#![forbid(unsafe_code)]

use std::{
    collections::HashMap,
    error::Error,
    ffi::OsString,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use ppool::{Pool, task};
use serde::{Deserialize, Serialize};

/// How many words the list shows.
const TOP: usize = 20;
/// A NUL byte within this many bytes says that a file is not text.
const TEXT_PROBE: usize = 8 << 10;
/// Opening a file counts for as much work as reading this many bytes.
const FILE_COST: u64 = 4 << 10;
/// How many batches there are for each worker: so many that the last ones end at about the same
/// time, unless they would be larger than `LARGEST_BATCH`.
const BATCHES_PER_WORKER: u64 = 8;
const LARGEST_BATCH: u64 = 4 << 20;

/// The words of some files, and how much there was to read.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    files: u64,
    bytes: u64,
    words: HashMap<String, u64>,
    /// What could not be read, and why.
    problems: Vec<String>,
}

impl Count {
    fn add(&mut self, other: Count) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.problems.extend(other.problems);
        for (word, times) in other.words {
            *self.words.entry(word).or_default() += times;
        }
    }

    fn add_text(&mut self, text: &str) {
        let is_separator = |c: char| !c.is_alphanumeric();
        let mut lower = String::new();
        for word in text.split(is_separator).filter(|word| !word.is_empty()) {
            lower.clear();
            lower.extend(word.chars().flat_map(char::to_lowercase));
            match self.words.get_mut(&lower) {
                Some(times) => *times += 1,
                None => {
                    self.words.insert(lower.clone(), 1);
                }
            }
        }
    }

    fn add_file(&mut self, path: &Path) {
        match fs::read(path) {
            Ok(bytes) if bytes.iter().take(TEXT_PROBE).any(|byte| *byte == 0) => {}
            Ok(bytes) => {
                self.files += 1;
                self.bytes += bytes.len() as u64;
                self.add_text(&String::from_utf8_lossy(&bytes));
            }
            // Others may be at work in the same tree: what has gone since the walk is not there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.problems.push(format!("{}: {error}", path.display())),
        }
    }

    fn total_words(&self) -> u64 {
        self.words.values().sum()
    }

    /// The most frequent words; those that are equally frequent in the order of the alphabet.
    fn top(&self) -> Vec<(&str, u64)> {
        let mut words: Vec<_> = self.words.iter().map(|(w, n)| (w.as_str(), *n)).collect();
        words.sort_unstable_by(|(a, a_times), (b, b_times)| b_times.cmp(a_times).then(a.cmp(b)));
        words.truncate(TOP);
        words
    }
}

/// Counts the words of these files. (A path may be any bytes, and serde refuses a `PathBuf` that is
/// not UTF-8; an `OsString` can always travel.)
#[task]
fn count_batch(files: Vec<OsString>) -> Count {
    let mut count = Count::default();
    for file in &files {
        count.add_file(Path::new(file));
    }
    count
}

/// What the walk found: files with the work that each is, and what could not be read.
#[derive(Debug, Default)]
struct Walk {
    files: Vec<(OsString, u64)>,
    problems: Vec<String>,
}

impl Walk {
    fn of(roots: &[PathBuf]) -> Walk {
        let mut walk = Walk::default();
        for root in roots {
            // A path that was asked for is followed when it is a link, and read whatever its name.
            if let Err(error) = fs::metadata(root).and_then(|meta| walk.visit(root, &meta)) {
                walk.problems.push(format!("{}: {error}", root.display()));
            }
        }
        walk
    }

    fn visit(&mut self, path: &Path, meta: &fs::Metadata) -> io::Result<()> {
        if meta.is_file() {
            self.files.push((path.into(), meta.len() + FILE_COST));
        } else if meta.is_dir() {
            for entry in fs::read_dir(path)? {
                self.visit_entry(&entry?);
            }
        }
        Ok(())
    }

    fn visit_entry(&mut self, entry: &fs::DirEntry) {
        let path = entry.path();
        let visited = entry.metadata().and_then(|meta| {
            let name = entry.file_name();
            if name == ".git" || (name == "target" && meta.is_dir()) {
                return Ok(());
            }
            self.visit(&path, &meta)
        });
        match visited {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.problems.push(format!("{}: {error}", path.display()));
            }
            _ => {}
        }
    }

    fn batches(&self, workers: usize) -> Vec<Vec<OsString>> {
        let all: u64 = self.files.iter().map(|(_, work)| work).sum();
        let full = (all / (workers as u64 * BATCHES_PER_WORKER)).min(LARGEST_BATCH);
        let mut batches = Vec::new();
        let (mut batch, mut in_batch) = (Vec::new(), 0);
        for (file, work) in &self.files {
            batch.push(file.clone());
            in_batch += work;
            if in_batch >= full {
                batches.push(std::mem::take(&mut batch));
                in_batch = 0;
            }
        }
        batches.push(batch);
        batches
    }
}

#[derive(Debug, Default)]
struct Options {
    check: bool,
    roots: Vec<PathBuf>,
}

impl Options {
    fn parse() -> Options {
        let mut options = Options::default();
        for argument in std::env::args_os().skip(1) {
            match argument.to_str() {
                Some("--check") => options.check = true,
                _ => options.roots.push(argument.into()),
            }
        }
        if options.roots.is_empty() {
            options.roots.push(env!("CARGO_MANIFEST_DIR").into());
        }
        options
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    let mut out = io::stdout().lock();

    let start = Instant::now();
    let pool = Pool::new();
    let walk = Walk::of(&options.roots);
    let mut count = Count::default();
    for batch in pool.imap_unordered(count_batch, walk.batches(pool.max_workers())) {
        count.add(batch?);
    }
    let seconds = start.elapsed().as_secs_f64();
    out.write_all(report(&count, seconds, pool.max_workers()).as_bytes())?;

    let mut problems = walk.problems;
    problems.append(&mut count.problems);
    if options.check {
        let start = Instant::now();
        let mut alone = count_batch(walk.files.into_iter().map(|(file, _)| file).collect());
        let seconds = start.elapsed().as_secs_f64();
        alone.problems.clear();
        if alone == count {
            writeln!(out, "check: one thread counts the same, in {seconds:.3} s")?;
        } else {
            problems.push("check: one thread counts something else".to_owned());
        }
    }
    for problem in &problems {
        writeln!(io::stderr(), "wordcount: {problem}")?;
    }
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn report(count: &Count, seconds: f64, workers: usize) -> String {
    let mut report = String::new();
    for (word, times) in count.top() {
        writeln!(report, "{times:>10}  {word}").expect("a String takes all that is written to it");
    }
    let megabytes = count.bytes as f64 / 1e6;
    writeln!(
        report,
        "{} files, {} words, {megabytes:.2} MB in {seconds:.3} s: {:.1} MB/s with {workers} workers",
        count.files,
        count.total_words(),
        megabytes / seconds,
    )
    .expect("a String takes all that is written to it");
    report
}
