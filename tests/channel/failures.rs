//! What the other side hears when a task fails, dies or can't be started.

use ppool::{
    RemoteError,
    channel::{self, Channel, ChannelError, Exchange, RemoteFailure},
    task,
};
use serde::{Deserialize, Serialize};

use crate::common::{tasks::End, watchdog};

#[task]
fn fail_after(out: Channel<u64, ()>, message: &str) -> Result<(), RemoteError> {
    out.send(1)?;
    Err(RemoteError::new(message).context("it failed"))
}

#[task]
fn panic_after(out: Channel<u64, ()>, message: &str) {
    out.send_unacknowledged(1).expect("the other side is there");
    panic!("{message}");
}

#[test]
fn a_failed_task_sends_its_error_after_what_it_had_sent() {
    let _watchdog = watchdog();
    let channel = channel::start(fail_after, "no disk");
    assert_eq!(channel.receive().unwrap(), 1);
    let error = channel.receive().unwrap_err();
    assert!(error.is_remote() && error.is_hung_up());
    assert!(error.to_string().contains("it failed: no disk"), "{error}");
    let ChannelError::Remote(failure) = error else {
        panic!("{error}")
    };
    assert_eq!(failure.error().unwrap().to_string(), "it failed");
    assert_eq!(channel.wait().unwrap().exit_code(), Some(1));
    // As often as one asks.
    assert!(channel.receive().unwrap_err().is_remote());
}

#[test]
fn a_panic_arrives_with_its_place() {
    let _watchdog = watchdog();
    let channel = channel::start(panic_after, "oh dear");
    assert_eq!(channel.receive().unwrap(), 1);
    let Err(ChannelError::Remote(failure)) = channel.receive() else {
        panic!("no failure")
    };
    let panic = failure.panic().unwrap();
    assert_eq!(
        (panic.message(), failure.message().as_str()),
        ("oh dear", "oh dear")
    );
    let location = panic.location().unwrap();
    assert!(location.to_string().contains("failures.rs"), "{location}");
    assert_eq!(channel.wait().unwrap().exit_code(), Some(101));
}

#[test]
fn a_panic_that_can_not_unwind_arrives_too() {
    #[task]
    fn panic_twice(out: Channel<u64, ()>) {
        struct PanicWhenDropped;

        impl Drop for PanicWhenDropped {
            fn drop(&mut self) {
                panic!("second");
            }
        }

        out.send(1).unwrap();
        let _second = PanicWhenDropped;
        panic!("first");
    }

    let _watchdog = watchdog();
    let channel = channel::start(panic_twice, ());
    assert_eq!(channel.receive().unwrap(), 1);
    let error = channel.receive().unwrap_err();
    assert!(error.is_remote(), "{error}");
    assert_eq!(channel.wait().unwrap().signal_name(), Some("SIGABRT"));
}

#[test]
fn who_sends_to_a_task_that_fails_hears_how() {
    let _watchdog = watchdog();
    let channel = channel::start(panic_after, "deaf").typed::<u64, u64>();
    let error = channel.send(7).unwrap_err();
    assert!(error.to_string().contains("deaf"), "{error}");
    assert_eq!(channel.receive().unwrap(), 1, "it came before");
    assert!(channel.send(8).unwrap_err().is_remote());
}

#[task]
fn send_and_end(out: Channel<u64, ()>, times: u64, how: End) {
    for n in 0..times {
        out.send_unacknowledged(n).expect("the other side is there");
    }
    how.come();
}

#[test]
fn what_was_sent_before_a_death_is_received_before_the_hang_up() {
    let _watchdog = watchdog();
    for how in [
        End::Exit(0),
        End::Exit(3),
        End::Abort,
        End::Kill,
        End::Segfault,
    ] {
        let channel = channel::start(send_and_end, (50, how));
        let exit = channel.wait().unwrap();
        for n in 0..50 {
            assert_eq!(channel.receive().unwrap(), n, "{how:?}");
        }
        assert!(matches!(channel.receive(), Err(ChannelError::HungUp)));
        assert!(matches!(channel.send(()), Err(ChannelError::HungUp)));
        let ended = exit
            .exit_code()
            .ok_or(exit.signal_name().unwrap_or_default());
        assert_eq!(ended, how.exit());
    }
}

#[test]
fn a_sender_hears_when_its_receiver_dies_first() {
    #[task]
    fn never_receive(_deaf: Channel<(), u64>) {
        crate::common::until(|| false);
    }

    let _watchdog = watchdog();
    let channel = channel::start(never_receive, ());
    let process = channel.process().unwrap().clone();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A moment in which the other thread probably waits; either order must do.
            assert!(!process.join_timeout(std::time::Duration::from_millis(20)));
            process.kill().unwrap();
        });
        assert!(channel.send(1).unwrap_err().is_hung_up());
    });
}

/// Can't be encoded where `self.0` is odd.
#[derive(Debug, Deserialize)]
struct Odd(u64);

impl Serialize for Odd {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 % 2 {
            0 => self.0.serialize(to),
            _ => Err(serde::ser::Error::custom("it is odd")),
        }
    }
}

#[task]
fn take_odd(out: Channel<u64, ()>, first: u64, odd: Odd) {
    out.send(first + odd.0).expect("the other side is there");
}

#[test]
fn what_can_not_be_started_is_said_at_the_first_use() {
    let _watchdog = watchdog();
    let error = channel::try_start(take_odd, (1, Odd(1))).unwrap_err();
    assert_eq!(error.encode_error().unwrap().parameter(), Some("odd"));
    assert_eq!(channel::start(take_odd, (1, Odd(2))).receive().unwrap(), 3);

    let channel = channel::start(take_odd, (1, Odd(1)));
    let error = channel.receive().unwrap_err();
    assert!(matches!(error, ChannelError::Start(_)));
    assert!(error.to_string().contains("it is odd"), "{error}");
    assert!(matches!(channel.send(()), Err(ChannelError::Start(_))));
    assert_eq!(channel.wait(), None);

    // An exchange gives it to whoever collects, once.
    let mut heard = Vec::new();
    let exchange =
        Exchange::new().store(|channel: &Channel<(), u64>| heard.push(channel.receive()));
    exchange.add(channel::start(take_odd, (1, Odd(1)))).unwrap();
    exchange.add(channel::start(take_odd, (1, Odd(4)))).unwrap();
    exchange.finish();
    assert!(
        matches!(heard[..], [Err(ChannelError::Start(_)), Ok(5)]),
        "{heard:?}"
    );
}

#[test]
fn a_value_that_can_not_be_encoded_is_not_sent() {
    let _watchdog = watchdog();
    let (one, other) = Channel::<Odd, ()>::pair().unwrap();
    let error = one.send(Odd(1)).unwrap_err();
    assert!(error.to_string().contains("it is odd"), "{error}");
    assert!(other.try_receive::<Odd>().unwrap().is_none());
    one.send_unacknowledged(Odd(2)).unwrap();
    assert_eq!(other.receive::<Odd>().unwrap().0, 2);
}

#[test]
fn arguments_that_can_not_be_decoded_are_told_by_the_channel() {
    #[derive(Debug, Serialize)]
    struct Picky(u64);

    impl<'de> Deserialize<'de> for Picky {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("picky"))
        }
    }

    #[task]
    fn take_picky(_out: Channel<u64, ()>, picky: Picky) {
        let _ = picky.0;
    }

    let _watchdog = watchdog();
    let channel = channel::start(take_picky, Picky(1));
    let Err(ChannelError::Remote(RemoteFailure::Error(error))) = channel.receive() else {
        panic!("no failure")
    };
    let message = format!("{error:#}");
    assert!(message.contains("`picky` of task"), "{message}");
}

#[test]
fn what_is_no_message_ends_the_channel() {
    use std::os::{fd::AsFd, unix::net::UnixDatagram};

    let _watchdog = watchdog();
    for nonsense in [&b"x"[..], &[0; 16], &[3; 16], &[9; 40_000]] {
        let (one, other) = Channel::<u64, u64>::pair().unwrap();
        // Any socket will do for a `send`.
        let socket = UnixDatagram::from(other.as_fd().try_clone_to_owned().unwrap());
        socket.send(nonsense).unwrap();
        let error = one.receive().unwrap_err();
        assert!(matches!(error, ChannelError::Acknowledgement), "{error}");
        let error = std::io::Error::from(error);
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        assert!(matches!(one.receive(), Err(ChannelError::Closed)));
    }
}

#[test]
fn an_error_of_a_channel_can_be_a_task_s_own() {
    #[task]
    fn ask_and_fail(in_: Channel<u64, u64>) -> Result<u64, RemoteError> {
        Ok(in_.receive::<u64>()?)
    }

    let _watchdog = watchdog();
    let channel = channel::start(ask_and_fail, ());
    let process = channel.process().unwrap().clone();
    drop(channel);
    assert_eq!(process.join().unwrap().exit_code(), Some(1));
}
