//! Takes one sample: `measure WORKLOAD CONTENDER WORKERS full|quick`. The driver starts it, answers
//! what it asks, and collects the figures; see `bench.rs` for what they say to each other.

use std::{env, process::ExitCode};

use ppool_benchmarks::{
    Failure,
    bench::{self, Bench},
    contenders::{Crossbeam, MACHINE, Ppool, Procspawn, Rayon},
    limits, workloads,
};

fn main() -> ExitCode {
    // Workers of procspawn never get past this line, and those of ppool don't get here.
    procspawn::init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| first == limits::NOTHING)
    {
        return ExitCode::SUCCESS;
    }
    match sample(&arguments).and_then(|()| bench::end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the driver shows the last line")]
            {
                eprintln!("{error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn sample(arguments: &[String]) -> Result<(), Failure> {
    let [workload, contender, workers, size] = arguments else {
        return Err("usage: measure WORKLOAD CONTENDER WORKERS full|quick".into());
    };
    let bench = &mut Bench {
        workers: workers.parse()?,
        quick: size == "quick",
    };
    match contender.as_str() {
        MACHINE => limits::measure(bench),
        "ppool" | "ppool_socket" | "ppool_template" => workloads::measure::<Ppool>(workload, bench),
        "rayon" => workloads::measure::<Rayon>(workload, bench),
        "crossbeam" => workloads::measure::<Crossbeam>(workload, bench),
        "procspawn" => workloads::measure::<Procspawn>(workload, bench),
        _ => Err(format!("there is no contender `{contender}`").into()),
    }
}
