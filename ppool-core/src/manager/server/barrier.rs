//! A place where some wait until all are there.

use super::state::ClientId;

/// A barrier.
#[derive(Debug)]
pub(super) struct Barrier {
    parties: u32,
    waiting: Vec<ClientId>,
    is_broken: bool,
}

/// What a client that has come to a barrier finds.
#[derive(Debug)]
pub(super) enum Arrival {
    /// It is broken.
    Broken,
    /// Others are missing.
    Early,
    /// All are there: these, in the order in which they came.
    All(Vec<ClientId>),
}

impl Barrier {
    pub(super) fn new(parties: u32) -> Self {
        Barrier {
            parties,
            waiting: Vec::new(),
            is_broken: false,
        }
    }

    pub(super) fn arrive(&mut self, client: ClientId) -> Arrival {
        if self.is_broken {
            return Arrival::Broken;
        }
        self.waiting.push(client);
        match self.waiting.len() < self.parties as usize {
            true => Arrival::Early,
            false => Arrival::All(std::mem::take(&mut self.waiting)),
        }
    }

    /// Breaks it; those who waited in vain.
    #[must_use]
    pub(super) fn abort(&mut self) -> Vec<ClientId> {
        self.is_broken = true;
        std::mem::take(&mut self.waiting)
    }

    /// Begins anew; those who waited in vain.
    #[must_use]
    pub(super) fn reset(&mut self) -> Vec<ClientId> {
        self.is_broken = false;
        std::mem::take(&mut self.waiting)
    }

    /// A client is gone. If it waited, the others wait in vain.
    #[must_use]
    pub(super) fn lose(&mut self, client: ClientId) -> Vec<ClientId> {
        match self.waiting.contains(&client) {
            true => {
                self.waiting.retain(|waiting| *waiting != client);
                self.abort()
            }
            false => Vec::new(),
        }
    }

    pub(super) fn parties(&self) -> u32 {
        self.parties
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(self.parties)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Everybody who waits.
    pub(super) fn into_waiting(self) -> Vec<ClientId> {
        self.waiting
    }
}
