//! Files by which tests and tasks tell each other where they are.
//!
//! They outlive the process that writes them, so they also tell of tasks whose worker was killed.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use serde::{Deserialize, Serialize};

use super::until;

/// A directory of one test; it goes when the test ends.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a directory for the test");
        Scratch(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn flag(&self, name: &str) -> Flag {
        Flag(self.path(name))
    }

    pub(crate) fn tally(&self, name: &str) -> Tally {
        Tally(self.path(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Something that has happened, once it is up. It can be passed to a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Flag(PathBuf);

impl Flag {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Flag(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn raise(&self) {
        File::create(&self.0).expect("the test's directory can be written");
    }

    pub(crate) fn is_up(&self) -> bool {
        self.0.exists()
    }

    pub(crate) fn wait(&self) {
        until(|| self.is_up());
    }
}

/// Sets a switch when it goes, also by a panic: so that a thread that works until then ends.
pub(crate) struct Raise<'a>(pub(crate) &'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// How often something has happened, in whatever process. It can be passed to a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tally(PathBuf);

impl Tally {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Tally(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn add(&self) {
        self.note("+");
    }

    /// Counts one, and says what it was.
    pub(crate) fn note(&self, what: &str) {
        // One write at the end of the file: the kernel lets no other come between.
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.0)
            .and_then(|mut file| file.write_all(format!("{what}\n").as_bytes()))
            .expect("the test's directory can be written");
    }

    pub(crate) fn count(&self) -> usize {
        self.notes().len()
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
