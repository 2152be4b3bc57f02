//! Locks, events, queues and pipes between processes, beside those of Python's multiprocessing where
//! there is a `python3`.
#![forbid(unsafe_code)]

use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ppool::{
    process::Process,
    sync::{Connection, Event, Lock, Queue, pipe},
    task,
};

#[task]
fn answer_events(there: Event, back: Event, times: u64) {
    for _ in 0..times {
        there.wait();
        there.clear();
        back.set();
    }
}

#[task]
fn produce(queue: Queue<u64>, times: u64) {
    for n in 0..times {
        queue.put(n).expect("it is open");
    }
}

#[task]
fn echo(there: Queue<u64>, back: Queue<u64>, times: u64) {
    for n in there.iter().take(usize::try_from(times).expect("few")) {
        back.put(n).expect("it is open");
    }
}

#[task]
fn echo_pipe(end: Connection<u64>, times: u64) {
    for n in end.iter().take(usize::try_from(times).expect("few")) {
        end.send(n).expect("the other end is there");
    }
}

fn lock(times: u64) -> Duration {
    let lock = Lock::new();
    let start = Instant::now();
    for _ in 0..times {
        drop(lock.lock());
    }
    start.elapsed()
}

fn event(times: u64) -> Duration {
    let event = Event::new();
    let start = Instant::now();
    for _ in 0..times {
        event.set();
        event.clear();
    }
    start.elapsed()
}

/// How long `round` takes so often, once the other process has done the first.
fn rounds(process: &Process, times: u64, mut round: impl FnMut(u64)) -> Duration {
    round(0);
    let start = Instant::now();
    (0..times).for_each(round);
    let elapsed = start.elapsed();
    process.join().expect("it ends");
    elapsed
}

fn event_round_trip(times: u64) -> Duration {
    let (there, back) = (Event::new(), Event::new());
    let process = Process::spawn(answer_events, (&there, &back, times + 1)).expect("a process");
    rounds(&process, times, |_| {
        there.set();
        back.wait();
        back.clear();
    })
}

fn queue(times: u64) -> Duration {
    let queue = Queue::new();
    let process = Process::spawn(produce, (&queue, times + 1)).expect("a process");
    rounds(&process, times, |_| assert!(queue.get().is_ok()))
}

fn queue_round_trip(times: u64) -> Duration {
    let (there, back) = (Queue::new(), Queue::new());
    let process = Process::spawn(echo, (&there, &back, times + 1)).expect("a process");
    rounds(&process, times, |n| {
        there.put(n).expect("it is open");
        back.get().expect("it is open");
    })
}

fn pipe_round_trip(times: u64) -> Duration {
    let (here, there) = pipe();
    let process = Process::spawn(echo_pipe, (there, times + 1)).expect("a process");
    rounds(&process, times, |n| {
        here.send(n).expect("the other end is there");
        here.recv().expect("the other end is there");
    })
}

/// The same in Python.
struct Peer {
    python: Child,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// None where there is no Python.
    fn start() -> Option<Self> {
        let mut python = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/sync_peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let answers = BufReader::new(python.stdout.take()?);
        Some(Peer { python, answers })
    }

    fn measure(&mut self, name: &str, times: u64) -> Duration {
        let input = self.python.stdin.as_mut().expect("it is piped");
        writeln!(input, "{name} {times}").expect("it reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        let seconds: f64 = answer.trim().parse().expect("a number");
        Duration::from_secs_f64(seconds)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input is its end.
        drop(self.python.stdin.take());
        let _ = self.python.wait();
    }
}

/// How long something takes, so often.
type Measure = fn(u64) -> Duration;

fn all(c: &mut Criterion) {
    let ours: [(&str, Measure); 6] = [
        ("lock", lock),
        ("event", event),
        ("event_round_trip", event_round_trip),
        ("queue", queue),
        ("queue_round_trip", queue_round_trip),
        ("pipe_round_trip", pipe_round_trip),
    ];
    let peer = RefCell::new(Peer::start());
    for (name, measure) in ours {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1)).sample_size(10);
        group.bench_function("ppool", |b| b.iter_custom(measure));
        if let Some(peer) = &mut *peer.borrow_mut() {
            group.bench_function("multiprocessing", |b| {
                b.iter_custom(|times| peer.measure(name, times));
            });
        }
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
