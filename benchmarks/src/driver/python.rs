//! Python's pools: which of them this machine has.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::Failure;

/// A Python interpreter, and where packages are that it lacks.
#[derive(Debug)]
pub(super) struct Python {
    program: PathBuf,
    version: String,
    packages: PathBuf,
}

impl Python {
    /// The interpreter called `python3`. An error says why there is none.
    pub(super) fn find() -> Result<Python, Failure> {
        let own = env::current_exe()?;
        let folder = own.parent().unwrap_or(Path::new("."));
        let mut python = Python {
            program: "python3".into(),
            version: String::new(),
            packages: folder.join("python-packages"),
        };
        let script = "import sys; print(sys.version.split()[0]); print(sys.executable)";
        let said = python.run(script).ok_or("there is no python3")?;
        let (version, program) = said
            .split_once('\n')
            .ok_or("python3 doesn't say its version")?;
        python.version = version.to_owned();
        // What `python3` names may be a script that takes time to find the real one.
        if Path::new(program).is_file() {
            python.program = program.into();
        }
        Ok(python)
    }

    /// Its version.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Makes sure that a package (`name==version`) can be imported; may `install` it when it can't.
    pub(super) fn require(&self, package: &str, install: bool) -> Result<(), Failure> {
        let (name, _) = package.split_once("==").unwrap_or((package, ""));
        let is_there = || self.run(&format!("import {name}")).is_some();
        if is_there() {
            return Ok(());
        }
        if !install {
            return Err(format!("python3 has no {name}, which a full run installs").into());
        }
        // A failure of pip shows in that the package still isn't there.
        let _ = self
            .command()
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .arg("--target")
            .arg(&self.packages)
            .arg(package)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match is_there() {
            true => Ok(()),
            false => Err(format!("python3 has no {name} and pip can't get it").into()),
        }
    }

    /// What a script prints; `None` when it fails.
    fn run(&self, script: &str) -> Option<String> {
        let output = self.command().args(["-c", script]).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    /// The interpreter, not yet started.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("PYTHONPATH", &self.packages)
            // No files beside the sources.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}
