//! Calls that run in this process: everything that a pool can do, without a worker.
#![forbid(unsafe_code)]

mod common;

use std::{
    cell::Cell,
    process,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use common::{
    Scratch, Tally,
    processes::children_of,
    program::{self, Program},
    tasks::{Hold, count, hold, panic_with, square, worker_pid},
    until, watchdog,
};
use ppool::{
    Call, Callable, Callbacks, Pool, PoolBuilder, Shutdown, SubmitError, TaskErrorKind, WaitFor,
    as_completed, closure, task, wait, worker,
};
use serde::{Deserialize, Serialize};

fn builder() -> PoolBuilder {
    Pool::builder().workers(3).in_process()
}

fn pool() -> Pool {
    builder().build().expect("a plain pool")
}

thread_local! {
    static HERE: Cell<u32> = const { Cell::new(0) };
}

/// Touches the thread that runs it.
#[task]
fn touch() -> u32 {
    HERE.set(HERE.get() + 1);
    HERE.get()
}

#[test]
fn calls_run_on_the_thread_that_submits_them() {
    let _watchdog = watchdog();
    let pool = pool();
    let before = children_of(process::id()).len();
    let future = pool.submit(touch, ());
    assert!(future.is_done(), "it has run when `submit` returns");
    assert_eq!(HERE.get(), 1);
    assert_eq!(future.wait().unwrap(), 1);
    assert_eq!(pool.apply(touch, ()).unwrap(), 2);
    assert_eq!(pool.apply(worker_pid, ()).unwrap(), process::id());
    assert_eq!(pool.worker_pids(), []);
    assert!(children_of(process::id()).len() <= before);
    assert_eq!((pool.max_workers(), pool.busy_workers()), (1, 0));
    assert!(!pool.is_working() && !pool.is_full() && !pool.has_pending());
}

#[derive(Clone, Serialize, Deserialize)]
struct Area {
    width: u32,
    height: u32,
}

#[task]
impl Callable for Area {
    type Output = u32;

    fn call(self) -> u32 {
        self.width * self.height
    }
}

#[test]
fn every_way_to_call_works() {
    let _watchdog = watchdog();
    let pool = pool();
    let squares: Vec<u64> = (0..50).map(|n| n * n).collect();
    assert_eq!(pool.map(square, 0..50).unwrap(), squares);
    assert_eq!(pool.task(square).chunk_size(7).map(0..50).unwrap(), squares);
    assert_eq!(pool.map_async(square, 0..50).wait().unwrap(), squares);
    let results: Result<Vec<_>, _> = pool.imap(square, 0..50).collect();
    assert_eq!(results.unwrap(), squares);
    let results: Result<Vec<_>, _> = pool.imap_unordered(square, 0..50).collect();
    assert_eq!(results.unwrap(), squares);
    assert_eq!(pool.try_submit(square, 3).unwrap().wait().unwrap(), 9);
    assert_eq!(pool.queue(Call::new(square, 4)).wait().unwrap(), 16);
    let area = Area {
        width: 6,
        height: 7,
    };
    assert_eq!(pool.submit_object(area.clone()).wait().unwrap(), 42);
    assert_eq!(pool.map_objects([area.clone(), area]).unwrap(), [42, 42]);
    let twice = closure!(|n: u64| -> u64 { 2 * n });
    assert_eq!(pool.apply(twice, 4).unwrap(), 8);
    let futures: Vec<_> = (0..5).map(|n| pool.submit(square, n)).collect();
    assert_eq!(wait(&futures, WaitFor::All, None).done.len(), 5);
    assert_eq!(as_completed(futures).count(), 5);
}

#[test]
fn imap_runs_no_further_than_it_is_asked() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (pool, ran) = (pool(), scratch.tally("ran"));
    let mut results = pool.imap(count, (0..).map(|n| (ran.clone(), n)));
    for n in 0..3 {
        assert_eq!(results.next().unwrap().unwrap(), n);
        assert_eq!(ran.count() as u64, n + 1);
    }
}

#[test]
fn map_stops_at_the_first_failure() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (pool, ran) = (pool(), scratch.tally("ran"));
    let fails = closure!(|tally: Tally, n: u64| {
        tally.note(&n.to_string());
        assert!(n < 3);
    });
    let inputs = || (0..100u64).map(|n| (ran.clone(), n));
    assert!(pool.map(fails, inputs()).unwrap_err().is_panic());
    assert_eq!(ran.count(), 4);
    assert!(
        pool.map_async(fails, inputs())
            .wait()
            .unwrap_err()
            .is_panic()
    );
    assert_eq!(ran.count(), 8);
}

#[test]
fn a_panic_is_caught_with_its_place() {
    let _watchdog = watchdog();
    let pool = pool();
    let line = line!() + 1;
    let panics = closure!(|n: u64| -> u64 { panic!("not {n}") });
    let error = pool.apply(panics, 7).unwrap_err();
    let TaskErrorKind::Panicked(panic) = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(panic.message(), "not 7");
    let place = format!("{}:{line}:", file!());
    assert!(panic.location().unwrap().starts_with(&place), "{panic:?}");
    assert!(error.was_started());
    // What is not a panic of a call is not our business.
    assert!(std::panic::catch_unwind(|| panic!("mine")).is_err());
    let error = pool.apply(panic_with, "again").unwrap_err();
    assert!(error.to_string().contains("again"), "{error}");
}

/// Can't be encoded, or not decoded.
struct Stubborn {
    at: u8,
}

impl Serialize for Stubborn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.at {
            0 => Err(serde::ser::Error::custom("no way out")),
            at => serializer.serialize_u8(at),
        }
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            1 => Err(serde::de::Error::custom("no way in")),
            at => Ok(Stubborn { at }),
        }
    }
}

#[task]
fn pass(stubborn: Stubborn) -> Stubborn {
    Stubborn {
        at: stubborn.at - 2,
    }
}

#[test]
fn values_are_encoded_and_decoded_as_for_a_worker() {
    let _watchdog = watchdog();
    let pool = pool();
    let error = |at| {
        pool.apply(pass, (Stubborn { at },))
            .map(|_| ())
            .unwrap_err()
    };
    let (argument, unread, result, unread_result) = (error(0), error(1), error(2), error(3));
    assert!(matches!(argument.kind(), TaskErrorKind::Encode(_)));
    assert!(matches!(unread.kind(), TaskErrorKind::Decode(_)));
    assert!(matches!(result.kind(), TaskErrorKind::Encode(_)));
    assert!(matches!(unread_result.kind(), TaskErrorKind::Decode(_)));
    assert!(argument.to_string().contains("no way out"), "{argument}");
    assert!(unread.to_string().contains("no way in"), "{unread}");
    assert_eq!(pool.apply(pass, (Stubborn { at: 9 },)).unwrap().at, 7);
}

#[task]
fn nested(depth: u32) -> u32 {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let pool = POOL.get_or_init(pool);
    match depth {
        0 => 0,
        _ => 1 + pool.apply(nested, depth - 1).expect("it runs here"),
    }
}

#[test]
fn a_task_may_call_its_own_pool() {
    let _watchdog = watchdog();
    assert_eq!(pool().apply(nested, 5).unwrap(), 5);
}

#[test]
fn callbacks_run_as_ever() {
    let _watchdog = watchdog();
    for mode in [Callbacks::Background, Callbacks::Polled] {
        let (sender, notes) = channel();
        let (values, errors) = (sender.clone(), sender);
        let pool = builder()
            .callbacks(mode)
            .callback(move |done| values.send(done.value::<u64>().copied()).unwrap())
            .exception_callback(move |error| errors.send(error.is_panic().then_some(0)).unwrap())
            .build()
            .unwrap();
        assert_eq!(pool.apply(square, 3).unwrap(), 9);
        assert!(pool.apply(panic_with, "on purpose").is_err());
        pool.map(square, 4..6).unwrap();
        if mode == Callbacks::Polled {
            assert_eq!(pool.process_results(), 4);
        }
        assert!(pool.process_all_results(Duration::from_secs(3600)));
        drop(pool);
        let notes: Vec<_> = notes.into_iter().collect();
        assert_eq!(notes, [Some(9), Some(0), Some(16), Some(25)], "{mode:?}");
    }
}

#[test]
fn a_callback_may_submit() {
    let _watchdog = watchdog();
    let pool = Arc::new(pool());
    let inner = Arc::clone(&pool);
    let (sender, values) = channel();
    let future = pool
        .task(square)
        .callback(move |value| sender.send(inner.apply(square, *value).unwrap()).unwrap())
        .submit(3);
    assert_eq!(values.recv().unwrap(), 81);
    assert_eq!(future.wait().unwrap(), 9);
}

#[test]
fn it_ends_like_any_other_pool() {
    let _watchdog = watchdog();
    for end in [
        |pool: &Pool| {
            pool.close();
            pool.join();
        },
        |pool: &Pool| pool.terminate(),
        |pool: &Pool| pool.shutdown(Shutdown::Drain),
        |pool: &Pool| pool.shutdown(Shutdown::CancelPending),
        |pool: &Pool| assert!(pool.finalize(Duration::from_secs(3600)).is_clean()),
    ] {
        let pool = pool();
        assert_eq!(pool.apply(square, 3).unwrap(), 9);
        end(&pool);
        let refused = pool.try_submit(square, 3).unwrap_err();
        assert!(matches!(refused, SubmitError::Closed(3)));
        assert!(pool.apply(square, 3).is_err());
        assert!(pool.start_processing());
        assert_eq!(pool.apply(square, 4).unwrap(), 16);
    }
}

#[test]
fn a_join_waits_for_calls_of_other_threads() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let held = Hold::new(&scratch, "first");
    let pool = builder().grace(Duration::ZERO).build().unwrap();
    thread::scope(|scope| {
        let running = scope.spawn(|| pool.apply(hold, &held));
        held.started.wait();
        assert!(pool.is_working());
        let end = pool.finalize(Duration::from_millis(10));
        assert!(!end.ended, "a call that runs here can't be stopped");
        let ending = scope.spawn(|| pool.finalize(Duration::from_secs(3600)));
        held.release.raise();
        assert!(ending.join().unwrap().ended);
        assert!(running.join().unwrap().is_ok());
    });
}

/// What the initializer keeps.
struct Kept(u64);

#[task]
fn keep(tally: &Tally, n: u64) {
    tally.note("initialized");
    worker::set_state(Kept(n));
}

#[task]
fn add_kept(n: u64) -> u64 {
    worker::with_state(|kept: &mut Kept| kept.0 + n)
}

#[task]
fn finalized(tally: &Tally) {
    tally.note("finalized");
}

#[test]
fn the_initializer_and_the_finalizer_run_here() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let notes = scratch.tally("notes");
    let pool = builder()
        .initializer(keep, (&notes, 40))
        .finalizer(finalized, &notes)
        .build()
        .unwrap();
    assert_eq!(notes.count(), 0, "only the first call needs it");
    assert_eq!(pool.map(add_kept, 1..3).unwrap(), [41, 42]);
    assert_eq!(notes.notes(), ["initialized"]);
    pool.close();
    pool.join();
    pool.join();
    assert_eq!(notes.notes(), ["initialized", "finalized"]);
    assert!(pool.start_processing());
    assert_eq!(pool.apply(add_kept, 2).unwrap(), 42);
    drop(pool);
    assert_eq!(notes.count(), 4);
}

#[task]
fn refuse() -> Result<(), String> {
    Err("no model there".to_owned())
}

#[test]
fn a_failing_initializer_breaks_the_pool() {
    let _watchdog = watchdog();
    let pool = builder().initializer(refuse, ()).build().unwrap();
    for _ in 0..2 {
        let error = pool.apply(square, 3).unwrap_err();
        assert!(
            matches!(error.kind(), TaskErrorKind::PoolBroken(_)),
            "{error}"
        );
        assert!(error.to_string().contains("no model there"), "{error}");
    }
    let refused = pool.try_submit(square, 3).unwrap_err();
    assert!(matches!(refused, SubmitError::Broken(3, _)), "{refused}");
}

#[test]
fn time_limits_are_not_enforced_and_nothing_can_be_cancelled() {
    let _watchdog = watchdog();
    let pool = builder()
        .task_timeout(Duration::from_nanos(1))
        .build()
        .unwrap();
    let mut future = pool.submit(square, 3);
    assert!(!future.cancel() && !future.kill());
    assert_eq!(future.try_result().unwrap().unwrap(), 9);
}

#[test]
fn a_pool_that_lives_at_the_end_of_the_program_runs_its_finalizer() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let mut command = program::command("program_that_leaks_its_pool");
    command.env("PPOOL_TEST_TALLY", scratch.path("notes"));
    Program::run(command).must_succeed();
    assert_eq!(scratch.tally("notes").notes(), ["finalized"]);
}

#[test]
#[ignore = "a program that another test starts"]
fn program_that_leaks_its_pool() {
    let Some(_program) = program::inside() else {
        return;
    };
    let tally = Tally::at(std::env::var_os("PPOOL_TEST_TALLY").expect("a tally"));
    let pool = builder().finalizer(finalized, &tally).build().unwrap();
    let pool: &Pool = Box::leak(Box::new(pool));
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn threads_may_submit_at_once() {
    let _watchdog = watchdog();
    let (pool, sum) = (pool(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for n in 0..4u64 {
            let (pool, sum) = (&pool, &sum);
            scope.spawn(move || {
                for value in pool.map(square, n..n + 50).unwrap() {
                    sum.fetch_add(usize::try_from(value).unwrap(), Ordering::SeqCst);
                }
            });
        }
    });
    until(|| !pool.is_working());
    let expected: u64 = (0..4).flat_map(|n| n..n + 50).map(|n| n * n).sum();
    assert_eq!(sum.into_inner() as u64, expected);
}
