//! What has to hold, as sentences.

use std::{env, fs, process};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use ppool_core::{
    RemotePanic,
    codec::{Decoder, Lane},
    error::ExitHow,
    sys::{fcntl::duplicate, signal::SIGABRT},
    task::Registry,
    wire::{CallOutcome, FromWorker, PARENT_LOST_EXIT, START_FAILED_EXIT},
};

use super::{
    parent::{boot_with_initializer, number, text},
    process::{Victim, Worker, start},
};

macro_rules! cases {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        pub(crate) const ALL: &[(&str, fn())] = &[$((stringify!($name), $name)),*];

        $($(#[$doc])* fn $name() $body)*
    };
}

cases! {
    fn a_worker_shakes_hands_runs_calls_and_exits() {
        let mut worker = Worker::launch();
        let FromWorker::Hello(hello) = worker.next() else {
            panic!("a greeting is expected");
        };
        assert_eq!(hello.pid, worker.pid);
        assert_eq!(hello.fingerprint, Registry::get().unwrap().fingerprint());
        worker.link.send_boot(&super::parent::plain_boot(), Vec::new()).unwrap();
        assert_eq!(worker.next(), FromWorker::Ready);
        assert_eq!(worker.value("square", number(7)), number(49));
        worker.finish();
    }

    fn a_worker_has_what_it_needs_and_no_more() {
        // Something for it to inherit that it must not keep.
        let file = duplicate(fs::File::open("/dev/null").unwrap(), 20).unwrap();
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let mut worker = Worker::ready();
        let description = told(&worker.value("describes_its_process", Vec::new()));
        // SIGINT is 2 and SIGPIPE 13.
        let expected = "variable: None
arguments: [\"ppool worker test/3\"]
process: test-w3
thread: test-w3
ignored: [2, 13]
blocked: []
descriptors: [0, 1, 2, 3]
slot: 3, generation: 1";
        assert_eq!(description, expected);
        worker.finish();
    }

    fn a_program_that_a_task_starts_is_an_ordinary_one() {
        let mut worker = Worker::ready();
        let output = told(&worker.value("starts_this_program", Vec::new()));
        assert_eq!(output, "an ordinary program");
        worker.finish();
    }

    fn other_initialisers_run_once_in_a_worker() {
        let mut worker = Worker::ready();
        assert_eq!(worker.value("was_initialised", Vec::new()), number(1));
        worker.finish();
    }

    fn what_is_registered_to_run_at_the_exit_runs() {
        let path = env::temp_dir().join(format!("ppool-at-exit-{}", process::id()));
        let mut worker = Worker::ready();
        worker.value("writes_at_exit", text(path.to_str().unwrap()));
        worker.finish();
        assert_eq!(fs::read_to_string(&path).unwrap(), "exited");
        fs::remove_file(path).unwrap();
    }

    fn a_task_has_a_roomy_stack() {
        let mut worker = Worker::ready();
        // More than the 2 MiB that a thread has otherwise.
        assert_eq!(worker.value("uses_stack", number(2200)), number(2200));
        worker.finish();
    }

    fn an_initializer_that_panics_is_a_failed_start() {
        let (worker, next) = Worker::boot(&boot_with_initializer("panics_in_c", 0));
        let begin = "the initializer `panics_in_c` panicked at ";
        assert!(matches!(&next, FromWorker::StartFailed(message) if message.starts_with(begin)));
        assert_aborts(worker);

        // Not decoded, so that it fails without a panic.
        let (worker, next) = Worker::boot(&boot_with_initializer("panics", u64::MAX));
        assert!(matches!(next, FromWorker::StartFailed(_)), "{next:?}");
        assert_eq!(worker.ends(), ExitHow::Code(START_FAILED_EXIT));
    }

    /// Unwinding or not, the panic is told; only whether the worker lives on differs.
    fn a_panic_gets_out() {
        let mut worker = Worker::ready();
        let panic = panicked(worker.run("panics", text("out of reach")));
        assert_eq!(panic.message(), "out of reach");
        assert!(panic.location().unwrap().contains("tasks.rs:"), "{panic:?}");
        if cfg!(panic = "abort") {
            assert_aborts(worker);
        } else {
            assert_eq!(worker.value("square", number(2)), number(4));
            worker.finish();
        }
    }

    /// Also where the build unwinds.
    fn a_panic_that_can_not_unwind_gets_out() {
        for (task, begin) in [
            ("panics_in_c", "out of C"),
            (
                "panics_while_it_panics",
                if cfg!(panic = "abort") { "first" } else { "second" },
            ),
        ] {
            let mut worker = Worker::ready();
            let panic = panicked(worker.run(task, Vec::new()));
            assert!(panic.message().starts_with(begin), "{panic:?}");
            assert!(panic.location().unwrap().contains("tasks.rs:"), "{panic:?}");
            assert_aborts(worker);
        }
    }

    fn a_worker_whose_link_is_closed_ends_be_it_idle_or_busy() {
        assert_eq!(Worker::ready().leave(), ExitHow::Code(PARENT_LOST_EXIT));
        assert_eq!(Worker::launch().leave(), ExitHow::Code(PARENT_LOST_EXIT));
        let mut worker = Worker::ready();
        worker.call(1, "square", 1, number(1));
        worker.result(1, 0);
        worker.call(2, "keeps_busy", 1, Vec::new());
        assert_eq!(worker.leave(), ExitHow::Code(PARENT_LOST_EXIT));
    }

    /// SUP-4.
    fn a_parent_that_is_killed_takes_its_workers_along_be_they_idle_or_busy() {
        assert_eq!(Victim::start().kill(), 2);
    }

    fn a_worker_prints_nothing() {
        let output = start("--quiet").wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        let printed = String::from_utf8_lossy(&output.stderr);
        // Rust's runtime, when it can't unwind, has a last word of its own.
        let ours = printed.lines().filter(|line| !line.starts_with("thread caused non-unwinding"));
        assert_eq!(ours.collect::<Vec<_>>(), [""; 0]);
    }
}

fn panicked(outcome: CallOutcome) -> RemotePanic {
    match outcome {
        CallOutcome::Panicked(panic) => panic,
        other => panic!("a panic is expected, not {other:?}"),
    }
}

/// Sees the worker end as by `abort`, with no more to say.
fn assert_aborts(mut worker: Worker) {
    assert_eq!(worker.next_or_close(), None);
    match worker.ends() {
        ExitHow::Signal { number, .. } => assert_eq!(number, SIGABRT),
        other => panic!("an abort is expected, not {other:?}"),
    }
}

/// The text that a task returned.
fn told(value: &[u8]) -> String {
    Lane::raw().decode(&mut Decoder::new(value)).unwrap()
}
