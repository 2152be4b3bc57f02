//! What workers print: whole lines, with the worker and the call that they belong to.
#![forbid(unsafe_code)]

mod common;

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{Write, stderr, stdout},
    os::fd::AsFd,
    process::Stdio,
    sync::{Arc, Mutex},
};

use common::{
    Scratch,
    processes::{descriptors, threads},
    program::{self, Program},
    tasks::{End, Hold, hold, square, worker_pid},
    until, watchdog,
};
use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
    },
    unistd::{Pid, dup2_stderr, dup2_stdout},
};
use ppool::{Output, OutputLine, OutputStream, Pool, PoolBuilder, TaskErrorKind, task};

/// A pool of so many workers, and where its lines come together.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<OutputLine>>>);

impl Lines {
    fn pool(&self, workers: usize) -> PoolBuilder {
        let lines = self.clone();
        Pool::builder()
            .workers(workers)
            .on_output(move |line| lines.0.lock().expect("no line panics").push(line.clone()))
    }

    fn all(&self) -> Vec<OutputLine> {
        self.0.lock().expect("no line panics").clone()
    }

    fn texts(&self) -> Vec<String> {
        self.all()
            .iter()
            .map(|line| line.text().to_owned())
            .collect()
    }
}

/// Writes to both streams, past the harness's own capture.
fn print_both(text: &str) {
    stdout().write_all(text.as_bytes()).expect("it is open");
    stderr().write_all(text.as_bytes()).expect("it is open");
}

#[task]
fn say(text: &str) {
    print_both(text);
}

/// Prints a line in many small pieces, so that others have time to come between.
#[task]
fn stutter(n: u32) {
    let mut err = stderr();
    for piece in [
        &n.to_string(),
        " ",
        &"x".repeat(50),
        " ",
        &n.to_string(),
        "\n",
    ] {
        err.write_all(piece.as_bytes()).expect("it is open");
        std::thread::yield_now();
    }
}

/// Ends the worker with last words.
#[task]
fn end_with(words: &str, how: End) {
    print_both(words);
    how.come()
}

// ------------------------------------------------------------------ lines

#[test]
fn lines_come_whole_with_the_worker_and_the_call_that_they_belong_to() {
    let _watchdog = watchdog();
    let lines = Lines::default();
    let pool = lines.pool(2).build().unwrap();
    let calls: HashMap<u64, String> = (0..20)
        .map(|n| {
            let text = format!("call {n}\nsecond line of {n}\nno end {n}");
            let call = pool.submit(say, &*text);
            let id = call.id();
            call.wait().unwrap();
            (id, text)
        })
        .collect();
    let pids: HashSet<u32> = pool.worker_pids().into_iter().collect();
    pool.join();
    let lines = lines.all();
    assert_eq!(lines.len(), 2 * 3 * calls.len(), "{lines:?}");
    for stream in [OutputStream::Stdout, OutputStream::Stderr] {
        for (id, text) in &calls {
            let theirs: Vec<&OutputLine> = lines
                .iter()
                .filter(|line| line.stream() == stream && line.call() == Some(*id))
                .collect();
            let said: Vec<&str> = theirs.iter().map(|line| line.text()).collect();
            assert_eq!(said.join("\n"), *text);
            for line in theirs {
                assert!(pids.contains(&line.pid()) && line.slot() < 2);
                assert!(line.task().unwrap().ends_with("say"));
                assert!(line.to_string().ends_with(line.text()) && line.lost_before() == 0);
            }
        }
    }
}

#[test]
fn lines_of_many_workers_are_never_torn() {
    let _watchdog = watchdog();
    let lines = Lines::default();
    let pool = lines.pool(4).build().unwrap();
    pool.task(stutter).chunk_size(5).map(0..400).unwrap();
    pool.join();
    let texts: HashSet<String> = lines.texts().into_iter().collect();
    let expected = (0..400).map(|n| format!("{n} {} {n}", "x".repeat(50)));
    assert_eq!(texts, expected.collect());
}

#[test]
fn a_line_arrives_while_its_call_still_runs() {
    let _watchdog = watchdog();
    #[task]
    fn say_and_hold(held: &Hold) -> u32 {
        print_both("now\n");
        hold(held)
    }

    let scratch = Scratch::new();
    let lines = Lines::default();
    let pool = lines.pool(1).build().unwrap();
    let held = Hold::new(&scratch, "held");
    let call = pool.submit(say_and_hold, &held);
    until(|| lines.texts().len() == 2);
    assert!(
        lines
            .all()
            .iter()
            .all(|line| line.call() == Some(call.id()))
    );
    held.release.raise();
    call.wait().unwrap();
}

#[test]
fn programs_that_a_task_starts_print_to_the_pool_too() {
    let _watchdog = watchdog();
    #[task]
    fn echo() {
        let status = std::process::Command::new("echo").arg("from afar").status();
        assert!(status.expect("there is such a program").success());
    }

    let lines = Lines::default();
    let pool = lines.pool(1).build().unwrap();
    pool.apply(echo, ()).unwrap();
    pool.join();
    assert_eq!(lines.texts(), ["from afar"]);
}

// ------------------------------------------------------------------ last words

#[test]
fn the_last_words_of_a_lost_worker_are_in_its_error() {
    let _watchdog = watchdog();
    for how in [End::Abort, End::Segfault, End::Kill, End::Exit(3)] {
        let lines = Lines::default();
        let pool = lines.pool(1).build().unwrap();
        let words = "it was the library\nthat did it";
        let error = pool.apply(end_with, (words, how)).unwrap_err();
        let TaskErrorKind::WorkerLost(exit) = error.kind() else {
            panic!("{error:?}");
        };
        let tail = exit.stderr_tail().unwrap();
        assert!(tail.starts_with(words), "{tail:?}");
        let last = tail.lines().last().unwrap();
        assert!(error.to_string().contains(last), "{error}");
        // The next worker has none of it.
        let error = pool.apply(end_with, ("", how)).unwrap_err();
        let TaskErrorKind::WorkerLost(exit) = error.kind() else {
            panic!("{error:?}");
        };
        assert!(!exit.stderr_tail().unwrap_or_default().contains("library"));
    }
}

#[test]
fn without_capture_an_error_has_no_last_words() {
    let _watchdog = watchdog();
    for output in [Output::Inherit, Output::Null] {
        let pool = Pool::builder().workers(1).output(output).build().unwrap();
        let error = pool.apply(end_with, ("", End::Kill)).unwrap_err();
        let TaskErrorKind::WorkerLost(exit) = error.kind() else {
            panic!("{error:?}");
        };
        assert_eq!(exit.stderr_tail(), None);
    }
}

// ------------------------------------------------------------------ trouble

/// Writes so many mebibytes to its standard error.
#[task]
fn flood(mebibytes: usize) {
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    for _ in 0..mebibytes << 10 {
        stderr().write_all(&line).expect("somebody reads");
    }
}

#[test]
fn a_flood_harms_nobody_even_when_no_line_is_taken() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let dam = scratch.flag("dam");
    let lost = Arc::new(Mutex::new(0));
    let (open, count) = (dam.clone(), lost.clone());
    let pool = Pool::builder()
        .workers(2)
        .on_output(move |line| {
            open.wait();
            *count.lock().unwrap() += line.lost_before();
        })
        .build()
        .unwrap();
    let flooding = pool.submit(flood, 64);
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    // Nobody takes a line, and still the call ends.
    flooding.wait().unwrap();
    pool.apply(flood, 1).unwrap();
    dam.raise();
    pool.apply(say, "the end\n").unwrap();
    pool.join();
    assert!(*lost.lock().unwrap() > 1000, "{lost:?}");
}

#[test]
fn a_worker_that_closes_its_streams_works_on() {
    let _watchdog = watchdog();
    #[task]
    fn close_streams() {
        let null = File::open("/dev/null").expect("it is there");
        dup2_stdout(null.as_fd()).expect("it can be");
        dup2_stderr(null.as_fd()).expect("it can be");
    }

    let lines = Lines::default();
    let pool = lines.pool(1).build().unwrap();
    pool.apply(say, "before\n").unwrap();
    pool.apply(close_streams, ()).unwrap();
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    pool.join();
    assert_eq!(lines.texts(), ["before", "before"]);
}

#[test]
fn what_outlives_a_worker_keeps_nobody_waiting() {
    let _watchdog = watchdog();
    #[task]
    fn leave_a_program_behind(how: End) -> u64 {
        let child = std::process::Command::new("sleep").arg("1000").spawn();
        eprint!("{} ", child.expect("there is such a program").id());
        how.come()
    }

    let lines = Lines::default();
    let pool = lines.pool(1).build().unwrap();
    let error = pool.apply(leave_a_program_behind, End::Kill).unwrap_err();
    let TaskErrorKind::WorkerLost(exit) = error.kind() else {
        panic!("{error:?}");
    };
    let child = exit.stderr_tail().unwrap().trim().parse().unwrap();
    pool.join();
    kill(Pid::from_raw(child), Signal::SIGKILL).unwrap();
}

#[test]
fn a_callback_may_panic_or_join_its_pool() {
    let _watchdog = watchdog();
    let pool: Arc<Mutex<Option<Pool>>> = Arc::default();
    let inside = pool.clone();
    *pool.lock().unwrap() = Some(
        Pool::builder()
            .workers(1)
            .on_output(move |line| match line.text() {
                "join" => inside.lock().unwrap().as_ref().unwrap().join(),
                _ => panic!("on purpose"),
            })
            .build()
            .unwrap(),
    );
    let call = {
        let pool = pool.lock().unwrap();
        let pool = pool.as_ref().unwrap();
        pool.apply(say, "panic\n").unwrap();
        pool.submit(say, "join\n")
    };
    call.wait().unwrap();
    drop(pool);
}

#[test]
fn capturing_takes_one_thread_for_all_workers_and_leaves_nothing_open() {
    let _watchdog = watchdog();
    let mut program = Program::start("program_that_captures");
    let before = program.numbers("before");
    let after = program.numbers("after");
    assert_eq!(after, before, "descriptors and threads");
    let with = program.numbers("with");
    // The manager, and one for the lines.
    assert!(with[1] <= before[1] + 2, "{with:?} {before:?}");
    program.must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_captures() {
    let Some(program) = program::inside() else {
        return;
    };
    let me = std::process::id();
    let numbers = || format!("{} {}", descriptors(me).len(), threads(me).len());
    let lines = Lines::default();
    program.say("before", numbers());
    let pool = lines.pool(6).build().unwrap();
    pool.broadcast(say, "text\n");
    until(|| lines.texts().len() == 12);
    let with = numbers();
    pool.terminate();
    pool.join();
    drop(pool);
    // The kernel may list a thread for a moment that has been joined.
    until(|| threads(me).len() <= 2 + 1);
    program.say("after", numbers());
    program.say("with", with);
}

// ------------------------------------------------------------------ where lines go

#[test]
fn captured_lines_are_printed_by_the_parent_and_others_where_they_were() {
    let _watchdog = watchdog();
    for (output, expected) in [("capture", 3), ("inherit", 3), ("null", 0)] {
        let scratch = Scratch::new();
        let errors = scratch.path("stderr");
        let mut command = program::command("program_whose_workers_print");
        command
            .env("OUTPUT", output)
            .stderr(Stdio::from(File::create(&errors).unwrap()));
        let out = Program::run(command).must_succeed();
        let errors = std::fs::read_to_string(errors).unwrap();
        for text in [&out, &errors] {
            let said: Vec<&str> = text.lines().filter(|line| line.contains("said")).collect();
            assert_eq!(said.len(), expected, "{output}: {text}");
            for line in said {
                let tagged = line.starts_with("[worker 0, ") && line.contains("say #");
                assert_eq!(tagged, output == "capture", "{line}");
            }
        }
    }
}

#[test]
#[ignore = "a program that another test starts"]
fn program_whose_workers_print() {
    if program::inside().is_none() {
        return;
    }
    let output = match std::env::var("OUTPUT").unwrap().as_str() {
        "capture" => Output::Capture,
        "null" => Output::Null,
        _ => Output::Inherit,
    };
    let pool = Pool::builder().workers(1).output(output).build().unwrap();
    for _ in 0..3 {
        pool.apply(say, "\nsaid\n").unwrap();
    }
}

#[test]
fn a_pool_that_starts_again_captures_again() {
    let _watchdog = watchdog();
    let lines = Lines::default();
    let pool = lines.pool(1).build().unwrap();
    for era in 1..=3 {
        pool.apply(say, "once\n").unwrap();
        pool.join();
        assert_eq!(lines.texts().len(), 2 * era);
        assert!(pool.start_processing());
    }
}

#[test]
fn when_descriptors_run_out_the_error_says_so() {
    let _watchdog = watchdog();
    Program::start("program_without_descriptors").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_without_descriptors() {
    if program::inside().is_none() {
        return;
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let open = descriptors(std::process::id()).len() as u64;
    for more in 1..16 {
        setrlimit(Resource::RLIMIT_NOFILE, open + more, hard).unwrap();
        let pool = Lines::default().pool(1).build().unwrap();
        match pool.apply(worker_pid, ()) {
            Ok(_) => assert!(more > 4),
            Err(error) => {
                assert!(
                    matches!(error.kind(), TaskErrorKind::PoolBroken(_)),
                    "{error:?}"
                );
            }
        }
        drop(pool);
    }
}
