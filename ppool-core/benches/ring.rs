//! What a call costs on its way through a link, in nanoseconds: the ring and the socket, within one
//! thread and between two processes.
//!
//! `cargo bench -p ppool-core --bench ring`

use std::{
    env,
    io::{self, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use ppool_core::{
    codec::{Encoder, Payload, SharedPayload},
    ids::{Generation, Slot, WorkId, WorkerId},
    link::{
        Link, WorkerLink,
        ring::{RingCalls, RingLink, RingResults, attach},
        socket::{SocketLink, WorkerSocket},
    },
    output::Output,
    sys::epoll::{Events, Interest, Poller},
    task::TaskKey,
    wire::{Boot, CallItem, FromWorker, ToWorker, WorkerLimits},
};

/// Set in the process that plays the worker.
const WORKER: &str = "PPOOL_BENCH_WORKER";

fn main() -> io::Result<()> {
    if env::var_os(WORKER).is_some() {
        return work();
    }
    if !env::args().any(|argument| argument == "--bench") {
        // `cargo test` only wants to see that it runs.
        return Ok(());
    }
    within_one_thread()?;
    for micros in [0, 1_000] {
        between_processes(Duration::from_micros(micros))?;
    }
    over_the_socket()
}

/// Answers each call with its arguments.
fn work() -> io::Result<()> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let socket = Arc::new(WorkerSocket::new(socket));
    let Some(ToWorker::Boot(_)) = socket.recv()? else {
        return Ok(());
    };
    let Some(region) = socket.take_descriptors().pop() else {
        while let Some(ToWorker::Call { item, payload }) = socket.recv()? {
            socket.send_value(item.work_id, item.attempt, 0, &payload, Vec::new())?;
        }
        return Ok(());
    };
    let (mut calls, mut results, control) = attach(region, socket.clone())?;
    socket.send(&FromWorker::Ready)?;
    std::thread::spawn(move || {
        while let Ok(Some(_)) = socket.recv() {}
        control.end();
    });
    let mut value = Encoder::new();
    while answer(&mut calls, &mut results, &mut value)? {}
    Ok(())
}

fn answer(
    calls: &mut RingCalls,
    results: &mut RingResults,
    value: &mut Encoder,
) -> io::Result<bool> {
    let Some(call) = calls.next()? else {
        return Ok(false);
    };
    let item = call.item();
    value.clear(usize::MAX);
    let bytes = match item.count {
        1 => calls.arguments(&call),
        _ => &[7; 8],
    };
    value
        .put(bytes)
        .map_err(|error| io::Error::other(error.to_string()))?;
    if item.count == 1 {
        results.value(item.work_id, item.attempt, 0, value)?;
    } else {
        while let Some(items) = calls.claim_items(&call, 512) {
            for index in items {
                results.add_value(item.work_id, item.attempt, index, value)?;
            }
        }
    }
    calls.release(call, 0);
    results.publish()?;
    Ok(true)
}

fn within_one_thread() -> io::Result<()> {
    let (mut link, worker) = new_link()?;
    link.send_boot(&boot(), Vec::new())?;
    let socket = Arc::new(WorkerSocket::new(worker));
    socket.recv()?;
    let region = socket
        .take_descriptors()
        .pop()
        .ok_or(io::ErrorKind::NotFound)?;
    let (mut calls, mut results, _control) = attach(region, socket.clone())?;
    let mut value = Encoder::new();
    // The worker says that it is ready before its first result.
    socket.send(&FromWorker::Ready)?;
    let mut up = Vec::new();
    link.drive(&mut up).map(drop)?;

    let payload = SharedPayload::from(Payload::from(vec![1; 8]));
    report("one thread: call and result of 8 B", 1, 5_000, |_| {
        link.send_call(call(1, 1), payload.clone())?;
        answer(&mut calls, &mut results, &mut value)?;
        up.clear();
        link.take_results(&mut up)
    })?;
    let payload = SharedPayload::from(Payload::from(vec![1; 4096]));
    report("one thread: call and result of 4 KiB", 1, 1_000, |_| {
        link.send_call(call(1, 1), payload.clone())?;
        answer(&mut calls, &mut results, &mut value)?;
        up.clear();
        link.take_results(&mut up)
    })?;
    let payload = SharedPayload::default();
    report("one thread: an item of a chunk of 1024", 1024, 10, |_| {
        link.send_call(call(1, 1024), payload.clone())?;
        answer(&mut calls, &mut results, &mut value)?;
        up.clear();
        link.take_results(&mut up)
    })
}

fn between_processes(spin: Duration) -> io::Result<()> {
    let (mut link, worker) = new_link()?;
    link.set_spin(spin);
    let mut child = start(worker)?;
    link.send_boot(&boot(), Vec::new())?;
    let mut up = Vec::new();
    while up.is_empty() {
        link.drive(&mut up).map(drop)?;
    }
    up.clear();
    let payload = SharedPayload::from(Payload::from(vec![1; 8]));
    let name = format!("two processes, worker spins {spin:?}: ");
    report(&format!("{name}round trip, parent spins"), 1, 300, |_| {
        link.send_call(call(1, 1), payload.clone())?;
        spin_for(&mut link, &mut up, 1)
    })?;
    report(&format!("{name}of 16 in flight"), 16, 100, |_| {
        for id in 0..16 {
            link.send_call(call(id, 1), payload.clone())?;
        }
        spin_for(&mut link, &mut up, 16)
    })?;
    let empty = SharedPayload::default();
    report(&format!("{name}item of a chunk of 4096"), 4096, 2, |_| {
        link.send_call(call(1, 4096), empty.clone())?;
        spin_for(&mut link, &mut up, 1)?;
        while link.started(WorkId(1)).is_some() {
            link.take_results(&mut up)?;
        }
        up.clear();
        Ok(())
    })?;
    let poller = Poller::new()?;
    poller.add(&link, 0, Interest::READ)?;
    let mut events = Events::with_capacity(1);
    report(&format!("{name}round trip, parent sleeps"), 1, 100, |_| {
        link.send_call(call(1, 1), payload.clone())?;
        while up.is_empty() {
            if link.prepare_sleep() {
                poller.wait(&mut events, None)?;
            }
            link.wake_up();
            link.drive(&mut up).map(drop)?;
        }
        up.clear();
        Ok(())
    })?;
    drop(link);
    child.wait().map(drop)
}

fn over_the_socket() -> io::Result<()> {
    let (parent, worker) = UnixStream::pair()?;
    let mut link = SocketLink::new(parent.into())?;
    let mut child = start(worker.into())?;
    link.send_boot(&boot(), Vec::new())?;
    let mut up = Vec::new();
    let payload = SharedPayload::from(Payload::from(vec![1; 8]));
    report(
        "two processes, socket: round trip, parent spins",
        1,
        100,
        |_| {
            link.send_call(call(1, 1), payload.clone())?;
            while up.is_empty() {
                link.drive(&mut up).map(drop)?;
            }
            up.clear();
            Ok(())
        },
    )?;
    drop(link);
    child.wait().map(drop)
}

fn spin_for(link: &mut RingLink, up: &mut Vec<FromWorker>, count: usize) -> io::Result<()> {
    while up.len() < count {
        link.take_results(up)?;
        std::hint::spin_loop();
    }
    up.clear();
    Ok(())
}

fn new_link() -> io::Result<(RingLink, OwnedFd)> {
    let (parent, worker) = UnixStream::pair()?;
    Ok((RingLink::new(parent.into())?, worker.into()))
}

fn start(socket: OwnedFd) -> io::Result<std::process::Child> {
    Command::new(env::current_exe()?)
        .env(WORKER, "1")
        .stdin(Stdio::from(socket))
        .spawn()
}

/// Prints the median of several batches, per call.
fn report(
    name: &str,
    calls: u32,
    rounds: u32,
    mut round: impl FnMut(u32) -> io::Result<()>,
) -> io::Result<()> {
    let mut batches = Vec::new();
    for _ in 0..201 {
        let begun = Instant::now();
        for at in 0..rounds {
            round(at)?;
        }
        batches.push(begun.elapsed().as_nanos() / u128::from(rounds * calls));
    }
    batches.sort_unstable();
    let [best, quarter, median] = [0, 4, 2].map(|part| match part {
        0 => batches[0],
        part => batches[batches.len() / part],
    });
    writeln!(
        io::stdout(),
        "{name:60} {median:7} ns (best {best}, best quarter {quarter})"
    )
}

fn call(id: u64, count: u32) -> CallItem {
    CallItem {
        work_id: WorkId(id),
        attempt: 0,
        task: TaskKey(7),
        count,
    }
}

fn boot() -> Boot {
    Boot {
        pool: "bench".to_string(),
        worker: WorkerId {
            slot: Slot(0),
            generation: Generation(0),
        },
        preload: None,
        initializer: None,
        finalizer: None,
        current_dir: None,
        parent_pid: std::process::id(),
        output: Output::Inherit,
        limits: WorkerLimits::default(),
    }
}
