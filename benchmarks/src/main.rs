//! `make bench`: runs all workloads over all contenders, prints the report, and saves it.

use std::{
    env, fs,
    io::{self, Write},
    process::ExitCode,
};

use ppool_benchmarks::{
    Failure,
    contenders::contenders,
    driver::{self, Options, Roster, USAGE},
    report,
    workloads::workloads,
};

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done when that fails too.
            let _ = writeln!(io::stderr(), "ppool-benchmarks: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<(), Failure> {
    let options = Options::parse(env::args().skip(1))?;
    let mut out = io::stdout().lock();
    if options.help {
        return Ok(out.write_all(USAGE.as_bytes())?);
    }
    if options.list {
        return list(out);
    }
    let load_before = report::load();
    let roster = Roster::call(&options)?;
    for player in &roster.players {
        if let Some(why) = &player.missing {
            writeln!(out, "left out: {} ({why})", player.entry.title)?;
        }
    }
    let results = driver::run(&options, &roster, io::stderr().lock())?;
    let report = report::write(&options, &roster, &results, &load_before);
    out.write_all(report.text.as_bytes())?;
    if let Some(file) = &options.samples {
        fs::write(file, results.as_lines())?;
    }
    if let Some(folder) = &options.save {
        report::save(folder, &report)?;
    }
    let failures: Vec<_> = results.failures().collect();
    match options.strict && !failures.is_empty() {
        true => Err(failures.join("\n").into()),
        false => Ok(()),
    }
}

fn list(mut out: impl Write) -> Result<(), Failure> {
    writeln!(out, "workloads:")?;
    for about in workloads() {
        writeln!(out, "  {:<16} {}", about.name, about.what)?;
    }
    writeln!(out, "contenders:")?;
    for entry in contenders() {
        writeln!(out, "  {:<16} {}", entry.name, entry.title)?;
    }
    Ok(())
}
