//! A lock, and a place to wait without it: what is behind a condition.
//!
//! ```text
//!  owner ── wait ──► sleeper ── notified, or its time is over ──► waits for the lock ──► owner
//! ```

use std::collections::{HashMap, VecDeque};

use super::{
    gate::{Gate, Granted},
    state::ClientId,
};
use crate::manager::protocol::Answer;

/// A condition.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) gate: Gate,
    /// The one that has slept longest is the first.
    sleepers: VecDeque<ClientId>,
    /// Those that wait for the lock after their sleep, and whether somebody notified them.
    woken: HashMap<ClientId, bool>,
}

impl Monitor {
    pub(super) fn new() -> Self {
        Monitor {
            gate: Gate::new(1, Some(1)),
            sleepers: VecDeque::new(),
            woken: HashMap::new(),
        }
    }

    /// Lets the owner sleep; false when `client` isn't the owner. Call [`grant`](Monitor::grant)
    /// afterwards.
    #[must_use]
    pub(super) fn sleep(&mut self, client: ClientId) -> bool {
        let was_owner = self.gate.release(client);
        if was_owner {
            self.sleepers.push_back(client);
        }
        was_owner
    }

    /// Ends the sleep of as many clients, who are told of to `awake`. Call
    /// [`grant`](Monitor::grant) afterwards.
    pub(super) fn notify(&mut self, most: u32, mut awake: impl FnMut(ClientId)) {
        for _ in 0..most {
            let Some(client) = self.sleepers.pop_front() else {
                return;
            };
            self.wake(client, true);
            awake(client);
        }
    }

    /// The time of a client is over. Says whether it is out of its wait: a sleeper still has to get
    /// the lock, however long that takes. Call [`grant`](Monitor::grant) afterwards.
    #[must_use]
    pub(super) fn expire(&mut self, client: ClientId) -> bool {
        let slept = self.sleepers.contains(&client);
        if slept {
            self.sleepers.retain(|sleeper| *sleeper != client);
            self.wake(client, false);
        } else {
            self.gate.dequeue(client);
        }
        !slept
    }

    /// `client`, of the process `pid`, is gone. Call [`grant`](Monitor::grant) afterwards.
    pub(super) fn lose(&mut self, client: ClientId, pid: u32) {
        self.sleepers.retain(|sleeper| *sleeper != client);
        self.woken.remove(&client);
        self.gate.lose(client, pid);
    }

    /// Gives the lock to the first of those who wait for it, if it is free.
    pub(super) fn grant(&mut self) -> Option<(ClientId, Answer)> {
        let (client, Granted { left_by }) = self.gate.grant()?;
        let answer = match self.woken.remove(&client) {
            Some(notified) => Answer::Woken { left_by, notified },
            None => Answer::Granted { left_by },
        };
        Some((client, answer))
    }

    /// Everybody who waits.
    pub(super) fn into_waiting(self) -> impl Iterator<Item = ClientId> {
        self.sleepers.into_iter().chain(self.gate.into_waiting())
    }

    fn wake(&mut self, client: ClientId, notified: bool) {
        self.woken.insert(client, notified);
        self.gate.enqueue(client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_LEFT: Option<u32> = None;

    #[test]
    fn who_is_woken_gets_the_lock_when_it_is_free() {
        let mut monitor = Monitor::new();
        assert!(monitor.gate.acquire(1).is_some());
        assert!(monitor.sleep(1));
        assert!(!monitor.sleep(1));
        assert!(monitor.gate.acquire(2).is_some());
        monitor.notify(u32::MAX, |client| assert_eq!(client, 1));
        assert!(monitor.grant().is_none());
        assert!(monitor.gate.release(2));
        let (client, answer) = monitor.grant().unwrap();
        assert_eq!(client, 1);
        assert!(matches!(
            answer,
            Answer::Woken {
                left_by: NOT_LEFT,
                notified: true
            }
        ));
    }

    #[test]
    fn who_dies_asleep_takes_no_notification_along() {
        let mut monitor = Monitor::new();
        for client in [1, 2] {
            assert!(monitor.gate.acquire(client).is_some());
            assert!(monitor.sleep(client));
        }
        monitor.lose(1, 4711);
        let mut awake = Vec::new();
        monitor.notify(1, |client| awake.push(client));
        assert_eq!(awake, [2]);
        assert!(monitor.grant().is_some_and(|(client, _)| client == 2));
    }

    #[test]
    fn who_has_slept_its_time_waits_for_the_lock_without_one() {
        let mut monitor = Monitor::new();
        assert!(monitor.gate.acquire(1).is_some());
        assert!(monitor.sleep(1));
        assert!(monitor.gate.acquire(2).is_some());
        assert!(!monitor.expire(1));
        monitor.lose(2, 4711);
        let (client, answer) = monitor.grant().unwrap();
        assert_eq!(client, 1);
        assert!(matches!(
            answer,
            Answer::Woken {
                left_by: Some(4711),
                notified: false
            }
        ));
    }
}
