//! Collecting from many channels.

use std::{rc::Rc, time::Duration};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use ppool::{
    channel::{self, Channel, ChannelError, Exchange},
    task,
};

use crate::common::{
    Flag, Scratch, Tally,
    program::{self, Program},
    tasks::End,
    until, watchdog,
};

#[task]
fn square(out: Channel<u64, ()>, n: u64) {
    out.send(n * n).expect("the other side is there");
}

#[test]
fn a_store_collects_from_a_limited_number_of_processes() {
    #[task]
    fn square_and_note(out: Channel<u64, ()>, n: u64, running: &Tally) {
        running.note("+");
        out.send(n * n).unwrap();
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let running = scratch.tally("running");
    let mut squares = Vec::new();
    let exchange = Exchange::with_limit(3)
        .store(|channel: &Channel<(), u64>| squares.push(channel.receive().unwrap()));
    for n in 0..20 {
        exchange
            .add_wait(channel::start(square_and_note, (n, &running)))
            .unwrap();
        assert!(exchange.active().len() <= 3);
    }
    exchange.wait();
    assert!(exchange.active().len() < 3);
    exchange.finish();
    squares.sort_unstable();
    assert_eq!(squares, Vec::from_iter((0..20).map(|n| n * n)));
    assert_eq!(running.count(), 20);
}

#[test]
fn a_slow_process_does_not_keep_the_others_waiting() {
    #[task]
    fn square_when_released(out: Channel<u64, ()>, n: u64, release: Option<Flag>) {
        if let Some(release) = release {
            release.wait();
        }
        out.send(n * n).unwrap();
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let release = scratch.flag("release");
    let exchange = Exchange::new();
    // The slow one first.
    for n in 0..10 {
        let release = (n == 0).then(|| release.clone());
        exchange
            .add(channel::start(square_when_released, (n, release)))
            .unwrap();
    }
    let mut squares: Vec<u64> = Vec::new();
    while exchange.active().len() > 1 {
        for channel in exchange.ready(None) {
            squares.push(channel.receive().unwrap());
        }
    }
    squares.sort_unstable();
    assert_eq!(squares, Vec::from_iter((1..10).map(|n| n * n)));
    assert!(exchange.ready(Duration::ZERO).is_empty());
    assert!(exchange.ready(Duration::from_millis(20)).is_empty());
    release.raise();
    while !exchange.active().is_empty() {
        for channel in exchange.ready(None) {
            assert_eq!(channel.receive::<u64>().unwrap(), 0);
        }
    }
    // Nothing can come, so nobody waits.
    assert!(exchange.ready(None).is_empty());
}

#[test]
fn what_comes_together_with_the_hang_up_is_delivered() {
    #[task]
    fn send_and_end(out: Channel<u64, ()>, times: u64, how: End) {
        for n in 0..times {
            out.send_unacknowledged(n).unwrap();
        }
        how.come();
    }

    let _watchdog = watchdog();
    for autoclose in [true, false] {
        let exchange = Exchange::new().autoclose(autoclose);
        for how in [End::Exit(0), End::Kill, End::Abort] {
            let channel = channel::start(send_and_end, (10, how));
            // All is there at once: ten messages and the end.
            channel.wait();
            exchange.add(channel).unwrap();
        }
        let mut received = Vec::new();
        let mut removed = Vec::new();
        while !exchange.active().is_empty() {
            for channel in exchange.ready(None) {
                received.push(channel.receive::<u64>().unwrap());
            }
            removed.extend(exchange.removed());
        }
        received.sort_unstable();
        let expected: Vec<u64> = (0..10).flat_map(|n| [n; 3]).collect();
        assert_eq!(received, expected);
        assert_eq!(removed.len(), 3);
        assert!(
            removed
                .iter()
                .all(|channel| channel.is_closed() == autoclose)
        );
    }
}

#[test]
fn how_a_task_failed_is_something_to_receive() {
    #[task]
    fn fail(_out: Channel<u64, ()>, n: u64) -> Result<(), String> {
        match n % 2 {
            0 => Err(format!("{n} is even")),
            _ => panic!("{n} is odd"),
        }
    }

    let _watchdog = watchdog();
    let mut failures = Vec::new();
    let exchange = Exchange::new().store(|channel: &Channel<(), u64>| {
        if let Err(ChannelError::Remote(failure)) = channel.receive() {
            failures.push(failure.message());
        }
    });
    for n in 0..4 {
        exchange.add(channel::start(fail, n)).unwrap();
    }
    exchange.finish();
    failures.sort_unstable();
    assert_eq!(failures, ["0 is even", "1 is odd", "2 is even", "3 is odd"]);
}

#[test]
fn a_process_that_sends_often_is_one_of_many() {
    #[task]
    fn send_many(out: Channel<u64, ()>, first: u64) {
        for n in first..first + 50 {
            out.send_unacknowledged(n).unwrap();
        }
    }

    let _watchdog = watchdog();
    let mut received = Vec::new();
    let exchange = Exchange::new()
        .store(|channel: &Channel<(), u64>| received.extend(channel.receive::<u64>()));
    for first in [0, 50, 100, 150] {
        exchange.add(channel::start(send_many, first)).unwrap();
    }
    exchange.finish();
    received.sort_unstable();
    assert_eq!(received, Vec::from_iter(0..200));
}

#[test]
fn channels_can_be_removed_and_kept() {
    let _watchdog = watchdog();
    let channels = [1, 2, 3].map(|n| Rc::new(channel::start(square, n)));
    let exchange = Exchange::with_channels(channels.iter().cloned())
        .unwrap()
        .autoclose(false);
    assert_eq!(exchange.active().len(), 3);
    assert!(exchange.remove(&channels[1]));
    assert!(!exchange.remove(&channels[1]));
    assert!(!channels[1].is_closed());
    assert_eq!(channels[1].receive().unwrap(), 4);
    // One that is closed here has ended as well.
    channels[2].close();
    until(|| {
        let _ = exchange.ready(Duration::ZERO);
        exchange.active().len() == 1
    });
    assert!(Rc::ptr_eq(&exchange.active()[0], &channels[0]));
    drop(exchange);
    assert_eq!(channels[0].receive().unwrap(), 1);
}

/// `select` would stop at 1,024 descriptors.
#[test]
fn thousands_of_channels_are_watched_at_once() {
    let _watchdog = watchdog();
    Program::start("exchanges::program_with_thousands_of_channels").must_succeed();
}

#[test]
#[ignore = "a program that another test starts"]
fn program_with_thousands_of_channels() {
    if program::inside().is_none() {
        return;
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let most = usize::try_from(hard).unwrap_or(usize::MAX);
    let pairs = 2_000.min(most.saturating_sub(100) / 2);
    let exchange = Exchange::new();
    let mut others = Vec::new();
    for n in 0..pairs {
        let (one, other) = Channel::<u64, u64>::pair().unwrap();
        exchange.add(one).unwrap();
        others.push((n as u64, other));
    }
    // From the last to the first, and then they hang up.
    for (n, other) in others.drain(..).rev() {
        other.send_unacknowledged(n).unwrap();
    }
    let mut received = Vec::new();
    while !exchange.active().is_empty() {
        for channel in exchange.ready(None) {
            received.push(channel.receive::<u64>().unwrap());
        }
    }
    received.sort_unstable();
    assert_eq!(received, Vec::from_iter(0..pairs as u64));
}

#[test]
#[should_panic(expected = "needs a `store` closure")]
fn an_exchange_that_waits_by_itself_needs_a_store() {
    let _watchdog = watchdog();
    let (one, _other) = Channel::<u64, u64>::pair().unwrap();
    let exchange = Exchange::with_limit(1);
    exchange.add(one).unwrap();
    exchange.wait();
}
