//! Who takes part: the contenders that were asked for, and whether they can run here.

use std::{env, path::PathBuf, process::Command};

use super::{Options, python::Python};
use crate::{
    Failure,
    about::About,
    contenders::{Entry, Kind, MACHINE, contenders},
    limits,
    workloads::workloads,
};

/// The variables that change what a whole program has of ppool.
const CHOICES: [&str; 2] = ["PPOOL_LINK", "PPOOL_START"];

/// A contender and what stands in its way, if anything does.
#[derive(Debug)]
pub struct Player {
    /// The contender.
    pub entry: &'static Entry,
    /// Why it can't run here.
    pub missing: Option<String>,
}

/// The programs that take samples, the contenders, the workloads.
#[derive(Debug)]
pub struct Roster {
    /// The contenders that were asked for.
    pub players: Vec<Player>,
    /// The workloads that were asked for.
    pub workloads: Vec<&'static About>,
    /// Whether the machine's limits are measured too.
    pub with_limits: bool,
    /// The version of Python, when there is one.
    pub python_version: Option<String>,
    measure: PathBuf,
    python: Option<Python>,
}

impl Roster {
    /// Finds out who can run.
    ///
    /// # Errors
    /// When a name is unknown, or the program that takes the samples was not built.
    pub fn call(options: &Options) -> Result<Self, Failure> {
        let measure = env::current_exe()?.with_file_name("measure");
        if !measure.exists() {
            return Err("`measure` is not beside this program: `cargo build` makes both".into());
        }
        let python = Python::find();
        let entries = chosen(contenders().iter().collect(), &options.contenders, |e| {
            e.name
        })?;
        let player = |entry: &'static Entry| {
            let missing = match (entry.kind, &python) {
                (Kind::Rust | Kind::RustWith(..), _) => None,
                (Kind::Python(_), Err(error)) => Some(error.to_string()),
                (Kind::Python(packages), Ok(python)) => packages
                    .iter()
                    .find_map(|package| python.require(package, !options.quick).err())
                    .map(|error| error.to_string()),
            };
            Player { entry, missing }
        };
        let players = entries.into_iter().map(player).collect();
        let mut all = workloads().to_vec();
        all.push(&limits::ABOUT);
        let mut chosen = chosen(all, &options.only, |about| about.name)?;
        let before = chosen.len();
        chosen.retain(|about| about.name != limits::ABOUT.name);
        let python = python.ok();
        Ok(Roster {
            players,
            with_limits: chosen.len() < before,
            workloads: chosen,
            python_version: python.as_ref().map(|python| python.version().to_owned()),
            measure,
            python,
        })
    }

    /// The process that takes a sample.
    pub(super) fn command(&self, about: &About, entry: &Entry, options: &Options) -> Command {
        let mut command = match (entry.kind, &self.python) {
            (Kind::Python(_), Some(python)) => {
                let mut command = python.command();
                command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/measure.py"));
                command
            }
            _ => Command::new(&self.measure),
        };
        // The default is what is measured as `ppool`.
        for variable in CHOICES {
            command.env_remove(variable);
        }
        if let Kind::RustWith(variable, value) = entry.kind {
            command.env(variable, value);
        }
        let workers = options.workers.to_string();
        let size = if options.quick { "quick" } else { "full" };
        command.args([about.name, entry.name, &workers, size]);
        command
    }

    /// The process that measures the machine's limits.
    pub(super) fn limits_command(&self, options: &Options) -> Command {
        let mut command = Command::new(&self.measure);
        let workers = options.workers.to_string();
        let size = if options.quick { "quick" } else { "full" };
        command.args([limits::ABOUT.name, MACHINE, &workers, size]);
        command
    }
}

/// Those of `all` whose names are among `names`; all of them when no name is given.
fn chosen<T: Copy>(
    all: Vec<T>,
    names: &[String],
    name_of: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, Failure> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !all.iter().any(|one| name_of(*one) == **name))
    {
        let known: Vec<_> = all.into_iter().map(name_of).collect();
        return Err(format!("there is no `{unknown}`; there are: {}", known.join(", ")).into());
    }
    let is_chosen = |one: &T| names.is_empty() || names.iter().any(|name| name == name_of(*one));
    Ok(all.into_iter().filter(is_chosen).collect())
}
