//! The machine and the software that a run ran on.

use std::{fs, thread};

use crate::driver::{Options, Roster};

/// Facts that a reader needs to compare figures, a line each.
pub(super) fn facts(options: &Options, roster: &Roster, load_before: &str) -> Vec<String> {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let profile = env!("BUILD_PROFILE");
    let rounds = match options.rounds {
        1 => "one round".to_owned(),
        rounds => format!("medians of {rounds} rounds"),
    };
    let mut facts = vec![
        format!("{cores} CPUs ({}), {}", cpu_model(), memory()),
        format!("Linux {}", kernel()),
        format!("{}, profile {profile}", env!("RUSTC_VERSION")),
        peers(),
        format!(
            "{} workers in each pool (2 and 32 where the row says so); {rounds}",
            options.workers
        ),
    ];
    if let Some(version) = &roster.python_version {
        facts.insert(4, format!("Python {version}"));
    }
    facts.push(format!(
        "load average before the run: {load_before}; after it: {}",
        load()
    ));
    if options.quick {
        facts.push("**a quick run: sizes are tiny, the figures mean nothing**".into());
    }
    facts
}

/// How many threads wanted to run in the last minute, on average.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

fn cpu_model() -> String {
    field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown model".into())
}

fn memory() -> String {
    let total = field("/proc/meminfo", "MemTotal");
    let kilobytes = total.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    match kilobytes {
        Some(kilobytes) => format!("{:.0} GiB of memory", kilobytes / 1024.0 / 1024.0),
        None => "unknown memory".into(),
    }
}

/// Its version, without what its builder added.
fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = release.trim().split(['-', '+']).next();
    version
        .filter(|v| !v.is_empty())
        .unwrap_or("unknown")
        .to_owned()
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let (_, value) = line.split_once(':')?;
    Some(value.trim().to_owned())
}

/// The versions of the peers that are crates.
fn peers() -> String {
    let lock = include_str!("../../Cargo.lock");
    let version = |name: &str| {
        let package = format!("name = \"{name}\"\nversion = \"");
        let (_, rest) = lock.split_once(&package)?;
        let (version, _) = rest.split_once('"')?;
        Some(format!("{name} {version}"))
    };
    let names = ["ppool", "rayon", "crossbeam-channel", "procspawn"];
    let versions: Vec<_> = names.into_iter().filter_map(version).collect();
    versions.join(", ")
}
