//! How the end of a worker is seen.

use nix::sys::wait::waitpid;
use ppool_core::{
    error::ExitHow,
    sys::{
        epoll::{Events, Interest, Poller},
        pidfd::ExitWatch,
        signal::{self, SIGABRT, SIGCHLD, SIGKILL, SIGTERM},
    },
};

use super::{finish, list, no_children, start};
use crate::runner::{Case, Outcome};

pub(super) const CASES: &[Case] = list![
    an_exit_code_is_reported,
    a_signal_is_reported_by_its_number,
    a_running_worker_is_not_reaped,
    the_end_of_a_worker_wakes_a_wait_point,
    the_peak_of_memory_is_the_workers_own,
    a_peak_that_the_parents_hides_is_left_out,
    an_end_is_seen_while_sigchld_is_ignored,
    an_end_is_waited_for_while_sigchld_is_ignored,
    a_status_that_others_took_is_unknown,
    an_ignored_signal_is_survived_until_the_default_is_back,
    exit_hooks_run_last_first_and_survive_a_panic,
];

fn an_exit_code_is_reported() -> Outcome {
    for code in [0, 1, 3, 255] {
        let (_, how) = finish(start("exit", code)?)?;
        assert_eq!(how, ExitHow::Code(code));
    }
    no_children()
}

fn a_signal_is_reported_by_its_number() -> Outcome {
    for expected in [SIGTERM, SIGKILL, SIGABRT] {
        let (_, how) = finish(start("raise", expected)?)?;
        // Whether a core is dumped is the machine's affair.
        assert!(
            matches!(how, ExitHow::Signal { number, .. } if number == expected),
            "{how:?}"
        );
    }
    no_children()
}

fn a_running_worker_is_not_reaped() -> Outcome {
    let launched = start("wait", 0)?;
    assert_eq!(launched.exit_watch.try_wait()?, None);
    drop(launched.socket);
    assert_eq!(launched.exit_watch.wait()?.how, ExitHow::Code(0));
    assert!(
        !launched.exit_watch.signal(SIGTERM)?,
        "nobody is left to get it"
    );
    no_children()
}

/// Blocks until the watch says that the process has ended, without reaping it.
fn until_readable(watch: &ExitWatch) -> Outcome {
    let poller = Poller::new()?;
    let mut events = Events::with_capacity(4);
    poller.add(watch, 5, Interest::READ)?;
    poller.wait(&mut events, None)?;
    let found: Vec<_> = events
        .iter()
        .map(|event| (event.token, event.readable))
        .collect();
    assert_eq!(found, [(5, true)]);
    Ok(())
}

fn the_end_of_a_worker_wakes_a_wait_point() -> Outcome {
    let launched = start("wait", 0)?;
    assert!(launched.exit_watch.signal(SIGTERM)?);
    until_readable(&launched.exit_watch)?;
    let exit = launched.exit_watch.try_wait()?.ok_or("it has ended")?;
    assert!(matches!(
        exit.how,
        ExitHow::Signal {
            number: SIGTERM,
            ..
        }
    ));
    no_children()
}

fn the_peak_of_memory_is_the_workers_own() -> Outcome {
    let peak = start("use memory", 64)?.exit_watch.wait()?.peak_memory;
    let peak = peak.ok_or("64 MiB are more than this process has used")?;
    assert!((64 << 20..128 << 20).contains(&peak), "{peak}");
    Ok(())
}

fn a_peak_that_the_parents_hides_is_left_out() -> Outcome {
    let memory = vec![1_u8; 256 << 20];
    drop(std::hint::black_box(memory));
    let hidden = start("use memory", 16)?.exit_watch.wait()?;
    assert_eq!((hidden.how, hidden.peak_memory), (ExitHow::Code(0), None));
    let peak = start("use memory", 300)?.exit_watch.wait()?.peak_memory;
    assert!(peak.is_some_and(|peak| peak >= 300 << 20), "{peak:?}");
    Ok(())
}

fn an_end_is_seen_while_sigchld_is_ignored() -> Outcome {
    signal::ignore(SIGCHLD)?;
    let launched = start("wait", 0)?;
    assert_eq!(launched.exit_watch.try_wait()?, None);
    drop(launched.socket);
    until_readable(&launched.exit_watch)?;
    let exit = launched.exit_watch.try_wait()?.ok_or("it has ended")?;
    assert_eq!((exit.how, exit.peak_memory), (ExitHow::Unknown, None));
    assert!(!launched.exit_watch.signal(SIGKILL)?);
    no_children()
}

fn an_end_is_waited_for_while_sigchld_is_ignored() -> Outcome {
    signal::ignore(SIGCHLD)?;
    let launched = start("wait", 0)?;
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| launched.exit_watch.wait());
        launched.exit_watch.signal(SIGKILL)?;
        let exit = waiter.join().expect("it doesn't panic")?;
        assert_eq!(exit.how, ExitHow::Unknown);
        no_children()
    })
}

fn a_status_that_others_took_is_unknown() -> Outcome {
    let launched = start("exit", 3)?;
    waitpid(None, None)?;
    let exit = launched.exit_watch.try_wait()?.ok_or("it has ended")?;
    assert_eq!((exit.how, exit.peak_memory), (ExitHow::Unknown, None));
    assert_eq!(launched.exit_watch.wait()?.how, ExitHow::Unknown);
    Ok(())
}

fn an_ignored_signal_is_survived_until_the_default_is_back() -> Outcome {
    let (said, how) = finish(start("ignore", SIGTERM)?)?;
    assert_eq!(said, "survived");
    assert!(
        matches!(
            how,
            ExitHow::Signal {
                number: SIGTERM,
                ..
            }
        ),
        "{how:?}"
    );
    Ok(())
}

fn exit_hooks_run_last_first_and_survive_a_panic() -> Outcome {
    let (said, how) = finish(start("exit hooks", 0)?)?;
    assert_eq!((said.as_str(), how), ("last late first ", ExitHow::Code(0)));
    Ok(())
}
