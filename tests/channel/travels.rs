//! Ends of channels on their way: as arguments, in values, through other channels.

use std::{fs::File, io::Read};

use ppool::{
    Pool,
    channel::{self, Channel, ChannelError},
    process::Process,
    shared::Descriptor,
    task,
};
use serde::{Deserialize, Serialize};

use crate::{
    common::{pool_of, tasks::square, watchdog},
    square_all,
};

/// Adds what it receives, until the other side hangs up.
#[task]
fn add(numbers: Channel<(), u64>, sum: Channel<u64, ()>) {
    let received = std::iter::from_fn(|| numbers.receive::<u64>().ok());
    sum.send(received.sum::<u64>())
        .expect("the other side is there");
}

#[task]
fn count(numbers: Channel<u64, ()>, to: u64) {
    for n in 1..=to {
        numbers.send(n).expect("the other side is there");
    }
}

#[test]
fn two_processes_talk_past_the_one_who_started_them() {
    let _watchdog = watchdog();
    let (out, in_) = Channel::<u64, ()>::pair().unwrap();
    let (sum, result) = Channel::<u64, ()>::pair().unwrap();
    let adder = Process::spawn(add, (in_, sum)).unwrap();
    let counter = Process::spawn(count, (out, 100)).unwrap();
    assert_eq!(result.receive::<u64>().unwrap(), 5050);
    assert!(adder.join().unwrap().success() && counter.join().unwrap().success());
}

#[test]
fn an_end_is_an_argument_of_a_call() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let (worker, here) = Channel::<u64, ()>::pair().unwrap();
    let call = pool.submit(count, (worker, 5));
    for n in 1..=5 {
        assert_eq!(here.receive::<u64>().unwrap(), n);
    }
    call.wait().unwrap();
    assert!(matches!(here.receive::<u64>(), Err(ChannelError::HungUp)));
}

#[test]
fn an_end_is_sent_through_a_channel_within_a_value() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Order {
        what: String,
        to: Channel<u64, ()>,
    }

    #[task]
    fn serve(orders: Channel<(), Order>) {
        while let Ok(order) = orders.receive::<Order>() {
            order.to.send(order.what.len() as u64).unwrap();
        }
    }

    let _watchdog = watchdog();
    let orders = channel::start(serve, ());
    for what in ["", "tea", "more tea"] {
        let (to, from) = Channel::pair().unwrap();
        orders
            .send(Order {
                what: what.into(),
                to,
            })
            .unwrap();
        assert_eq!(from.receive::<u64>().unwrap(), what.len() as u64);
    }
}

#[test]
fn a_channel_in_use_goes_on_elsewhere() {
    #[task]
    fn go_on(squares: Channel<u64, u64>, from: u64) -> u64 {
        squares.send(from).unwrap();
        squares.receive::<u64>().unwrap()
    }

    let _watchdog = watchdog();
    let pool: Pool = pool_of(1);
    let squares = channel::start(square_all, ());
    squares.send(3).unwrap();
    assert_eq!(squares.receive().unwrap(), 9);
    let process = squares.process().unwrap().clone();
    assert_eq!(pool.apply(go_on, (squares, 4)).unwrap(), 16);
    // The last end is gone with the call.
    assert!(process.join().unwrap().success());
    assert_eq!(pool.apply(square, 2).unwrap(), 4);
}

#[test]
fn an_end_that_was_given_away_is_closed_here() {
    let _watchdog = watchdog();
    let (out, in_) = Channel::<Channel<u64, ()>, ()>::pair().unwrap();
    let (given, kept) = Channel::<u64, ()>::pair().unwrap();
    out.send_unacknowledged(&given).unwrap();
    assert!(given.is_closed());
    assert!(matches!(given.send(1), Err(ChannelError::Closed)));
    let arrived: Channel<u64, ()> = in_.receive().unwrap();
    arrived.send_unacknowledged(1).unwrap();
    assert_eq!(kept.receive::<u64>().unwrap(), 1);
}

#[test]
fn an_end_that_holds_messages_stays() {
    let _watchdog = watchdog();
    let (out, _in) = Channel::<Channel<(), u64>, ()>::pair().unwrap();
    let (one, other) = Channel::<u64, ()>::pair().unwrap();
    one.send_unacknowledged(7).unwrap();
    // Looking takes it from the socket.
    assert!(other.is_ready());
    let error = out.send_unacknowledged(&other).unwrap_err();
    assert!(error.to_string().contains("not received"), "{error}");
    assert_eq!(other.receive::<u64>().unwrap(), 7);
    out.send_unacknowledged(&other).unwrap();
}

#[test]
fn outside_ppool_an_end_does_not_travel_and_stays() {
    let _watchdog = watchdog();
    let (one, other) = Channel::<u64, ()>::pair().unwrap();
    let error = serde_json::to_string(&one).unwrap_err().to_string();
    assert!(error.contains("only travel as an argument"), "{error}");
    one.send_unacknowledged(1).unwrap();
    assert_eq!(other.receive::<u64>().unwrap(), 1);
}

#[test]
fn other_handles_travel_through_channels() {
    let _watchdog = watchdog();
    let (one, other) = Channel::<Vec<Descriptor>, ()>::pair().unwrap();
    let file = || Descriptor::from(File::open("/proc/self/stat").unwrap());
    one.send_unacknowledged([file(), file()]).unwrap();
    for descriptor in other.receive::<Vec<Descriptor>>().unwrap() {
        let mut text = String::new();
        File::from(descriptor).read_to_string(&mut text).unwrap();
        assert!(text.starts_with(&std::process::id().to_string()), "{text}");
    }
    let many: Vec<_> = (0..300).map(|_| file()).collect();
    let error = one.send(many).unwrap_err();
    assert!(
        error.to_string().contains("more than 252 handles"),
        "{error}"
    );
}
