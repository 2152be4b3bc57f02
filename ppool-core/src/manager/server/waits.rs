//! Which clients wait for what, and how long at most.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use super::state::ClientId;
use crate::manager::protocol::ObjectId;

/// All waits. A client waits for one thing at a time.
#[derive(Debug, Default)]
pub(super) struct Waits {
    waits: HashMap<ClientId, Wait>,
    /// Those that end by themselves, the first one first.
    deadlines: BTreeSet<(Instant, ClientId)>,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug)]
struct Wait {
    object: ObjectId,
    deadline: Option<Instant>,
}

impl Waits {
    pub(super) fn begin(
        &mut self,
        client: ClientId,
        object: ObjectId,
        limit: Option<Duration>,
        now: Instant,
    ) {
        // A time that the clock can't express is as good as none.
        let deadline = limit.and_then(|limit| now.checked_add(limit));
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, client));
        }
        self.waits.insert(client, Wait { object, deadline });
    }

    pub(super) fn end(&mut self, client: ClientId) {
        if let Some(wait) = self.waits.remove(&client)
            && let Some(deadline) = wait.deadline
        {
            self.deadlines.remove(&(deadline, client));
        }
    }

    /// Lets the wait go on for ever.
    pub(super) fn extend(&mut self, client: ClientId) {
        if let Some(wait) = self.waits.get_mut(&client)
            && let Some(deadline) = wait.deadline.take()
        {
            self.deadlines.remove(&(deadline, client));
        }
    }

    /// A client whose time is over, and what it waits for. It is told once; until
    /// [`end`](Waits::end) the wait goes on.
    pub(super) fn expired(&mut self, now: Instant) -> Option<(ClientId, ObjectId)> {
        let (deadline, client) = self.deadlines.first().copied()?;
        if deadline > now {
            return None;
        }
        // Each deadline is that of a wait.
        let object = self.waits.get(&client).map(|wait| wait.object);
        self.extend(client);
        object.map(|object| (client, object))
    }

    /// When the next wait ends by itself.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn is_waiting(&self, client: ClientId) -> bool {
        self.waits.contains_key(&client)
    }
}
