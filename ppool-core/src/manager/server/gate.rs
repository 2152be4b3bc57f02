//! Permits: what is behind a lock (one permit) and a semaphore (some).
//!
//! Who asked first gets the next one. A permit belongs to the connection that acquired it, and is
//! free again when that ends; the next owner is told (SYNC-1).

use std::collections::{HashMap, VecDeque};

use super::state::ClientId;
use crate::manager::protocol::Answer;

/// A lock or a semaphore.
#[derive(Debug)]
pub(super) struct Gate {
    free: u32,
    /// The most that may be free at a time.
    bound: Option<u32>,
    /// How many permits each client has.
    holders: HashMap<ClientId, u32>,
    waiting: VecDeque<ClientId>,
    /// The process that died with a permit, until somebody has been told.
    left_by: Option<u32>,
}

/// A client has got a permit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Granted {
    /// The process that died with it, if the last one who had it did.
    pub(super) left_by: Option<u32>,
}

impl From<Granted> for Answer {
    fn from(Granted { left_by }: Granted) -> Self {
        Answer::Granted { left_by }
    }
}

impl Gate {
    pub(super) fn new(permits: u32, bound: Option<u32>) -> Self {
        Gate {
            free: permits,
            bound,
            holders: HashMap::new(),
            waiting: VecDeque::new(),
            left_by: None,
        }
    }

    /// A permit for `client`, if one is free; nobody waits then.
    pub(super) fn acquire(&mut self, client: ClientId) -> Option<Granted> {
        self.free = self.free.checked_sub(1)?;
        *self.holders.entry(client).or_default() += 1;
        let left_by = self.left_by.take();
        Some(Granted { left_by })
    }

    /// Lets `client` wait behind the others.
    pub(super) fn enqueue(&mut self, client: ClientId) {
        self.waiting.push_back(client);
    }

    /// `client` doesn't wait any more.
    pub(super) fn dequeue(&mut self, client: ClientId) {
        self.waiting.retain(|waiting| *waiting != client);
    }

    /// Takes back a permit that `client` has; whether it had one. Call [`grant`](Gate::grant)
    /// afterwards.
    #[must_use]
    pub(super) fn release(&mut self, client: ClientId) -> bool {
        let had_one = self.forget(client);
        if had_one {
            self.free = self.free.saturating_add(1);
        }
        had_one
    }

    /// Leaves a permit that `client` has taken without an owner; whether it had one.
    #[must_use]
    pub(super) fn forget(&mut self, client: ClientId) -> bool {
        let Some(held) = self.holders.get_mut(&client) else {
            return false;
        };
        *held -= 1;
        if *held == 0 {
            self.holders.remove(&client);
        }
        true
    }

    /// Adds a permit, if that is within the bound. Call [`grant`](Gate::grant) afterwards.
    #[must_use]
    pub(super) fn add(&mut self) -> bool {
        let has_room = self.free < self.bound.unwrap_or(u32::MAX);
        if has_room {
            self.free += 1;
        }
        has_room
    }

    /// `client`, of the process `pid`, is gone. Call [`grant`](Gate::grant) afterwards.
    pub(super) fn lose(&mut self, client: ClientId, pid: u32) {
        self.dequeue(client);
        if let Some(held) = self.holders.remove(&client) {
            self.free = self.free.saturating_add(held);
            self.left_by = Some(pid);
        }
    }

    /// Gives the first of those who wait a permit, if one is free.
    pub(super) fn grant(&mut self) -> Option<(ClientId, Granted)> {
        let client = *self.waiting.front()?;
        let granted = self.acquire(client)?;
        self.waiting.pop_front();
        Some((client, granted))
    }

    pub(super) fn free(&self) -> u32 {
        self.free
    }

    /// Everybody who waits.
    pub(super) fn into_waiting(self) -> impl Iterator<Item = ClientId> {
        self.waiting.into_iter()
    }
}
