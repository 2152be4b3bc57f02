//! The command line.

use std::{path::PathBuf, thread};

use crate::Failure;

/// What the driver is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Tiny sizes and one round, to see that all of it works.
    pub quick: bool,
    /// How many samples are taken of each workload and contender.
    pub rounds: usize,
    /// The size of the pools.
    pub workers: usize,
    /// Only these workloads; empty: all.
    pub only: Vec<String>,
    /// Only these contenders; empty: all.
    pub contenders: Vec<String>,
    /// The folder whose `performance.md` and `performance.svg` are written.
    pub save: Option<PathBuf>,
    /// A file for every sample, as tab-separated values.
    pub samples: Option<PathBuf>,
    /// Fail when a sample that should give a figure gives none.
    pub strict: bool,
    /// List workloads and contenders, and do nothing.
    pub list: bool,
    /// Show how the program is used, and do nothing.
    pub help: bool,
}

/// How the program is used.
pub const USAGE: &str = "\
usage: ppool-benchmarks [OPTION]..
  --quick             tiny sizes, one round: shows that everything works, not how fast
  --rounds N          samples of each workload and contender (default: 5)
  --workers N         workers of each pool (default: one for each available CPU)
  --only WORKLOAD     only this workload; may be repeated
  --contender NAME    only this contender; may be repeated
  --save FOLDER       write performance.md (between its markers) and performance.svg there
  --samples FILE      write every sample as a line of tab-separated values
  --strict            fail when a sample that should give a figure gives none
  --list              the names of workloads and contenders
";

impl Options {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// When one is unknown, or lacks its value.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Options {
            quick: false,
            rounds: 0,
            workers: thread::available_parallelism().map_or(1, usize::from),
            only: Vec::new(),
            contenders: Vec::new(),
            save: None,
            samples: None,
            strict: false,
            list: false,
            help: false,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--strict" => options.strict = true,
                "--list" => options.list = true,
                "--help" | "-h" => options.help = true,
                "--rounds" => options.rounds = value()?.parse()?,
                "--workers" => options.workers = value()?.parse::<usize>()?.max(1),
                "--only" => options.only.push(value()?),
                "--contender" => options.contenders.push(value()?),
                "--save" => options.save = Some(value()?.into()),
                "--samples" => options.samples = Some(value()?.into()),
                _ => return Err(format!("there is no option {argument}\n{USAGE}").into()),
            }
        }
        if options.save.is_some() && !(options.only.is_empty() && options.contenders.is_empty()) {
            return Err("a part of a run is not saved: it would replace a whole one".into());
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 1 } else { 5 };
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Failure> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read_and_unknown_ones_refused() -> Result<(), Failure> {
        let options = parse("--quick --only map --only idle --workers 3")?;
        assert!(options.quick);
        assert_eq!(options.rounds, 1);
        assert_eq!(options.only, ["map", "idle"]);
        assert_eq!(options.workers, 3);
        assert!(parse("--save docs").is_ok());
        assert!(parse("--save docs --only map").is_err());
        assert!(parse("--fast").is_err());
        assert!(parse("--rounds").is_err());
        assert!(parse("--rounds many").is_err());
        Ok(())
    }
}
