//! A service: requests come in, a bounded queue holds them, callbacks take what comes out.
//!
//! It is the loop of an agent in DIRAC, whose ProcessPool this pool learned from: queue what there
//! is, be told when the queue is full, go on with other things while workers work, and end in an
//! orderly way, within a time.
//!
//! `elastic_service [FILE]` reads requests, one a line: `factor N`, or `crash`, `panic` and `hang`
//! for a bad day.
#![forbid(unsafe_code)]

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::{self, Write as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ppool::{Call, Pool, SubmitError, task};

const REQUESTS: &str = "\
factor 600851475143
factor 9007199254740993
crash
factor 1000000007
hang
panic
factor 2305843009213693951
factor 65536
factor 4294967297
bake a cake";

/// Runs in a worker: whatever a request does there, the service lives on.
#[task(timeout = "2s")]
fn serve(request: &str) -> Result<String, String> {
    match request.split_whitespace().collect::<Vec<_>>()[..] {
        ["factor", number] => {
            let number = number
                .parse()
                .map_err(|error| format!("{number}: {error}"))?;
            let factors: Vec<_> = factors(number).iter().map(u64::to_string).collect();
            Ok(format!("{number} = {}", factors.join(" * ")))
        }
        ["crash"] => std::process::abort(),
        ["panic"] => panic!("a request that panics"),
        ["hang"] => loop {
            std::thread::park();
        },
        _ => Err("there is no such request".to_owned()),
    }
}

fn factors(mut number: u64) -> Vec<u64> {
    let mut factors = Vec::new();
    let mut divisor = 2;
    while divisor <= number / divisor {
        while number.is_multiple_of(divisor) {
            factors.push(divisor);
            number /= divisor;
        }
        divisor += if divisor == 2 { 1 } else { 2 };
    }
    if number > 1 || factors.is_empty() {
        factors.push(number);
    }
    factors
}

/// What the callbacks write down.
#[derive(Default)]
struct Ledger {
    entries: Mutex<BTreeMap<usize, String>>,
    answered: AtomicUsize,
    failed: AtomicUsize,
}

impl Ledger {
    fn note(&self, request: usize, entry: String) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.insert(request, entry);
    }

    /// The call of one request, with callbacks that know which it is.
    fn call(self: &Arc<Self>, number: usize, request: &str) -> Call<serve, String> {
        let (answers, errors) = (Arc::clone(self), Arc::clone(self));
        Call::new(serve, request.to_owned())
            .callback(move |answer| {
                let (Ok(text) | Err(text)) = answer;
                answers.note(number, text.clone());
            })
            .exception_callback(move |error| errors.note(number, format!("failed: {error}")))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let requests = match std::env::args_os().nth(1) {
        Some(file) => fs::read_to_string(file)?,
        None => REQUESTS.to_owned(),
    };
    let ledger = Arc::new(Ledger::default());
    let (answered, failed) = (Arc::clone(&ledger), Arc::clone(&ledger));
    let pool = Pool::builder()
        .name("service")
        .workers(2)
        .queue_capacity(3)
        .grace(Duration::from_millis(200))
        // The pool's own callbacks see every call, after the call's own.
        .callback(move |_| {
            answered.answered.fetch_add(1, Ordering::Relaxed);
        })
        .exception_callback(move |_| {
            failed.failed.fetch_add(1, Ordering::Relaxed);
        })
        .build()?;

    let mut refused = 0;
    let requests: Vec<&str> = requests.lines().collect();
    for (number, request) in requests.iter().enumerate() {
        let call = ledger.call(number, request);
        match pool.try_queue(call) {
            // Callbacks take the result: nobody needs the future.
            Ok(future) => drop(future),
            Err(SubmitError::Full(call)) => {
                // Where there is something better to do than to wait, do it, and try again later.
                refused += 1;
                drop(pool.queue(call));
            }
            Err(error) => return Err(error.to_string().into()),
        }
    }
    let end = pool.finalize(Duration::from_secs(60));

    let mut out = io::stdout().lock();
    let entries = ledger
        .entries
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    for (number, entry) in entries.iter() {
        writeln!(out, "{:>2} {}: {entry}", number + 1, requests[*number])?;
    }
    writeln!(
        out,
        "{} answered, {} failed, {} given up",
        ledger.answered.load(Ordering::Relaxed),
        ledger.failed.load(Ordering::Relaxed),
        end.lost.len()
    )?;
    writeln!(
        io::stderr(),
        "the queue was full {refused} times; workers at the end: {} left, {} terminated, {} killed",
        end.left,
        end.terminated,
        end.killed
    )?;
    Ok(())
}
