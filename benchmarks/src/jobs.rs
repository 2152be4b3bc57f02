//! The functions that the workloads call. Each is a task of ppool; the other contenders call the
//! same function by its pointer.

use std::{
    io::{self, Read, Write},
    ops::Deref,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixStream},
    },
    process,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, raise},
    time::{ClockId, clock_gettime},
};
use ppool::{Task, task};
use serde::{Serialize, de::DeserializeOwned};

/// What can be an argument or a result for every contender.
pub trait Value: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Value for T {}

/// One of the functions below: a task, and a plain function.
pub trait Job<A, R>: Task<Args = (A,), Output = R> + Deref<Target = fn(A) -> R> {}

impl<J, A, R> Job<A, R> for J where J: Task<Args = (A,), Output = R> + Deref<Target = fn(A) -> R> {}

/// A call that does nothing: it gives back what it was given, so that it can be checked.
#[task]
pub fn same(n: u64) -> u64 {
    n
}

/// What the maps do with each item.
#[task]
pub fn square(n: u64) -> u64 {
    n.wrapping_mul(n)
}

/// A chunk of a map, for contenders whose users make chunks by hand.
#[task]
pub fn square_chunk(chunk: Vec<u64>) -> Vec<u64> {
    chunk.into_iter().map(|n| n.wrapping_mul(n)).collect()
}

/// Reads one byte of each page: the bytes have to be there, and reading them takes little time.
#[task]
pub fn take_bytes(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .step_by(4096)
        .map(|byte| u64::from(*byte))
        .sum()
}

/// Gives back what it was given.
#[task]
pub fn echo_bytes(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

/// Connects to the gate of this name, says which process this is, and waits until it opens.
#[task]
pub fn hold(gate: String) -> u32 {
    let pid = process::id();
    let wait = || -> io::Result<()> {
        let address = SocketAddr::from_abstract_name(&gate)?;
        let mut stream = UnixStream::connect_addr(&address)?;
        stream.write_all(&pid.to_le_bytes())?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    };
    wait().map_or(0, |()| pid)
}

/// Computes until it has used this much CPU time of its thread, in microseconds. (By the thread's
/// own clock, so that what else runs on the machine doesn't make the work longer.)
#[task]
pub fn compute(micros: u64) -> u64 {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let used = || clock_gettime(clock).map_or(Duration::MAX, Duration::from);
    let end = used().saturating_add(Duration::from_micros(micros));
    let mut n = micros;
    while used() < end {
        for _ in 0..10_000 {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        }
    }
    std::hint::black_box(n);
    micros
}

/// The calls of the crash workload: the 11th of each 20 kills the process that runs it.
#[task]
pub fn crash_at_times(n: u64) -> u64 {
    if n % 20 == 10 {
        // What is left is to wait for the end: nothing survives SIGKILL.
        let _ = raise(Signal::SIGKILL);
        loop {
            std::thread::park();
        }
    }
    n
}
