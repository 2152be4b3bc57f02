//! Channels between processes: what is sent arrives, and who waits hears of every end.
#![forbid(unsafe_code)]

mod chaos;
#[path = "../common/mod.rs"]
mod common;
mod ends;
mod exchanges;
mod failures;
mod travels;

use std::{collections::BTreeMap, thread, time::Duration};

use common::{Flag, Scratch, until, watchdog};
use ppool::{
    channel::{self, Channel, ChannelError},
    process::Process,
    task,
};
use serde::{Deserialize, Serialize};

/// Sends the squares of what it receives, until the other side hangs up.
#[task]
pub(crate) fn square_all(numbers: Channel<u64, u64>) {
    while let Ok(n) = numbers.receive::<u64>() {
        if numbers.send(n * n).is_err() {
            return;
        }
    }
}

#[test]
fn a_task_talks_with_the_one_who_started_it() {
    let _watchdog = watchdog();
    let squares = channel::start(square_all, ());
    for n in 0..100 {
        squares.send(n).unwrap();
        assert_eq!(squares.receive().unwrap(), n * n);
    }
    assert_ne!(squares.pid(), 0);
    assert_eq!(squares.process().map(Process::pid), Some(squares.pid()));
    squares.close();
    assert!(squares.wait().unwrap().success());
}

#[test]
fn the_other_parameters_follow_the_channel() {
    #[task]
    fn repeat(out: Channel<String, ()>, text: &str, times: u32, numbers: &[u32]) {
        out.send(text.repeat(times as usize)).unwrap();
        out.send(format!("{numbers:?} {}", out.pid())).unwrap();
    }

    let _watchdog = watchdog();
    let texts = channel::start(repeat, ("ab", 3, [1, 2]));
    assert_eq!(texts.receive().unwrap(), "ababab");
    // Who was started is not the parent of who started it.
    assert_eq!(texts.receive().unwrap(), "[1, 2] 0");
}

#[test]
fn a_channel_without_types_carries_anything() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Point {
        x: f64,
        y: Option<String>,
    }

    #[task]
    fn send_various(out: Channel) {
        out.send(7_u8).unwrap();
        out.send("text").unwrap();
        out.send(vec![(1, 'a'), (2, 'b')]).unwrap();
        out.send(Point { x: 0.5, y: None }).unwrap();
        let map: BTreeMap<String, Vec<u64>> = out.receive().unwrap();
        out.send(map.len()).unwrap();
    }

    let _watchdog = watchdog();
    let various = channel::start(send_various, ());
    assert_eq!(various.receive::<u8>().unwrap(), 7);
    assert_eq!(various.receive::<String>().unwrap(), "text");
    let pairs: Vec<(i32, char)> = various.receive().unwrap();
    assert_eq!(pairs, [(1, 'a'), (2, 'b')]);
    assert_eq!(
        various.receive::<Point>().unwrap(),
        Point { x: 0.5, y: None }
    );
    various
        .send(BTreeMap::from([("one", vec![1]), ("two", vec![])]))
        .unwrap();
    assert_eq!(various.receive::<usize>().unwrap(), 2);
    assert!(various.receive::<u8>().unwrap_err().is_hung_up());
}

#[task]
fn send_one(out: Channel<u64, ()>, sent: &Flag) {
    out.send(1).expect("the other side is there");
    sent.raise();
}

#[test]
fn send_returns_when_the_other_side_has_received() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let sent = scratch.flag("sent");
    let channel = channel::start(send_one, &sent);
    until(|| channel.is_ready());
    assert!(!sent.is_up());
    assert_eq!(channel.receive().unwrap(), 1);
    sent.wait();
}

#[test]
fn a_receiver_may_acknowledge_when_its_work_is_done() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let sent = scratch.flag("sent");
    let channel = channel::start(send_one, &sent);
    assert_eq!(channel.receive_unacknowledged().unwrap(), 1);
    assert!(!channel.wait_timeout(Duration::from_millis(20)));
    assert!(!sent.is_up());
    channel.acknowledge().unwrap();
    sent.wait();
    assert!(channel.wait().unwrap().success());
}

#[test]
fn a_sender_need_not_wait_for_acknowledgements() {
    #[task]
    fn count_to(out: Channel<u64, ()>, last: u64, done: &Flag) {
        for n in 0..last {
            out.send_unacknowledged(n).unwrap();
        }
        done.raise();
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let done = scratch.flag("done");
    let few = channel::start(count_to, (20, &done));
    done.wait();
    // It has ended, and what it sent is still there.
    assert!(few.wait().unwrap().success());
    let received: Vec<u64> = std::iter::from_fn(|| few.receive().ok()).collect();
    assert_eq!(received, Vec::from_iter(0..20));

    // More than fit in between: the sender waits for room.
    let many = channel::start(count_to, (20_000, scratch.flag("many")));
    let received: Vec<u64> = std::iter::from_fn(|| many.receive().ok()).collect();
    assert_eq!(received, Vec::from_iter(0..20_000));
}

#[test]
fn values_of_any_size_go_both_ways() {
    #[task]
    fn reverse(bytes: Channel<Vec<u64>, Vec<u64>>) {
        while let Ok(mut numbers) = bytes.receive::<Vec<u64>>() {
            numbers.reverse();
            bytes.send(numbers).unwrap();
        }
    }

    let _watchdog = watchdog();
    let channel = channel::start(reverse, ());
    for len in [0, 1, 1_000, 3_600, 4_096, 10_000, 2_000_000_u64] {
        channel.send(Vec::from_iter(0..len)).unwrap();
        let back: Vec<u64> = channel.receive().unwrap();
        assert!(back.into_iter().eq((0..len).rev()), "{len} numbers");
    }
}

#[test]
fn two_sides_that_send_at_once_get_on() {
    #[task]
    fn send_then_receive(both: Channel<u64, u64>, times: u64, acknowledged: bool) {
        for n in 0..times {
            match acknowledged {
                true => both.send(n).unwrap(),
                false => both.send_unacknowledged(n).unwrap(),
            }
        }
        for n in 0..times {
            assert_eq!(both.receive().unwrap(), n);
        }
    }

    let _watchdog = watchdog();
    for (times, acknowledged) in [(200, true), (5_000, false)] {
        let both = channel::start(send_then_receive, (times, acknowledged));
        for n in 0..times {
            match acknowledged {
                true => both.send(n).unwrap(),
                false => both.send_unacknowledged(n).unwrap(),
            }
        }
        for n in 0..times {
            assert_eq!(both.receive().unwrap(), n);
        }
        assert!(both.wait().unwrap().success());
    }
}

#[test]
fn every_wait_has_a_limit() {
    #[task]
    fn wait_and_receive(numbers: Channel<u64, u64>, release: &Flag) {
        release.wait();
        let sum: u64 = std::iter::from_fn(|| numbers.receive::<u64>().ok())
            .take(2)
            .sum();
        numbers.send(sum).unwrap();
    }

    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let release = scratch.flag("release");
    let numbers = channel::start(wait_and_receive, &release);
    let soon = Duration::from_millis(20);
    assert!(numbers.receive_timeout(soon).unwrap_err().is_timeout());
    assert!(numbers.try_receive().unwrap().is_none());
    assert!(numbers.receive_unacknowledged_timeout(soon).is_err());
    let unacknowledged = numbers.send_timeout(1, soon).unwrap_err();
    assert!(unacknowledged.is_timeout(), "{unacknowledged}");
    assert!(!numbers.wait_timeout(soon));
    assert!(!channel::wait_all_timeout(soon));
    assert!(numbers.try_wait().is_none());
    release.raise();
    // What was sent in vain arrives all the same, and late acknowledgements confuse nobody.
    numbers.send_timeout(2, Duration::MAX).unwrap();
    assert_eq!(numbers.receive_timeout(Duration::MAX).unwrap(), 3);

    // Nobody receives at this one, so it fills up.
    let (one, _other) = Channel::<Vec<u8>, ()>::pair().unwrap();
    let full = (0..).find_map(|_| one.send_unacknowledged_timeout([0; 10_000], soon).err());
    assert!(full.is_some_and(|error| error.is_timeout()));
}

#[test]
fn a_message_of_another_type_is_an_error_and_received() {
    #[task]
    fn send_two(out: Channel) {
        out.send("no number").unwrap();
        out.send(5).unwrap();
    }

    let _watchdog = watchdog();
    let channel = channel::start(send_two, ());
    let error = channel.receive::<u64>().unwrap_err();
    assert!(matches!(error, ChannelError::Decode(_)), "{error}");
    assert_eq!(channel.receive::<u64>().unwrap(), 5);
}

#[test]
fn threads_of_one_process_may_talk_too() {
    let _watchdog = watchdog();
    let (one, other) = Channel::<String, u64>::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let text: String = other.receive().unwrap();
            other.send(text.len() as u64).unwrap();
        });
        one.send("threads").unwrap();
        assert_eq!(one.receive().unwrap(), 7);
        assert!(matches!(one.receive(), Err(ChannelError::HungUp)));
    });
    assert_eq!((one.pid(), one.wait()), (0, None));
}

#[test]
fn settings_of_the_process_can_be_given() {
    #[task]
    fn tell_name(out: Channel<String, ()>) {
        out.send(ppool::process::current().name()).unwrap();
    }

    let _watchdog = watchdog();
    let settings = Process::builder().name("teller").daemon(true);
    let channel = channel::start_with(settings, tell_name, ()).unwrap();
    assert_eq!(channel.receive().unwrap(), "teller");
    assert!(channel.process().unwrap().is_daemon());
}
