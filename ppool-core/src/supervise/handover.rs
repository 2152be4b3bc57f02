//! What a new worker process finds: how it knows that it is one, and where its socket is.
//!
//! ```text
//!  PPOOL_WORKER=1:3:4711
//!               │ │ └ the process that started it
//!               │ └ the descriptor of its socket
//!               └ the protocol of this hand-over
//! ```
//!
//! Pure: text in, text out. The launcher writes it, the worker's hook reads it and removes it, so
//! that a program started by a task is an ordinary one.

use std::os::fd::RawFd;

/// The environment variable that makes a process a worker.
pub const VARIABLE: &str = "PPOOL_WORKER";

/// The number of the worker's end of the socket: the first one above the standard streams.
pub const FD: RawFd = 3;

/// The version of the hand-over. Both sides are the same file, so another version means that the
/// variable came from elsewhere.
pub const PROTOCOL: u32 = 1;

/// What the variable says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handover {
    /// The version of the hand-over; only [`PROTOCOL`] is understood.
    pub protocol: u32,
    /// The descriptor of the worker's socket.
    pub fd: RawFd,
    /// The id of the process that started the worker.
    pub parent_pid: u32,
}

/// The variable's value for a worker that the process `parent_pid` starts.
#[must_use]
pub fn encode(parent_pid: u32) -> String {
    format!("{PROTOCOL}:{FD}:{parent_pid}")
}

/// What the variable's value says; None when it was not made by [`encode`] of any version.
#[must_use]
pub fn parse(value: &str) -> Option<Handover> {
    let mut parts = value.split(':');
    let protocol = number(parts.next()?)?;
    let fd = number(parts.next()?)?.try_into().ok()?;
    let parent_pid = number(parts.next()?)?;
    // A later version may say more; only this one is known to end here.
    if protocol == PROTOCOL && parts.next().is_some() {
        return None;
    }
    Some(Handover {
        protocol,
        fd,
        parent_pid,
    })
}

/// Digits only; Rust's own parser would also take a sign.
fn number(digits: &str) -> Option<u32> {
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nonsense_is_not_understood() {
        for value in [
            "",
            "1",
            "1:3",
            "1:3:",
            ":3:4",
            "1:3:4:5",
            "1:-3:4",
            "+1:3:4",
            "1:3:x",
            "1: 3:4",
            "1:3:4294967296",
            "1:4294967295:4",
        ] {
            assert_eq!(parse(value), None, "{value:?}");
        }
    }

    #[test]
    fn another_protocol_is_seen_as_such() {
        assert_eq!(
            parse("2:3:4:more").map(|handover| handover.protocol),
            Some(2)
        );
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_parsed(parent_pid: u32) {
            let expected = Handover { protocol: PROTOCOL, fd: FD, parent_pid };
            prop_assert_eq!(parse(&encode(parent_pid)), Some(expected));
        }

        #[test]
        fn no_text_makes_it_panic(value: String) {
            let _ = parse(&value);
        }
    }
}
