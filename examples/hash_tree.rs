//! `hash_tree PATH..`: the SHA-256 of all files below these paths, as `sha256sum` prints them.
//!
//! It shows its progress on a terminal, names what it could not read, and can be interrupted: at the
//! first Ctrl-C the files that are being read are finished and the rest is left out; at the second
//! the program ends at once. Workers don't hear Ctrl-C; what it means is decided here.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    ffi::OsString,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use indicatif::{ProgressBar, ProgressStyle};
use ppool::{Pool, RemoteError, Shutdown, task};
use sha2::{Digest as _, Sha256};
use signal_hook::{
    consts::SIGINT,
    flag,
    iterator::{Handle, Signals},
};

/// How programs end that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// Hashes a file: the hash, and how many bytes it has. (A path may be any bytes, and serde refuses a
/// `PathBuf` that is not UTF-8; an `OsString` can always travel.)
#[task]
fn hash_file(path: OsString) -> Result<(String, u64), RemoteError> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            let hash = hasher.finalize();
            let digits = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            return Ok((digits, bytes));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// What the walk found.
#[derive(Default)]
struct Files {
    paths: Vec<PathBuf>,
    bytes: u64,
    problems: Vec<String>,
}

impl Files {
    fn below(roots: impl Iterator<Item = PathBuf>) -> Files {
        let mut files = Files::default();
        for root in roots {
            // A path that was asked for is read, whatever it is, and followed when it is a link.
            match fs::metadata(&root) {
                Ok(meta) if meta.is_dir() => files.walk(&root),
                Ok(meta) => files.push(root, meta.len()),
                Err(error) => files.problem(&root, &error),
            }
        }
        files.paths.sort();
        files
    }

    fn walk(&mut self, directory: &Path) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => return self.problem(directory, &error),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => self.walk(&path),
                Ok(meta) if meta.is_file() => self.push(path, meta.len()),
                Ok(_) => {}
                Err(error) => self.problem(&path, &error),
            }
        }
    }

    fn push(&mut self, path: PathBuf, bytes: u64) {
        self.paths.push(path);
        self.bytes += bytes;
    }

    fn problem(&mut self, path: &Path, error: &dyn Error) {
        self.problems.push(format!("{}: {error}", path.display()));
    }
}

/// Hashes the files and prints the hashes. Whether all went well.
fn print_hashes(pool: &Pool, files: Files, interrupted: &AtomicBool) -> io::Result<bool> {
    let style = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(style).expect("the template is a good one");
    let bar = ProgressBar::new(files.bytes).with_style(style);
    let mut problems = files.problems;
    let mut left_out = 0;
    let paths = files.paths.iter().map(|path| (OsString::from(path),));
    let mut hashes = pool.imap(hash_file, paths);
    for path in &files.paths {
        match hashes.next() {
            Some(Ok(Ok((hash, bytes)))) => {
                bar.suspend(|| writeln!(io::stdout(), "{hash}  {}", path.display()))?;
                bar.inc(bytes);
            }
            Some(Ok(Err(error))) => problems.push(format!("{}: {error:#}", path.display())),
            // Cancelled, or not even submitted, because the pool is closed.
            Some(Err(_)) | None if interrupted.load(Ordering::SeqCst) => left_out += 1,
            Some(Err(error)) => problems.push(format!("{}: {error}", path.display())),
            None => break,
        }
    }
    bar.finish_and_clear();
    for problem in &problems {
        writeln!(io::stderr(), "hash_tree: {problem}")?;
    }
    if left_out > 0 {
        writeln!(
            io::stderr(),
            "hash_tree: interrupted, {left_out} files left out"
        )?;
    }
    Ok(problems.is_empty())
}

/// At the first Ctrl-C, says so and has the pool finish what it runs. Waits for that on a thread of
/// its own.
fn stop_when_interrupted(mut signals: Signals, pool: &Pool) {
    if signals.forever().next().is_some() {
        let message = "hash_tree: finishing what is being read; Ctrl-C again ends at once";
        // There may be no terminal any more.
        let _ = writeln!(io::stderr(), "{message}");
        pool.shutdown(Shutdown::CancelPending);
    }
}

/// Lets the thread that waits for signals end, however this ends.
struct Ends(Handle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    // In this order: the second signal finds that there was a first.
    flag::register_conditional_shutdown(SIGINT, INTERRUPTED.into(), Arc::clone(&interrupted))?;
    flag::register(SIGINT, Arc::clone(&interrupted))?;
    let signals = Signals::new([SIGINT])?;

    let files = Files::below(std::env::args_os().skip(1).map(PathBuf::from));
    let pool = Pool::new();
    let all_well = thread::scope(|scope| {
        let _ends = Ends(signals.handle());
        scope.spawn(|| stop_when_interrupted(signals, &pool));
        print_hashes(&pool, files, &interrupted)
    })?;
    Ok(match (interrupted.load(Ordering::SeqCst), all_well) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}
