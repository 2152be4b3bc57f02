//! Descriptors as arguments and results, alone and within other values.
#![forbid(unsafe_code)]

mod common;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{PipeReader, PipeWriter, Read, Write, pipe},
    os::{fd::AsFd, unix::fs::MetadataExt},
};

use common::{
    Flag, Scratch, Tally,
    processes::descriptors,
    program::{self, Program},
    tasks::{End, Hold, hold, square},
    watchdog,
};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use ppool::{Call, Pool, TaskErrorKind, TaskFuture, as_completed, shared::Descriptor, task};
use serde::{Deserialize, Serialize};

fn pool_of(workers: usize) -> Pool {
    common::pool_of(workers)
}

/// All that can be read until every writer is gone.
fn read_all(reader: PipeReader) -> String {
    let mut text = String::new();
    let mut reader = reader;
    reader.read_to_string(&mut text).expect("a pipe");
    text
}

#[task]
fn write_to(end: Descriptor, text: &str) {
    let mut end = PipeWriter::from(end);
    end.write_all(text.as_bytes()).expect("the reader is there");
}

#[task]
fn read_from(end: Descriptor) -> String {
    read_all(end.into())
}

/// The reading end of a pipe that has this text in it.
#[task]
fn pipe_with(text: &str) -> Descriptor {
    let (reader, mut writer) = pipe().expect("a pipe");
    writer.write_all(text.as_bytes()).expect("there is room");
    reader.into()
}

#[derive(Debug, Serialize, Deserialize)]
struct Job {
    name: String,
    ends: Vec<Descriptor>,
    named: BTreeMap<String, Descriptor>,
    spare: Option<Descriptor>,
}

/// Gives all back that it got.
#[task]
fn pass_on(job: Job) -> Job {
    job
}

/// The inode of what each is a descriptor of.
#[task]
fn inodes_of(files: Vec<Descriptor>) -> Vec<u64> {
    files.into_iter().map(inode).collect()
}

#[task]
fn inode_of(file: Descriptor) -> u64 {
    inode(file)
}

fn inode(file: Descriptor) -> u64 {
    let is_cloexec = fcntl(file.as_fd(), FcntlArg::F_GETFD)
        .is_ok_and(|flags| FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC));
    assert!(
        is_cloexec,
        "it would be inherited by programs that are started"
    );
    File::from(file).metadata().expect("it is open").ino()
}

/// Files that can be told apart, and their inodes.
fn files(scratch: &Scratch, count: usize) -> (Vec<Descriptor>, Vec<u64>) {
    let file = |number| File::create(scratch.path(&format!("file-{number}"))).expect("a file");
    let files: Vec<File> = (0..count).map(file).collect();
    let inodes = files
        .iter()
        .map(|file| file.metadata().expect("a file").ino());
    let inodes = inodes.collect();
    (files.into_iter().map(Descriptor::from).collect(), inodes)
}

#[test]
fn a_pipe_s_end_goes_to_a_worker() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let (reader, writer) = pipe().unwrap();
    let call = pool.submit(write_to, (Descriptor::from(writer), "from the worker"));
    assert_eq!(read_all(reader), "from the worker");
    call.wait().unwrap();

    let (reader, mut writer) = pipe().unwrap();
    let call = pool.submit(read_from, Descriptor::from(reader));
    writer.write_all(b"to the worker").unwrap();
    drop(writer);
    assert_eq!(call.wait().unwrap(), "to the worker");
}

#[test]
fn a_worker_returns_a_pipe_s_end() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let end = pool.apply(pipe_with, "text").unwrap();
    assert_eq!(read_all(end.into()), "text");
    // Nobody takes this one out of its future.
    drop(pool.submit(pipe_with, "text"));
    // Handles go from worker to worker through their parent.
    let end = pool.apply(pipe_with, "again").unwrap();
    assert_eq!(pool.apply(read_from, end).unwrap(), "again");
}

#[test]
fn handles_within_other_values_keep_their_places() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (mut handles, inodes) = files(&scratch, 5);
    let named = ["b", "a"].map(|name| (name.to_string(), handles.pop().unwrap()));
    let job = Job {
        name: "job".to_string(),
        spare: handles.pop(),
        ends: handles,
        named: named.into(),
    };
    let back = pool_of(1).apply(pass_on, job).unwrap();
    assert_eq!(back.name, "job");
    let ends: Vec<u64> = back.ends.into_iter().map(inode).collect();
    assert_eq!(ends, inodes[..2]);
    assert_eq!(back.spare.map(inode), Some(inodes[2]));
    let named: Vec<_> = back.named.into_iter().collect();
    let named: Vec<_> = named
        .into_iter()
        .map(|(name, end)| (name, inode(end)))
        .collect();
    assert_eq!(named, [("a".into(), inodes[3]), ("b".into(), inodes[4])]);
}

/// More than go with one message of the kernel's.
#[test]
fn three_hundred_handles_go_there_and_back() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (handles, expected) = files(&scratch, 300);
    let pool = pool_of(1);
    let job = Job {
        name: String::new(),
        ends: handles,
        named: BTreeMap::new(),
        spare: None,
    };
    assert_eq!(pool.apply(inodes_of, &job.ends).unwrap(), expected);
    let back = pool.apply(pass_on, job).unwrap();
    let ends: Vec<u64> = back.ends.into_iter().map(inode).collect();
    assert_eq!(ends, expected);
}

#[test]
fn maps_take_handles_in_chunks_and_one_by_one() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(2);
    let (handles, expected) = files(&scratch, 100);
    let handles = || handles.iter();
    assert_eq!(pool.map(inode_of, handles()).unwrap(), expected);
    let chunks = pool.task(inode_of).chunk_size(7);
    assert_eq!(chunks.map(handles()).unwrap(), expected);
    assert_eq!(
        pool.map_async(inode_of, handles()).wait().unwrap(),
        expected
    );
    let taken: Result<Vec<u64>, _> = pool.imap(inode_of, handles()).collect();
    assert_eq!(taken.unwrap(), expected);

    let texts = ["a", "b", "c", "d", "e"];
    let ends = pool.task(pipe_with).chunk_size(5).map(texts).unwrap();
    let read: Vec<String> = ends.into_iter().map(|end| read_all(end.into())).collect();
    assert_eq!(read, texts);
}

/// Fails to travel where `number` is odd, after its handle was attached.
#[derive(Debug, Deserialize)]
struct Picky {
    file: Descriptor,
    number: u64,
}

impl Serialize for Picky {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let file = &self.file;
        match self.number % 2 {
            0 => BTreeMap::from([
                ("file", Part::File(file)),
                ("number", Part::Number(self.number)),
            ])
            .serialize(to),
            _ => {
                let parts = (file, Unwilling);
                parts.serialize(to)
            }
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    File(&'a Descriptor),
    Number(u64),
}

struct Unwilling;

impl Serialize for Unwilling {
    fn serialize<S: serde::Serializer>(&self, _to: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("unwilling"))
    }
}

#[task]
fn inode_of_picky(picky: Picky) -> u64 {
    inode(picky.file)
}

#[test]
fn an_input_that_can_not_travel_takes_no_neighbour_s_handle() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (handles, expected) = files(&scratch, 6);
    let inputs = (0..)
        .zip(handles)
        .map(|(number, file)| Picky { file, number });
    let pool = pool_of(1);
    let results: Vec<_> = pool
        .task(inode_of_picky)
        .chunk_size(6)
        .imap(inputs)
        .collect();
    for (number, (result, expected)) in results.into_iter().zip(expected).enumerate() {
        match number % 2 {
            0 => assert_eq!(result.unwrap(), expected),
            _ => assert!(matches!(
                result.unwrap_err().kind(),
                TaskErrorKind::Encode(_)
            )),
        }
    }
}

/// Ends its worker the first time; then says what it was given.
#[task(retries = 1)]
fn inode_at_last(file: Descriptor, tries: &Tally) -> u64 {
    tries.add();
    if tries.count() == 1 {
        End::Kill.come();
    }
    inode(file)
}

#[task(retries = 1)]
fn inode_at_last_of((file, tries, dies): (Descriptor, Tally, bool)) -> u64 {
    tries.add();
    if dies && tries.count() == 4 {
        End::Kill.come();
    }
    inode(file)
}

#[test]
fn a_call_that_is_tried_again_has_its_handles_again() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let (mut handles, expected) = files(&scratch, 9);
    let first = handles.remove(0);
    let tries = scratch.tally("tries");
    let call = pool.submit(inode_at_last, (first, &tries));
    assert_eq!(call.wait().unwrap(), expected[0]);

    // What is left of a chunk.
    let tries = scratch.tally("tries of many");
    let inputs = (1..)
        .zip(handles)
        .map(|(number, file)| (file, tries.clone(), number == 4));
    let inputs = inputs.map(|input| (input,));
    let found = pool.task(inode_at_last_of).chunk_size(8).map(inputs);
    assert_eq!(found.unwrap(), expected[1..]);
}

#[test]
fn a_call_that_is_cancelled_closes_its_handles() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "held");
    let running = pool.submit(hold, &held);
    held.started.wait();
    let (reader, writer) = pipe().unwrap();
    let waiting = pool.submit(write_to, (Descriptor::from(writer), "never"));
    assert!(waiting.cancel());
    // Also in the worker, which will be busy for long.
    assert_eq!(read_all(reader), "");
    held.release.raise();
    running.wait().unwrap();
    assert!(waiting.wait().unwrap_err().is_cancelled());
}

/// Closes nothing by itself: it is killed.
#[task]
fn hold_handle(_handle: Descriptor, started: &Flag) {
    started.raise();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_worker_that_is_killed_takes_its_handles_along() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let started = scratch.flag("started");
    let (reader, writer) = pipe().unwrap();
    let call = pool.submit(hold_handle, (Descriptor::from(writer), &started));
    started.wait();
    assert!(call.kill());
    assert!(call.wait().unwrap_err().is_cancelled());
    assert_eq!(read_all(reader), "");
}

#[test]
fn a_callback_and_the_future_each_have_a_handle_of_their_own() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let (sender, receiver) = std::sync::mpsc::channel();
    let call = Call::new(pipe_with, "both").callback(move |end: &Descriptor| {
        let _ = sender.send(end.try_clone().expect("there are descriptors left"));
    });
    let future = pool.queue(call);
    let in_callback = receiver.recv().unwrap();
    let of_future = future.wait().unwrap();
    assert_eq!(inode(in_callback), inode(of_future));
    let done: Vec<TaskFuture<Descriptor>> =
        ["x", "y"].map(|text| pool.submit(pipe_with, text)).into();
    for future in as_completed(done) {
        assert_eq!(read_all(future.wait().unwrap().into()).len(), 1);
    }
}

#[task]
fn keep(file: Descriptor) {
    ppool::worker::set_state(file);
}

#[task]
fn inode_of_kept() -> u64 {
    ppool::worker::with_state(|file: &mut Descriptor| {
        inode(file.try_clone().expect("there are descriptors left"))
    })
}

#[test]
fn an_initializer_has_handles_in_every_worker() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (mut handles, expected) = files(&scratch, 1);
    let (reader, writer) = pipe().unwrap();
    let builder = Pool::builder()
        .workers(1)
        .initializer(keep, handles.remove(0));
    let builder = builder.finalizer(write_to, (Descriptor::from(writer), "bye"));
    let pool = builder.build().unwrap();
    assert_eq!(pool.apply(inode_of_kept, ()).unwrap(), expected[0]);
    assert!(pool.apply(common::tasks::end, End::Kill).is_err());
    assert_eq!(pool.apply(inode_of_kept, ()).unwrap(), expected[0]);
    drop(pool);
    assert_eq!(read_all(reader), "bye");
}

#[test]
fn a_pool_in_this_process_passes_handles_too() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (handles, expected) = files(&scratch, 4);
    let pool = Pool::builder().in_process().build().unwrap();
    assert_eq!(pool.apply(inodes_of, &handles).unwrap(), expected);
    let chunks = pool.task(inode_of).chunk_size(4);
    assert_eq!(chunks.map(&handles).unwrap(), expected);
    let (reader, writer) = pipe().unwrap();
    pool.apply(write_to, (Descriptor::from(writer), "here"))
        .unwrap();
    assert_eq!(read_all(reader), "here");
    let end = pool.apply(pipe_with, "back").unwrap();
    assert_eq!(read_all(end.into()), "back");
}

/// Uses serde for something else while it runs.
#[task]
fn write_as_json(file: Descriptor) -> (Option<String>, Option<String>) {
    let written = serde_json::to_string(&file).err();
    let read = serde_json::from_str::<Descriptor>("0").err();
    let [written, read] = [written, read].map(|error| error.map(|error| error.to_string()));
    (written, read)
}

#[test]
fn outside_of_calls_a_handle_can_not_travel_and_says_so() {
    let _watchdog = watchdog();
    let file = || Descriptor::from(File::open("/dev/null").unwrap());
    let expected = "can only travel as an argument, a result or an item of ppool";
    let error = serde_json::to_string(&file()).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    let error = serde_json::from_str::<Descriptor>("0").unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    let inside = pool_of(1).apply(write_as_json, file()).unwrap();
    for error in [inside.0, inside.1] {
        assert!(error.unwrap().contains(expected));
    }
}

#[test]
fn more_handles_than_the_worker_may_have_open_are_a_clear_error() {
    let _watchdog = watchdog();
    Program::start("program_whose_workers_may_open_little").must_succeed();
}

#[task]
fn limit_open_files(limit: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, limit, hard).expect("a lower limit");
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_workers_may_open_little() {
    let Some(_program) = program::inside() else {
        return;
    };
    let builder = Pool::builder().workers(1).initializer(limit_open_files, 40);
    let pool = builder.build().unwrap();
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    let handles: Vec<Descriptor> = (0..60)
        .map(|_| File::open("/dev/null").unwrap().into())
        .collect();
    let error = pool.apply(inodes_of, &handles).unwrap_err();
    let TaskErrorKind::Decode(decode) = error.kind() else {
        panic!("{error}");
    };
    let message = decode.message();
    assert!(message.contains("as many open as it may have"), "{message}");
    // The worker lives on, with nothing left open of that.
    assert_eq!(pool.apply(inodes_of, &handles[..10]).unwrap().len(), 10);
}

#[test]
fn nothing_is_left_open() {
    let _watchdog = watchdog();
    Program::start("program_that_counts_descriptors").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_counts_descriptors() {
    let Some(_program) = program::inside() else {
        return;
    };
    let scratch = Scratch::new();
    let pool = pool_of(2);
    let open = || descriptors(std::process::id()).len();
    let round = || {
        // A failure is given back with its error, a callback's value with the callback.
        let (handles, expected) = files(&scratch, 20);
        assert_eq!(pool.map(inode_of, &handles).unwrap(), expected);
        let texts = || ["a", "b", "c"].into_iter();
        drop(pool.task(pipe_with).chunk_size(3).map(texts()).unwrap());
        drop(pool.imap(pipe_with, texts()).next());
        drop(pool.submit(pipe_with, "detached"));
        pool.submit(inodes_of, handles).wait().unwrap();
        let calls: Vec<_> = (0..50)
            .map(|_| pool.submit(read_from, Descriptor::from(pipe().unwrap().0)))
            .collect();
        for call in &calls {
            call.cancel();
        }
        for call in calls {
            let _ = call.wait();
        }
        assert!(pool.apply(common::tasks::end, End::Kill).is_err());
        // Both workers are there again, and whatever was detached has ended.
        pool.map(square, 0..100).unwrap();
        common::until(|| !pool.is_working() && pool.worker_pids().len() == 2);
    };
    round();
    let before = open();
    for _ in 0..5 {
        round();
    }
    common::until(|| open() == before);
}
