//! What a new worker process finds: how it knows that it is one, and where its socket is.
//!
//! ```text
//!  PPOOL_WORKER=1:3:4711           PPOOL_WORKER=1:3:4711:manager
//!               │ │ └ the process that started it      └ its role, when it isn't a worker of a pool
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

/// What a process is started for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It speaks `wire` over its socket.
    Worker,
    /// It serves a manager, whose first door its socket is.
    Manager,
}

/// The text that makes a process the server of a manager.
const MANAGER: &str = "manager";

/// What the variable says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handover {
    /// The version of the hand-over; only [`PROTOCOL`] is understood.
    pub protocol: u32,
    /// The descriptor of the worker's socket.
    pub fd: RawFd,
    /// The id of the process that started the worker.
    pub parent_pid: u32,
    /// What it was started for.
    pub role: Role,
}

/// The variable's value for a process of this role that the process `parent_pid` starts.
#[must_use]
pub fn encode(parent_pid: u32, role: Role) -> String {
    match role {
        Role::Worker => format!("{PROTOCOL}:{FD}:{parent_pid}"),
        Role::Manager => format!("{PROTOCOL}:{FD}:{parent_pid}:{MANAGER}"),
    }
}

/// What the variable's value says; None when it was not made by [`encode`] of any version.
#[must_use]
pub fn parse(value: &str) -> Option<Handover> {
    let mut parts = value.split(':');
    let protocol = number(parts.next()?)?;
    let fd = number(parts.next()?)?.try_into().ok()?;
    let parent_pid = number(parts.next()?)?;
    let role = match parts.next() {
        None => Role::Worker,
        Some(MANAGER) if parts.next().is_none() => Role::Manager,
        // A later version may say more; of this one no more is known.
        Some(_) if protocol == PROTOCOL => return None,
        Some(_) => Role::Worker,
    };
    Some(Handover {
        protocol,
        fd,
        parent_pid,
        role,
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
            "1:3:4:",
            "1:3:4:manager:5",
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
        fn what_is_encoded_is_parsed(parent_pid: u32, is_manager: bool) {
            let role = if is_manager { Role::Manager } else { Role::Worker };
            let expected = Handover { protocol: PROTOCOL, fd: FD, parent_pid, role };
            prop_assert_eq!(parse(&encode(parent_pid, role)), Some(expected));
        }

        #[test]
        fn no_text_makes_it_panic(value: String) {
            let _ = parse(&value);
        }
    }
}
