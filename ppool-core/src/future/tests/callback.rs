use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::{super::*, support::*};

/// Numbers in the order in which jobs wrote them.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u32>>>);

impl Log {
    fn job(&self, number: u32) -> Box<dyn FnOnce() + Send> {
        let log = self.clone();
        Box::new(move || log.0.lock().unwrap().push(number))
    }

    fn numbers(&self) -> Vec<u32> {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn jobs_run_in_order_and_stopping_runs_all_of_them() {
    guarded(|| {
        let runner = CallbackRunner::new(Callbacks::Background);
        let log = Log::default();
        for number in 0..1000 {
            runner.run(log.job(number));
        }
        runner.drain_and_stop();
        assert!(log.numbers().into_iter().eq(0..1000));
    });
}

#[test]
fn a_runner_without_jobs_has_no_thread() {
    let runner = CallbackRunner::with_start(Callbacks::Background, |_| {
        panic!("a thread is started without a job")
    });
    assert!(runner.wait_until_idle(None));
    assert!(!runner.is_current_thread());
    runner.daemonize();
    runner.drain_and_stop();
    runner.drain_and_stop();
}

#[test]
fn a_job_that_panics_harms_nobody() {
    struct PanicTwice;
    impl Drop for PanicTwice {
        fn drop(&mut self) {
            panic!("expected in this test: dropping what was thrown");
        }
    }
    guarded(|| {
        let runner = CallbackRunner::new(Callbacks::Background);
        let log = Log::default();
        runner.run(Box::new(|| panic!("expected in this test: a job")));
        runner.run(Box::new(|| std::panic::panic_any(PanicTwice)));
        runner.run(log.job(1));
        runner.drain_and_stop();
        assert_eq!(log.numbers(), [1]);
    });
}

#[test]
fn polled_jobs_wait_for_process() {
    let runner = CallbackRunner::new(Callbacks::Polled);
    let log = Log::default();
    for number in 0..5 {
        runner.run(log.job(number));
    }
    assert!(log.numbers().is_empty());
    assert!(!runner.wait_until_idle(None), "nobody else would run them");
    assert_eq!(runner.process(Some(2)), 2);
    assert_eq!(log.numbers(), [0, 1]);
    assert_eq!(runner.process(None), 3);
    assert_eq!(runner.process(None), 0);
    assert!(runner.wait_until_idle(None));
    runner.run(log.job(5));
    runner.drain_and_stop();
    assert_eq!(log.numbers(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_polled_job_that_queues_another_does_not_keep_process_going() {
    fn endless(runner: Arc<CallbackRunner>) {
        let next = Arc::clone(&runner);
        runner.run(Box::new(move || endless(next)));
    }
    let runner = Arc::new(CallbackRunner::new(Callbacks::Polled));
    endless(Arc::clone(&runner));
    assert_eq!(runner.process(None), 1);
    assert_eq!(runner.process(Some(9)), 1);
}

#[test]
fn daemonize_runs_what_is_queued_in_the_background() {
    guarded(|| {
        let runner = CallbackRunner::new(Callbacks::Polled);
        let log = Log::default();
        let (said, heard) = mpsc::channel();
        runner.run(log.job(1));
        runner.run(Box::new(move || {
            let name = thread::current().name().map(str::to_owned);
            said.send(name).unwrap();
        }));
        runner.daemonize();
        assert_eq!(heard.recv().unwrap().as_deref(), Some("ppool-callbacks"));
        assert_eq!(runner.process(None), 0);
        runner.run(log.job(2));
        assert!(runner.wait_until_idle(None));
        assert_eq!(log.numbers(), [1, 2]);
    });
}

#[test]
fn waiting_for_idle_waits_for_the_job_that_runs() {
    guarded(|| {
        let runner = CallbackRunner::new(Callbacks::Background);
        let (job, has_begun, open) = gate();
        runner.run(Box::new(job));
        has_begun.recv().unwrap();
        assert!(!runner.wait_until_idle(Some(Instant::now())));
        assert!(!runner.wait_until_idle(Some(Instant::now() + Duration::from_millis(1))));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| runner.wait_until_idle(None));
            open.send(()).unwrap();
            assert!(waiter.join().unwrap());
        });
    });
}

#[test]
fn the_callback_thread_knows_itself_and_may_stop_itself() {
    guarded(|| {
        let runner = Arc::new(CallbackRunner::new(Callbacks::Background));
        let log = Log::default();
        let (said, heard) = mpsc::channel();
        let (inner, log_inner) = (Arc::clone(&runner), log.clone());
        runner.run(Box::new(move || {
            let is_here = inner.is_current_thread();
            let was_idle = inner.wait_until_idle(None);
            inner.drain_and_stop();
            // It still serves what comes until its queue is empty.
            inner.run(log_inner.job(1));
            said.send((is_here, was_idle)).unwrap();
        }));
        assert_eq!(heard.recv().unwrap(), (true, false));
        assert!(!runner.is_current_thread());
        runner.drain_and_stop();
        assert_eq!(log.numbers(), [1]);
    });
}

#[test]
fn several_threads_may_stop_a_runner_and_all_wait() {
    guarded(|| {
        let runner = CallbackRunner::new(Callbacks::Background);
        let log = Log::default();
        let (job, has_begun, open) = gate();
        runner.run(Box::new(job));
        runner.run(log.job(1));
        has_begun.recv().unwrap();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    runner.drain_and_stop();
                    assert_eq!(log.numbers(), [1]);
                });
            }
            open.send(()).unwrap();
        });
    });
}

#[test]
fn after_the_end_jobs_run_in_place() {
    for mode in [Callbacks::Background, Callbacks::Polled] {
        let runner = CallbackRunner::new(mode);
        runner.drain_and_stop();
        let log = Log::default();
        runner.run(log.job(1));
        runner.run(Box::new(|| panic!("expected in this test: a job in place")));
        assert_eq!(log.numbers(), [1]);
    }
}

#[test]
fn jobs_run_in_place_when_no_thread_can_be_started() {
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    let runner = CallbackRunner::with_start(Callbacks::Polled, |_| {
        TRIES.fetch_add(1, SeqCst);
        Err(io::ErrorKind::WouldBlock.into())
    });
    let log = Log::default();
    runner.run(log.job(1));
    runner.daemonize();
    assert_eq!(log.numbers(), [1]);
    runner.run(log.job(2));
    assert_eq!(log.numbers(), [1, 2]);
    assert_eq!(TRIES.load(SeqCst), 2, "each time it tries again");
    runner.drain_and_stop();
}

#[test]
fn a_dropped_runner_still_runs_what_its_thread_has_queued() {
    guarded(|| {
        let runner = CallbackRunner::new(Callbacks::Background);
        let (job, has_begun, open) = gate();
        let (said, heard) = mpsc::channel();
        runner.run(Box::new(job));
        runner.run(Box::new(move || said.send(()).unwrap()));
        has_begun.recv().unwrap();
        drop(runner);
        open.send(()).unwrap();
        heard.recv().unwrap();
        assert!(heard.recv().is_err(), "the job ran once");
    });
}
