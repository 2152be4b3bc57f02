//! The task that runs once, before the first worker is forked.

use std::{io::Write, sync::OnceLock, thread, time::Duration};

use nix::sys::signal::Signal;
use ppool::{
    BrokenPool, Pool, PoolBuilder, StartMethod, TaskError, TaskErrorKind, shared::Descriptor, task,
    worker,
};

use super::{forking, signal};
use crate::common::{
    Scratch, Tally,
    program::{self, Program},
    tasks::{End, square, worker_pid},
    until, watchdog,
};

static TABLE: OnceLock<Vec<u64>> = OnceLock::new();

struct Counter(u64);

/// Notes who has done what.
fn note(notes: &Tally, what: &str) {
    notes.note(&format!("{what} {}", std::process::id()));
}

#[task]
fn build_a_table(notes: &Tally, len: u64) {
    note(notes, "preload");
    TABLE
        .set((0..len).map(|n| n * n).collect())
        .expect("it was empty");
    worker::set_state(Counter(len));
}

#[task]
fn begin(notes: &Tally) {
    note(notes, "initializer");
    assert!(TABLE.get().is_some(), "the preload comes first");
}

#[task]
fn finish(notes: &Tally) {
    note(notes, "finalizer");
}

#[task]
fn look_up(n: usize) -> Option<u64> {
    TABLE.get()?.get(n).copied()
}

#[task]
fn count_up() -> (u32, u64) {
    worker::with_state(|counter: &mut Counter| {
        counter.0 += 1;
        (std::process::id(), counter.0)
    })
}

/// The pids of those who have noted `what`.
fn who(notes: &Tally, what: &str) -> Vec<u32> {
    let notes = notes.notes();
    let of_this = notes.iter().filter_map(|note| note.strip_prefix(what));
    of_this
        .map(|pid| pid.trim().parse().expect("a pid"))
        .collect()
}

#[test]
fn all_workers_have_what_it_has_built_once() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let notes = scratch.tally("notes");
    let pool = forking()
        .workers(2)
        .preload(build_a_table, (&notes, 1000))
        .build()
        .unwrap();
    for _ in 0..3 {
        let found = pool.map(look_up, 990..1010).unwrap();
        assert!(
            found
                .iter()
                .zip(990u64..)
                .all(|(got, n)| *got == (n < 1000).then_some(n * n))
        );
        let before = pool.worker_pids();
        signal(before[0], Signal::SIGKILL);
        until(|| {
            let now = pool.worker_pids();
            now.len() == 2 && !now.contains(&before[0])
        });
    }
    assert_eq!(who(&notes, "preload").len(), 1);
    assert!(!pool.worker_pids().contains(&who(&notes, "preload")[0]));
    // Nor has it run here.
    assert!(TABLE.get().is_none());
}

#[test]
fn each_worker_changes_its_own_copy_of_the_state() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = forking()
        .workers(1)
        .max_tasks_per_worker(3)
        .preload(build_a_table, (&scratch.tally("notes"), 100))
        .build()
        .unwrap();
    let counted: Vec<_> = (0..9).map(|_| pool.apply(count_up, ()).unwrap()).collect();
    for worker in counted.chunks(3) {
        let pid = worker[0].0;
        assert_eq!(worker, [(pid, 101), (pid, 102), (pid, 103)]);
    }
}

#[test]
fn the_initializer_is_replayed_in_every_worker_and_the_finalizer_too() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let notes = scratch.tally("notes");
    let pool = forking()
        .workers(1)
        .max_tasks_per_worker(1)
        .preload(build_a_table, (&notes, 10))
        .initializer(begin, &notes)
        .finalizer(finish, &notes)
        .build()
        .unwrap();
    let mut pids: Vec<_> = (0..5)
        .map(|_| pool.apply(worker_pid, ()).unwrap())
        .collect();
    drop(pool);
    let (begun, ended) = (who(&notes, "initializer"), who(&notes, "finalizer"));
    assert!(begun.starts_with(&pids), "{begun:?} for {pids:?}");
    pids.retain(|pid| !ended.contains(pid));
    assert_eq!(pids, [], "{ended:?}");
    assert_eq!(who(&notes, "preload").len(), 1);
}

#[test]
fn with_exec_each_worker_runs_it_by_itself() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let notes = scratch.tally("notes");
    let pool = Pool::builder()
        .start_method(StartMethod::Exec)
        .workers(1)
        .max_tasks_per_worker(1)
        .preload(build_a_table, (&notes, 10))
        .initializer(begin, &notes)
        .build()
        .unwrap();
    for _ in 0..3 {
        assert_eq!(pool.apply(look_up, 9).unwrap(), Some(81));
    }
    drop(pool);
    let by = who(&notes, "preload");
    assert!(by.len() >= 3, "{by:?}");
    assert_eq!(by, who(&notes, "initializer"));
}

#[task]
fn note_it(notes: &Tally) {
    note(notes, "preload");
}

#[test]
fn without_workers_it_runs_here() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let notes = scratch.tally("notes");
    let pool = forking()
        .in_process()
        .preload(note_it, &notes)
        .build()
        .unwrap();
    assert_eq!(pool.map(square, 0..3).unwrap(), [0, 1, 4]);
    assert_eq!(who(&notes, "preload"), [std::process::id()]);
}

/// What goes wrong in a preload.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
enum Wrong {
    Thread(String),
    Panic,
    Error,
    End(End),
    Never,
}

#[task]
fn go_wrong(wrong: &Wrong, runs: &Tally) -> Result<(), ppool::RemoteError> {
    runs.add();
    match wrong {
        Wrong::Thread(name) => {
            let builder = thread::Builder::new().name(name.clone());
            builder.spawn(|| {
                loop {
                    thread::park()
                }
            })?;
            Ok(())
        }
        Wrong::Panic => panic!("no table to load"),
        Wrong::Error => Err(std::io::Error::other("the table is from last year").into()),
        Wrong::End(end) => end.come(),
        Wrong::Never => loop {
            thread::park();
        },
    }
}

fn cause(error: &TaskError) -> &BrokenPool {
    match error.kind() {
        TaskErrorKind::PoolBroken(cause) => cause,
        _ => panic!("{error:?} is no broken pool"),
    }
}

/// What a call says when the preload goes wrong, and how often it ran.
fn cause_of(wrong: &Wrong, builder: PoolBuilder) -> (String, usize) {
    let scratch = Scratch::new();
    let runs = scratch.tally("runs");
    let pool = builder
        .workers(2)
        .preload(go_wrong, (wrong, &runs))
        .build()
        .expect("good settings");
    let error = pool.apply(square, 2).expect_err("it is broken");
    let text = cause(&error).to_string();
    // And those that come later hear the same.
    let later = pool.apply(square, 2).expect_err("it is broken");
    assert_eq!(cause(&later).to_string(), text);
    (text, runs.count())
}

#[test]
fn threads_that_it_leaves_are_refused_by_name() {
    let _watchdog = watchdog();
    let (text, runs) = cause_of(&Wrong::Thread("preloader".into()), forking());
    for part in [
        "go_wrong",
        "threads",
        "preloader",
        "initializer",
        "StartMethod::Exec",
    ] {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
    assert_eq!(runs, 1);
}

#[task]
fn join_threads() {
    for _ in 0..20 {
        thread::spawn(|| ()).join().expect("it does nothing");
    }
    thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(|| ())));
    });
}

#[test]
fn threads_that_it_has_joined_are_no_matter() {
    let _watchdog = watchdog();
    for _ in 0..20 {
        let pool = forking()
            .workers(1)
            .preload(join_threads, ())
            .build()
            .unwrap();
        assert_eq!(pool.apply(square, 3).unwrap(), 9);
    }
}

#[test]
fn its_panics_and_errors_break_the_pool_with_their_text() {
    let _watchdog = watchdog();
    let (text, runs) = cause_of(&Wrong::Panic, forking());
    assert!(text.contains("the preload `"), "{text}");
    assert!(text.contains("no table to load"), "{text}");
    assert_eq!(runs, 1);
    let (text, runs) = cause_of(&Wrong::Error, forking());
    assert!(text.contains("the table is from last year"), "{text}");
    assert_eq!(runs, 1);
}

#[test]
fn its_death_breaks_the_pool_after_few_tries() {
    let _watchdog = watchdog();
    for (end, name) in [
        (End::Exit(3), "3"),
        (End::Abort, "SIGABRT"),
        (End::Segfault, "SIGSEGV"),
    ] {
        let (text, runs) = cause_of(&Wrong::End(end), forking());
        assert!(text.contains("template process"), "{text}");
        assert!(text.contains(name), "no `{name}` in: {text}");
        assert!((1..=3).contains(&runs), "{runs} runs");
    }
}

#[test]
fn one_that_does_not_end_is_given_up() {
    let _watchdog = watchdog();
    let builder = forking().start_timeout(Duration::from_millis(300));
    let (text, runs) = cause_of(&Wrong::Never, builder);
    assert!(text.contains("has not finished its preload"), "{text}");
    assert_eq!(runs, 1);
}

#[test]
fn a_pool_can_be_ended_while_it_runs() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let runs = scratch.tally("runs");
    let builder = forking()
        .workers(2)
        .preload(go_wrong, (Wrong::Never, &runs));
    let pool = builder.build().unwrap();
    let call = pool.submit(square, 2);
    until(|| runs.count() == 1);
    pool.terminate();
    assert!(matches!(
        call.wait().unwrap_err().kind(),
        TaskErrorKind::Cancelled
    ));
    drop(pool);
}

/// Writes half a line, which stays in the buffer of standard output.
#[task]
fn print_a_little() {
    let mut out = std::io::stdout();
    out.write_all(b"@@ printed once").expect("there is room");
}

/// What lies in a buffer when a process is forked would be written by every copy.
#[test]
fn what_it_prints_is_printed_once() {
    let _watchdog = watchdog();
    let output = Program::start("preload::program_whose_preload_prints").must_succeed();
    assert_eq!(output.matches("printed once").count(), 1, "{output}");
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_preload_prints() {
    let Some(_program) = program::inside() else {
        return;
    };
    std::io::stdout().flush().unwrap();
    let pool = forking()
        .workers(3)
        .max_tasks_per_worker(2)
        .preload(print_a_little, ())
        .build()
        .unwrap();
    assert_eq!(pool.map(square, 0..20).unwrap().len(), 20);
}

#[task]
fn surroundings() -> (std::path::PathBuf, Option<String>) {
    let directory = std::env::current_dir().expect("there is one");
    (directory, std::env::var("FROM_THE_PRELOAD").ok())
}

#[task]
fn look_around(notes: &Tally) {
    let (directory, _) = surroundings();
    notes.note(&directory.display().to_string());
}

#[test]
fn it_works_where_the_workers_do() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let notes = scratch.tally("notes");
    let there = scratch.path("there");
    std::fs::create_dir(&there).unwrap();
    let pool = forking()
        .workers(1)
        .current_dir(&there)
        .env("FROM_THE_PRELOAD", "yes")
        .preload(look_around, &notes)
        .build()
        .unwrap();
    let (directory, variable) = pool.apply(surroundings, ()).unwrap();
    assert_eq!(directory, there.canonicalize().unwrap());
    assert_eq!(notes.notes(), [directory.display().to_string()]);
    assert_eq!(variable.as_deref(), Some("yes"));
}

#[task]
fn keep_the_file(file: Descriptor) {
    worker::set_state(std::fs::File::from(file));
}

#[task]
fn read_the_file() -> String {
    use std::os::unix::fs::FileExt;

    worker::with_state(|file: &mut std::fs::File| {
        let mut bytes = [0; 64];
        let len = file.read_at(&mut bytes, 0).expect("it can be read");
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    })
}

#[test]
fn it_may_be_given_handles() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    std::fs::write(scratch.path("file"), "all read this").unwrap();
    for builder in [forking(), Pool::builder().start_method(StartMethod::Exec)] {
        let file = std::fs::File::open(scratch.path("file")).unwrap();
        let pool = builder
            .workers(2)
            .max_tasks_per_worker(1)
            .preload(keep_the_file, Descriptor::from(file))
            .build()
            .unwrap();
        for _ in 0..4 {
            assert_eq!(pool.apply(read_the_file, ()).unwrap(), "all read this");
        }
    }
}

#[task]
fn use_a_lock(lock: ppool::sync::Lock) {
    drop(lock.lock());
    worker::set_state(lock);
}

/// Ends its worker with the lock in its hand, or says whether it was free.
#[task]
fn take_the_lock(and_die: bool) -> bool {
    worker::with_state(|lock: &mut ppool::sync::Lock| {
        let _guard = lock.lock();
        if and_die {
            End::Kill.come();
        }
        true
    })
}

/// Processes are told apart by what each has found out of itself: a copy must not keep that of its
/// template.
#[test]
fn a_lock_that_it_has_used_tells_its_workers_apart() {
    let _watchdog = watchdog();
    let pool = forking()
        .workers(2)
        .preload(use_a_lock, ppool::sync::Lock::new())
        .build()
        .unwrap();
    for _ in 0..3 {
        assert!(pool.apply(take_the_lock, true).is_err());
        assert!(pool.apply(take_the_lock, false).unwrap());
    }
}
