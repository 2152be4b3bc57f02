//! Workers that run inside this process, on threads, at the other end of a socket pair.

use std::{
    cell::Cell,
    io::Read,
    ops::{Deref, DerefMut},
    os::unix::net::UnixStream,
    panic::{catch_unwind, panic_any, resume_unwind},
    sync::{Arc, Condvar, Mutex, RwLock},
    thread::{self, JoinHandle},
    time::Duration,
};

use ppool_core::{
    RemoteError, RemotePanic,
    codec::{ChunkWriter, Lane, Payload, Spacing},
    link::{
        ring::RingLink,
        socket::{SocketLink, WorkerSocket},
    },
    linkme::{self, distributed_slice},
    task::{Invocation, InvokeError, Registry, TASKS, TaskEntry, TaskKey},
    wire::{Boot, BootCall, CallOutcome, FromWorker, NO_PARAMETER, PROTOCOL},
};

use crate::boot::{Ending, serve};

#[path = "../tests/parent/mod.rs"]
mod parent;

use parent::{
    ATTEMPT, Parent, boot_with_initializer, call_item, encoded, number, plain_boot, text,
};

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
        panic_any(7)
    }
    panics_without_the_hook = |call| {
        call.run();
        let _ = catch_unwind(|| panic!("another"));
        resume_unwind(Box::new("resumed"))
    }
    panics_with_a_bomb = |call| {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic_any(Bomb);
            }
        }
        call.run();
        panic_any(Bomb)
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

thread_local! {
    /// Which link the workers of a test have.
    static OVER_RING: Cell<bool> = const { Cell::new(false) };
}

/// Runs each test with workers over either link.
macro_rules! over_both_links {
    ($($test:ident)*) => {
        mod over_a_socket { $( #[test] fn $test() { super::$test(); } )* }
        mod over_a_ring {
            $( #[test] fn $test() { super::OVER_RING.set(true); super::$test(); } )*
        }
    };
}

over_both_links! {
    a_worker_greets_runs_calls_and_says_goodbye
    each_item_of_a_call_gives_a_result_in_order
    calls_that_came_before_the_sentinel_are_finished
    a_panic_tells_its_message_its_place_and_its_stack
    panics_of_all_kinds_leave_the_worker_alive
    an_argument_that_does_not_decode_fails_its_own_item_only
    a_result_that_does_not_encode_fails_its_own_item_only
    a_call_of_an_unknown_task_says_so
    large_results_come_whole
    an_initializer_sets_what_calls_find
    an_initializer_that_fails_is_a_failed_start_with_its_cause
    a_directory_that_is_not_there_is_a_failed_start
    a_first_message_that_is_no_boot_is_a_failed_start
    a_finalizer_runs_after_the_last_call_and_can_not_keep_the_worker
    a_worker_ends_when_its_parent_is_gone_be_it_idle_or_busy
    a_worker_whose_parent_never_spoke_ends
    a_task_is_told_its_attempt
    descriptors_of_a_call_are_closed_when_it_is_done
}

/// A worker that runs on a thread, and its parent.
struct Worker {
    parent: Parent,
    thread: JoinHandle<Ending>,
}

impl Worker {
    /// One that has not heard of its boot yet.
    fn start() -> Self {
        let (parent, worker) = UnixStream::pair().unwrap();
        let worker = Arc::new(WorkerSocket::new(worker.into()));
        Worker {
            parent: match OVER_RING.get() {
                true => Parent::new(RingLink::new(parent.into()).unwrap()),
                false => Parent::new(SocketLink::new(parent.into()).unwrap()),
            },
            thread: thread::spawn(|| serve(worker)),
        }
    }

    /// One that was booted, and its first message after the greeting.
    fn boot(boot: &Boot) -> (Self, FromWorker) {
        let mut worker = Worker::start();
        let next = worker.parent.boot(boot);
        (worker, next)
    }

    /// One that is ready for calls.
    fn ready() -> Self {
        let (worker, next) = Worker::boot(&plain_boot());
        assert_eq!(next, FromWorker::Ready);
        worker
    }

    /// Runs one call whose task panics.
    fn run_to_panic(&mut self, task: &str, payload: Vec<u8>) -> RemotePanic {
        match self.run(task, payload) {
            CallOutcome::Panicked(panic) => panic,
            other => panic!("a panic is expected, not {other:?}"),
        }
    }

    /// Closes the link, and says how the worker ended.
    fn leave(self) -> Ending {
        drop(self.parent);
        self.thread.join().unwrap()
    }

    /// Tells the worker to end, and sees it end well.
    fn finish(self) {
        assert_eq!(self.last_words(), Vec::new());
    }

    /// The same; gives what it says before its goodbye.
    fn last_words(mut self) -> Vec<FromWorker> {
        let _alone = STATES_IN_USE.write().unwrap();
        self.link.send_sentinel().unwrap();
        let mut said = Vec::new();
        loop {
            match self.next() {
                FromWorker::Bye => break,
                other => said.push(other),
            }
        }
        assert_eq!(self.thread.join().unwrap(), Ending::Finished);
        said
    }
}

impl Deref for Worker {
    type Target = Parent;

    fn deref(&self) -> &Parent {
        &self.parent
    }
}

impl DerefMut for Worker {
    fn deref_mut(&mut self) -> &mut Parent {
        &mut self.parent
    }
}

fn a_worker_greets_runs_calls_and_says_goodbye() {
    let mut worker = Worker::start();
    let FromWorker::Hello(hello) = worker.next() else {
        panic!("a greeting is expected");
    };
    assert_eq!(hello.protocol, PROTOCOL);
    assert_eq!(hello.fingerprint, Registry::get().unwrap().fingerprint());
    assert_eq!(hello.pid, std::process::id());
    worker.link.send_boot(&plain_boot(), Vec::new()).unwrap();
    assert_eq!(worker.next(), FromWorker::Ready);
    assert_eq!(worker.value("square", number(7)), number(49));
    assert_eq!(worker.value("nothing", Vec::new()), []);
    worker.finish();
}

/// The payload of several calls with these arguments.
fn chunk(calls: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut chunk = ChunkWriter::new(Some(Spacing::Lengths));
    for args in calls {
        chunk.write(|out| out.put(&args)).unwrap();
    }
    chunk.into_payload().bytes().to_vec()
}

fn each_item_of_a_call_gives_a_result_in_order() {
    let mut worker = Worker::ready();
    worker.call(1, "fails_at_odd", 100, chunk((0..100).map(number)));
    for index in 0..100 {
        match worker.result(1, index) {
            CallOutcome::Value(value) => assert_eq!(value.bytes(), number(index.into())),
            CallOutcome::Panicked(panic) => {
                assert_eq!(panic.message(), format!("{index} is odd"));
            }
            other => panic!("{other:?}"),
        }
    }
    worker.call(2, "nothing", 3, chunk([vec![], vec![], vec![]]));
    for index in 0..3 {
        assert_eq!(
            worker.result(2, index),
            CallOutcome::Value(Vec::new().into())
        );
    }
    worker.finish();
}

fn calls_that_came_before_the_sentinel_are_finished() {
    let mut worker = Worker::ready();
    for id in 0..50 {
        worker.call(id, "square", 1, number(id));
    }
    let _alone = STATES_IN_USE.write().unwrap();
    worker.link.send_sentinel().unwrap();
    for id in 0..50 {
        assert_eq!(
            worker.result(id, 0),
            CallOutcome::Value(number(id * id).into())
        );
    }
    assert_eq!(worker.next(), FromWorker::Bye);
    assert_eq!(worker.leave(), Ending::Finished);
}

fn a_panic_tells_its_message_its_place_and_its_stack() {
    let mut worker = Worker::ready();
    let panic = worker.run_to_panic("fails_at_odd", number(3));
    assert_eq!(panic.message(), "3 is odd");
    assert!(panic.location().unwrap().starts_with(file!()), "{panic:?}");
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value != "0") {
        let backtrace = panic.backtrace().unwrap();
        assert!(backtrace.contains("fails_at_odd"), "{backtrace}");
        assert!(!backtrace.contains("call_loop"), "{backtrace}");
        assert!(!backtrace.contains("rust_begin_unwind"), "{backtrace}");
    }
    assert_eq!(worker.value("square", number(2)), number(4));
    worker.finish();
}

fn panics_of_all_kinds_leave_the_worker_alive() {
    let mut worker = Worker::ready();
    let panic = worker.run_to_panic("panics_without_text", Vec::new());
    assert_eq!(panic.message(), "a value that is not text");
    assert!(panic.location().is_some());
    let panic = worker.run_to_panic("panics_without_the_hook", Vec::new());
    assert_eq!((panic.message(), panic.location()), ("resumed", None));
    worker.run_to_panic("panics_with_a_bomb", Vec::new());
    assert_eq!(worker.value("square", number(2)), number(4));
    worker.finish();
}

fn an_argument_that_does_not_decode_fails_its_own_item_only() {
    let mut worker = Worker::ready();
    let args = [number(1), number(2), vec![0; 3], number(3)];
    worker.call(1, "square", 4, chunk(args));
    assert_eq!(worker.result(1, 0), CallOutcome::Value(number(1).into()));
    assert_eq!(worker.result(1, 1), CallOutcome::Value(number(4).into()));
    let message = undecoded(worker.result(1, 2), 0);
    assert!(message.contains("cut short"), "{message}");
    assert_eq!(worker.result(1, 3), CallOutcome::Value(number(9).into()));

    let message = undecoded(worker.run("panics_while_decoding", text("text")), 0);
    assert!(message.starts_with("panicked at "), "{message}");
    assert!(message.ends_with(": no such value"), "{message}");
    worker.finish();
}

/// Why this parameter could not be decoded.
fn undecoded(outcome: CallOutcome, expected: u32) -> String {
    match outcome {
        CallOutcome::Decode { parameter, message } if parameter == expected => message,
        other => panic!("{other:?}"),
    }
}

fn a_result_that_does_not_encode_fails_its_own_item_only() {
    let mut worker = Worker::ready();
    for (task, begin) in [
        ("does_not_encode", "not me"),
        ("panics_while_encoding", "panicked at "),
    ] {
        worker.call(1, task, 2, chunk([vec![], vec![]]));
        for index in 0..2 {
            match worker.result(1, index) {
                CallOutcome::Encode { message } => assert!(message.starts_with(begin), "{message}"),
                other => panic!("{other:?}"),
            }
        }
    }
    // Nothing of the half-written results is left.
    assert_eq!(worker.value("square", number(2)), number(4));
    worker.finish();
}

fn a_call_of_an_unknown_task_says_so() {
    let mut worker = Worker::ready();
    worker.call(1, "unheard of", 2, Vec::new());
    for index in 0..2 {
        let message = undecoded(worker.result(1, index), NO_PARAMETER);
        assert!(message.contains("no task"), "{message}");
    }
    worker.finish();
}

fn large_results_come_whole() {
    let mut worker = Worker::ready();
    for len in [1 << 10, 3 << 20, 20 << 20, 1] {
        let expected = encoded(|out| Lane::plain_slice().encode(&vec![7u8; len], out));
        assert!(worker.value("bytes", number(len as u64)) == expected);
    }
    worker.finish();
}

fn an_initializer_sets_what_calls_find() {
    let states = STATES_IN_USE.read().unwrap();
    let (mut worker, next) = Worker::boot(&boot_with_initializer("starts", 10));
    assert_eq!(next, FromWorker::Ready);
    assert_eq!(worker.value("counts", Vec::new()), number(11));
    assert_eq!(worker.value("counts", Vec::new()), number(12));
    drop(states);
    worker.finish();
}

/// Boots a worker that can't start, and gives its reason.
fn reason(boot: &Boot) -> String {
    match Worker::boot(boot) {
        (worker, FromWorker::StartFailed(message)) => {
            assert_eq!(worker.leave(), Ending::StartFailed);
            message
        }
        (_, other) => panic!("a failed start is expected, not {other:?}"),
    }
}

fn an_initializer_that_fails_is_a_failed_start_with_its_cause() {
    for (task, begin) in [
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
            "the arguments of the initializer `panics_while_decoding` could not be decoded: ",
        ),
        ("unheard of", "the worker has no task with the key "),
    ] {
        let message = reason(&boot_with_initializer(task, 1));
        assert!(message.starts_with(begin), "{message}");
    }
}

fn a_directory_that_is_not_there_is_a_failed_start() {
    let message = reason(&Boot {
        current_dir: Some("/no/such/directory".into()),
        ..plain_boot()
    });
    assert!(message.contains("/no/such/directory"), "{message}");
}

fn a_first_message_that_is_no_boot_is_a_failed_start() {
    let mut worker = Worker::start();
    worker.link.send_sentinel().unwrap();
    assert!(matches!(worker.next(), FromWorker::Hello(_)));
    assert!(matches!(worker.next(), FromWorker::StartFailed(_)));
    assert_eq!(worker.leave(), Ending::StartFailed);
}

fn a_finalizer_runs_after_the_last_call_and_can_not_keep_the_worker() {
    let id = if OVER_RING.get() { 77 } else { 78 };
    for (task, fails) in [("ends", false), ("panics_without_text", true)] {
        let (worker, _) = Worker::boot(&Boot {
            finalizer: Some(BootCall {
                task: TaskKey::of(task),
                payload: number(id),
                descriptors: 0,
            }),
            ..plain_boot()
        });
        let last_words = worker.last_words();
        assert_eq!(last_words.len(), usize::from(fails), "{last_words:?}");
        if let Some(said) = last_words.first() {
            assert!(
                matches!(said, FromWorker::FinalizerFailed(text) if text.contains(task)),
                "{said:?}"
            );
        }
        let ended = ENDED.lock().unwrap();
        assert_eq!(ended.iter().filter(|ended| **ended == id).count(), 1);
    }
}

/// SUP-4.
fn a_worker_ends_when_its_parent_is_gone_be_it_idle_or_busy() {
    assert_eq!(Worker::ready().leave(), Ending::ParentLost);

    let mut worker = Worker::ready();
    worker.call(1, "waits", 1, Vec::new());
    assert_eq!(worker.leave(), Ending::ParentLost);
    // Lets the thread of the call go; in a process of its own it would have gone with it.
    *GATE.0.lock().unwrap() = true;
    GATE.1.notify_all();
}

fn a_worker_whose_parent_never_spoke_ends() {
    assert_eq!(Worker::start().leave(), Ending::ParentLost);
}

fn a_task_is_told_its_attempt() {
    let mut worker = Worker::ready();
    let attempt = encoded(|out| Lane::raw().encode(&ATTEMPT, out));
    assert_eq!(worker.value("tells_its_attempt", Vec::new()), attempt);
    let info = crate::current().unwrap();
    assert_eq!((info.slot, info.generation), (3, 1));
    assert_eq!(info.pid, std::process::id());
    worker.finish();
}

fn descriptors_of_a_call_are_closed_when_it_is_done() {
    let mut worker = Worker::ready();
    let (sent, mut witness) = UnixStream::pair().unwrap();
    let payload = Payload::with_descriptors(Vec::new(), vec![sent.into()]);
    worker
        .link
        .send_call(call_item(1, "nothing", 1), payload.into())
        .unwrap();
    worker.result(1, 0);
    witness
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    assert_eq!(witness.read(&mut [0]).unwrap(), 0);
    worker.finish();
}
