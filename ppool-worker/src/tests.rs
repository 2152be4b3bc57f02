//! Workers that run inside this process, on threads, at the other end of a socket pair.

use std::{
    collections::VecDeque,
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    panic::resume_unwind,
    sync::{Arc, Condvar, Mutex, RwLock},
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ppool_core::{
    RemoteError, RemotePanic,
    codec::{ChunkWriter, CodecError, Encoder, Lane},
    ids::{Generation, Slot, WorkId, WorkerId},
    link::{
        Link, LinkState,
        socket::{SocketLink, WorkerSocket},
    },
    linkme::{self, distributed_slice},
    task::{Invocation, InvokeError, Registry, TASKS, TaskEntry, TaskKey},
    wire::{Boot, BootCall, CallItem, CallOutcome, FromWorker, NO_PARAMETER, PROTOCOL, ResultItem},
};

use crate::boot::{Ending, serve};

macro_rules! tasks {
    ($($name:ident = |$call:ident| $body:block)*) => { $(
        #[distributed_slice(TASKS)]
        #[linkme(crate = linkme)]
        #[expect(non_upper_case_globals, reason = "it is the name of a task")]
        static $name: TaskEntry = TaskEntry::new(
            stringify!($name),
            "fn()",
            concat!(file!(), ":", line!()),
            &["parameter"],
            |$call: &mut Invocation<'_>| -> Result<(), InvokeError> { $body },
            crate::hook,
        );
    )* };
}

tasks! {
    square = |call| {
        let number = call.argument(0, &Lane::<u64>::raw())?;
        call.run();
        call.result(&Lane::raw(), &(number * number))
    }
    nothing = |call| {
        call.run();
        call.result(&Lane::raw(), &())
    }
    fails_at_odd = |call| {
        let number = call.argument(0, &Lane::<u64>::raw())?;
        call.run();
        assert!(number % 2 == 0, "{number} is odd");
        call.result(&Lane::raw(), &number)
    }
    panics_without_text = |call| {
        call.run();
        std::panic::panic_any(7)
    }
    panics_without_the_hook = |call| {
        call.run();
        let _ = std::panic::catch_unwind(|| panic!("another"));
        resume_unwind(Box::new("resumed"))
    }
    panics_with_a_bomb = |call| {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                std::panic::panic_any(Bomb);
            }
        }
        call.run();
        std::panic::panic_any(Bomb)
    }
    panics_while_decoding = |call| {
        call.argument::<String>(0, &Lane::raw())?;
        panic!("no such value")
    }
    panics_while_encoding = |call| {
        call.run();
        call.result(&Lane::cbor(), &Unwilling::Panics)
    }
    does_not_encode = |call| {
        call.run();
        call.result(&Lane::cbor(), &Unwilling::Fails)
    }
    bytes = |call| {
        let len = call.argument(0, &Lane::<u64>::raw())?;
        call.run();
        call.result(&Lane::plain_slice(), &vec![7u8; usize::try_from(len).unwrap()])
    }
    waits = |call| {
        call.run();
        let is_shut = |open: &mut bool| !*open;
        drop(GATE.1.wait_while(GATE.0.lock().unwrap(), is_shut));
        call.result(&Lane::raw(), &())
    }
    counts = |call| {
        call.run();
        let count = crate::with_state(|count: &mut Count| {
            count.0 += 1;
            count.0
        });
        call.result(&Lane::raw(), &count)
    }
    starts = |call| {
        let from = call.argument(0, &Lane::<u64>::raw())?;
        call.run();
        crate::set_state(Count(from));
        call.result(&Lane::raw(), &())
    }
    returns_err = |call| {
        call.run();
        let error = RemoteError::new("no such host").context("could not connect");
        call.result(&Lane::cbor(), &Err::<(), RemoteError>(error))
    }
    ends = |call| {
        let id = call.argument(0, &Lane::<u64>::raw())?;
        call.run();
        ENDED.lock().unwrap().push(id);
        call.result(&Lane::raw(), &())
    }
    tells_its_attempt = |call| {
        call.run();
        let worker = crate::current().expect("a worker runs it");
        call.result(&Lane::raw(), &worker.attempt)
    }
}

/// What `counts` counts.
struct Count(u64);

/// What `ends` was given.
static ENDED: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// What `waits` waits for: to be opened.
static GATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// Held for reading by a test that uses states, for writing while a worker ends, which drops those
/// of the whole process.
pub(crate) static STATES_IN_USE: RwLock<()> = RwLock::new(());

/// A value that doesn't like to be encoded.
#[derive(serde::Deserialize)]
enum Unwilling {
    Panics,
    Fails,
}

impl serde::Serialize for Unwilling {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error, SerializeSeq};

        let mut sequence = to.serialize_seq(Some(2))?;
        sequence.serialize_element(&vec![1; 100])?;
        match self {
            Unwilling::Panics => panic!("not me"),
            Unwilling::Fails => Err(S::Error::custom("not me")),
        }
    }
}

/// The parent of a worker that runs on a thread.
struct Parent {
    link: SocketLink,
    up: VecDeque<FromWorker>,
    worker: JoinHandle<Ending>,
}

impl Parent {
    /// Starts a worker that has not heard of its boot yet.
    fn start() -> Self {
        let (parent, worker) = UnixStream::pair().unwrap();
        let worker = Arc::new(WorkerSocket::new(worker.into()));
        Parent {
            link: SocketLink::new(parent.into()).unwrap(),
            up: VecDeque::new(),
            worker: thread::spawn(|| serve(worker)),
        }
    }

    /// Starts a worker and boots it, up to its first message after the greeting.
    fn boot(boot: &Boot) -> (Self, FromWorker) {
        let mut parent = Parent::start();
        assert!(matches!(parent.next(), FromWorker::Hello(_)));
        parent.link.send_boot(boot).unwrap();
        let next = parent.next();
        (parent, next)
    }

    /// Starts a worker that is ready for calls.
    fn ready() -> Self {
        let (parent, next) = Parent::boot(&boot());
        assert_eq!(next, FromWorker::Ready);
        parent
    }

    fn call(&mut self, id: u64, task: &str, count: u32, payload: Vec<u8>) {
        let item = CallItem {
            work_id: WorkId(id),
            attempt: 5,
            task: TaskKey::of(task),
            count,
        };
        self.link.send_call(item, Arc::new(payload)).unwrap();
    }

    /// Drives the link once, when there is something to do; fails the test when there never is.
    fn drive(&mut self) -> io::Result<LinkState> {
        let mut flags = PollFlags::POLLIN;
        flags.set(PollFlags::POLLOUT, self.link.wants_write());
        let mut fds = [PollFd::new(self.link.as_fd(), flags)];
        let ready = poll(&mut fds, PollTimeout::from(60_000u16)).unwrap();
        assert!(ready > 0, "the worker hangs");
        let mut up = Vec::new();
        let state = self.link.drive(&mut up);
        self.up.extend(up);
        state
    }

    fn next(&mut self) -> FromWorker {
        loop {
            if let Some(message) = self.up.pop_front() {
                return message;
            }
            let state = self.drive().unwrap();
            assert!(state == LinkState::Open || !self.up.is_empty(), "closed");
        }
    }

    /// The next message, which is the result of this item.
    fn result(&mut self, id: u64, index: u32) -> CallOutcome {
        match self.next() {
            FromWorker::Result(result) => {
                let ResultItem {
                    work_id, attempt, ..
                } = result;
                assert_eq!((work_id, attempt, result.index), (WorkId(id), 5, index));
                result.outcome
            }
            other => panic!("a result is expected, not {other:?}"),
        }
    }

    /// Runs one call of one item.
    fn run(&mut self, task: &str, payload: Vec<u8>) -> CallOutcome {
        self.call(1, task, 1, payload);
        self.result(1, 0)
    }

    /// Runs one call whose task panics.
    fn run_to_panic(&mut self, task: &str) -> RemotePanic {
        match self.run(task, Vec::new()) {
            CallOutcome::Panicked(panic) => panic,
            other => panic!("a panic is expected, not {other:?}"),
        }
    }

    /// Tells the worker to end, and sees it end well.
    fn finish(mut self) {
        let _alone = STATES_IN_USE.write().unwrap();
        self.link.send_sentinel().unwrap();
        assert_eq!(self.next(), FromWorker::Bye);
        assert_eq!(self.worker.join().unwrap(), Ending::Finished);
    }
}

fn boot() -> Boot {
    Boot {
        pool: "test".to_string(),
        worker: WorkerId {
            slot: Slot(3),
            generation: Generation(1),
        },
        initializer: None,
        finalizer: None,
        current_dir: None,
        parent_pid: std::process::id(),
    }
}

fn boot_call(task: &str, argument: u64) -> Option<BootCall> {
    Some(BootCall {
        task: TaskKey::of(task),
        payload: number(argument),
    })
}

fn number(number: u64) -> Vec<u8> {
    encoded(|out| Lane::raw().encode(&number, out))
}

fn encoded(encode: impl FnOnce(&mut Encoder) -> Result<(), CodecError>) -> Vec<u8> {
    let mut out = Encoder::new();
    encode(&mut out).unwrap();
    out.into_bytes()
}

#[test]
fn a_worker_greets_runs_calls_and_says_goodbye() {
    let mut parent = Parent::start();
    let FromWorker::Hello(hello) = parent.next() else {
        panic!("a greeting is expected");
    };
    assert_eq!(hello.protocol, PROTOCOL);
    assert_eq!(hello.fingerprint, Registry::get().unwrap().fingerprint());
    assert_eq!(hello.pid, std::process::id());
    parent.link.send_boot(&boot()).unwrap();
    assert_eq!(parent.next(), FromWorker::Ready);
    assert_eq!(
        parent.run("square", number(7)),
        CallOutcome::Value(number(49))
    );
    assert_eq!(
        parent.run("nothing", Vec::new()),
        CallOutcome::Value(Vec::new())
    );
    parent.finish();
}

/// The payload of several calls with these arguments.
fn chunk(calls: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut chunk = ChunkWriter::new(true);
    for args in calls {
        chunk.write(|out| out.put(&args)).unwrap();
    }
    chunk.into_bytes()
}

#[test]
fn each_item_of_a_call_gives_a_result_in_order() {
    let mut parent = Parent::ready();
    parent.call(1, "fails_at_odd", 100, chunk((0..100).map(number)));
    for index in 0..100 {
        match parent.result(1, index) {
            CallOutcome::Value(value) => assert_eq!(value, number(index.into())),
            CallOutcome::Panicked(panic) => {
                assert_eq!(panic.message(), format!("{index} is odd"));
            }
            other => panic!("{other:?}"),
        }
    }
    parent.call(2, "nothing", 3, chunk([vec![], vec![], vec![]]));
    for index in 0..3 {
        assert_eq!(parent.result(2, index), CallOutcome::Value(Vec::new()));
    }
    parent.finish();
}

#[test]
fn calls_that_came_before_the_sentinel_are_finished() {
    let mut parent = Parent::ready();
    for id in 0..50 {
        parent.call(id, "square", 1, number(id));
    }
    let _alone = STATES_IN_USE.write().unwrap();
    parent.link.send_sentinel().unwrap();
    for id in 0..50 {
        assert_eq!(parent.result(id, 0), CallOutcome::Value(number(id * id)));
    }
    assert_eq!(parent.next(), FromWorker::Bye);
}

#[test]
fn a_panic_tells_its_message_its_place_and_its_stack() {
    let mut parent = Parent::ready();
    let panic = match parent.run("fails_at_odd", number(3)) {
        CallOutcome::Panicked(panic) => panic,
        other => panic!("a panic is expected, not {other:?}"),
    };
    assert_eq!(panic.message(), "3 is odd");
    assert!(panic.location().unwrap().starts_with(file!()), "{panic:?}");
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value != "0") {
        let backtrace = panic.backtrace().unwrap();
        assert!(backtrace.contains("fails_at_odd"), "{backtrace}");
        assert!(!backtrace.contains("call_loop"), "{backtrace}");
        assert!(!backtrace.contains("rust_begin_unwind"), "{backtrace}");
    }
    assert_eq!(
        parent.run("square", number(2)),
        CallOutcome::Value(number(4))
    );
    parent.finish();
}

#[test]
fn panics_of_all_kinds_leave_the_worker_alive() {
    let mut parent = Parent::ready();
    let panic = parent.run_to_panic("panics_without_text");
    assert_eq!(panic.message(), "a value that is not text");
    assert!(panic.location().is_some());
    let panic = parent.run_to_panic("panics_without_the_hook");
    assert_eq!((panic.message(), panic.location()), ("resumed", None));
    parent.run_to_panic("panics_with_a_bomb");
    assert_eq!(
        parent.run("square", number(2)),
        CallOutcome::Value(number(4))
    );
    parent.finish();
}

#[test]
fn an_argument_that_does_not_decode_fails_its_own_item_only() {
    let mut parent = Parent::ready();
    let args = [number(1), number(2), vec![0; 3], number(3)];
    parent.call(1, "square", 4, chunk(args));
    assert_eq!(parent.result(1, 0), CallOutcome::Value(number(1)));
    assert_eq!(parent.result(1, 1), CallOutcome::Value(number(4)));
    match parent.result(1, 2) {
        CallOutcome::Decode {
            parameter: 0,
            message,
        } => {
            assert!(message.contains("cut short"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(parent.result(1, 3), CallOutcome::Value(number(9)));

    let text = encoded(|out| Lane::raw().encode(&"text".to_string(), out));
    match parent.run("panics_while_decoding", text) {
        CallOutcome::Decode {
            parameter: 0,
            message,
        } => {
            assert!(message.starts_with("panicked at "), "{message}");
            assert!(message.ends_with(": no such value"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    parent.finish();
}

#[test]
fn a_result_that_does_not_encode_fails_its_own_item_only() {
    let mut parent = Parent::ready();
    for (task, expected) in [
        ("does_not_encode", "not me"),
        ("panics_while_encoding", "panicked at "),
    ] {
        parent.call(1, task, 2, chunk([vec![], vec![]]));
        for index in 0..2 {
            match parent.result(1, index) {
                CallOutcome::Encode { message } => {
                    assert!(message.starts_with(expected), "{message}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
    // Nothing of the half-written results is left.
    assert_eq!(
        parent.run("square", number(2)),
        CallOutcome::Value(number(4))
    );
    parent.finish();
}

#[test]
fn a_call_of_an_unknown_task_says_so() {
    let mut parent = Parent::ready();
    parent.call(1, "unheard of", 2, Vec::new());
    for index in 0..2 {
        match parent.result(1, index) {
            CallOutcome::Decode {
                parameter: NO_PARAMETER,
                message,
            } => {
                assert!(message.contains("no task"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    parent.finish();
}

#[test]
fn large_results_come_whole() {
    let mut parent = Parent::ready();
    for len in [1 << 10, 3 << 20, 20 << 20, 1] {
        let expected = encoded(|out| Lane::plain_slice().encode(&vec![7u8; len], out));
        match parent.run("bytes", number(len as u64)) {
            CallOutcome::Value(value) => assert!(value == expected),
            other => panic!("{other:?}"),
        }
    }
    parent.finish();
}

#[test]
fn an_initializer_sets_what_calls_find() {
    let states = STATES_IN_USE.read().unwrap();
    let initializer = boot_call("starts", 10);
    let (mut parent, next) = Parent::boot(&Boot {
        initializer,
        ..boot()
    });
    assert_eq!(next, FromWorker::Ready);
    assert_eq!(
        parent.run("counts", Vec::new()),
        CallOutcome::Value(number(11))
    );
    assert_eq!(
        parent.run("counts", Vec::new()),
        CallOutcome::Value(number(12))
    );
    parent.finish();
}

#[test]
fn an_initializer_that_fails_is_a_failed_start_with_its_cause() {
    let cases = [
        (
            "panics_without_text",
            "the initializer `panics_without_text` panicked at ",
        ),
        (
            "returns_err",
            "the initializer `returns_err` failed: could not connect: no such host",
        ),
        (
            "panics_while_decoding",
            "the arguments of the initializer `panics_while_decoding` could",
        ),
        ("unheard of", "the worker has no task"),
    ];
    for (task, expected) in cases {
        let initializer = boot_call(task, 1);
        match Parent::boot(&Boot {
            initializer,
            ..boot()
        }) {
            (parent, FromWorker::StartFailed(message)) => {
                assert!(message.starts_with(expected), "{message}");
                assert_eq!(parent.worker.join().unwrap(), Ending::StartFailed);
            }
            (_, other) => panic!("a failed start is expected, not {other:?}"),
        }
    }
}

#[test]
fn a_directory_that_is_not_there_is_a_failed_start() {
    let current_dir = Some("/no/such/directory".into());
    match Parent::boot(&Boot {
        current_dir,
        ..boot()
    }) {
        (parent, FromWorker::StartFailed(message)) => {
            assert!(message.contains("/no/such/directory"), "{message}");
            assert_eq!(parent.worker.join().unwrap(), Ending::StartFailed);
        }
        (_, other) => panic!("a failed start is expected, not {other:?}"),
    }
}

#[test]
fn a_first_message_that_is_no_boot_is_a_failed_start() {
    let mut parent = Parent::start();
    parent.call(1, "square", 1, number(1));
    assert!(matches!(parent.next(), FromWorker::Hello(_)));
    assert!(matches!(parent.next(), FromWorker::StartFailed(_)));
    assert_eq!(parent.worker.join().unwrap(), Ending::StartFailed);
}

#[test]
fn a_finalizer_runs_after_the_last_call_and_can_not_keep_the_worker() {
    let finalizer = boot_call("ends", 77);
    let (parent, _) = Parent::boot(&Boot {
        finalizer,
        ..boot()
    });
    parent.finish();
    assert!(ENDED.lock().unwrap().contains(&77));

    let finalizer = boot_call("panics_without_text", 0);
    let (parent, _) = Parent::boot(&Boot {
        finalizer,
        ..boot()
    });
    parent.finish();
}

/// SUP-4.
#[test]
fn a_worker_ends_when_its_parent_is_gone_be_it_idle_or_busy() {
    let Parent { link, worker, .. } = Parent::ready();
    drop(link);
    assert_eq!(worker.join().unwrap(), Ending::ParentLost);

    let mut parent = Parent::ready();
    parent.call(1, "waits", 1, Vec::new());
    // It says nothing while it waits, and it is not asked to end.
    let Parent { link, worker, .. } = parent;
    drop(link);
    assert_eq!(worker.join().unwrap(), Ending::ParentLost);
    // Lets the thread of the call go; in a process of its own it would have gone with it.
    *GATE.0.lock().unwrap() = true;
    GATE.1.notify_all();
}

#[test]
fn a_worker_whose_parent_never_spoke_ends() {
    let Parent { link, worker, .. } = Parent::start();
    drop(link);
    assert_eq!(worker.join().unwrap(), Ending::ParentLost);
}

#[test]
fn a_task_is_told_its_attempt() {
    let mut parent = Parent::ready();
    let attempt = encoded(|out| Lane::raw().encode(&5u32, out));
    assert_eq!(
        parent.run("tells_its_attempt", Vec::new()),
        CallOutcome::Value(attempt)
    );
    let worker = crate::current().unwrap();
    assert_eq!((worker.slot, worker.generation), (3, 1));
    assert_eq!(worker.pid, std::process::id());
    parent.finish();
}

#[test]
fn descriptors_of_a_call_are_closed_when_it_is_done() {
    use std::io::Read;

    let mut parent = Parent::ready();
    let (sent, mut witness) = UnixStream::pair().unwrap();
    let item = CallItem {
        work_id: WorkId(1),
        attempt: 5,
        task: TaskKey::of("nothing"),
        count: 1,
    };
    parent
        .link
        .send_call_with_fds(item, Arc::default(), vec![sent.into()])
        .unwrap();
    parent.result(1, 0);
    witness
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    assert_eq!(witness.read(&mut [0]).unwrap(), 0);
    parent.finish();
}
