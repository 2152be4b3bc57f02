//! What this process has of a manager: doors, each once, and connections.
//!
//! ```text
//!  Dict, List, .. ─► Handle ─┬─ door: a descriptor, one for each object
//!                            └─ Hub: idle connections, for all objects of the manager
//! ```
//!
//! A door's outer end is what a handle is: it travels in messages, and while one exists anywhere, in
//! a process or on its way, the server keeps the object. It is also the way to new connections. A
//! call takes an idle connection, or makes one, so threads don't wait for each other.

use std::{
    collections::{HashMap, hash_map::RandomState},
    fmt,
    hash::BuildHasher,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::{
    connection::Connection,
    error::ManagerErrorKind,
    protocol::{Answer, ObjectId, Request, Seed},
};
use crate::codec::attach;

/// Names a manager: a random number, so no two have the same.
pub(super) type ManagerId = u64;

/// A name for a new manager.
pub(super) fn random_id() -> ManagerId {
    // Keyed by random bytes of the system; it need not be a secret.
    RandomState::new().hash_one(std::process::id())
}

/// How many connections a process keeps for later.
const MOST_IDLE: usize = 16;

/// One object, as this process has it.
pub(super) struct Handle {
    object: ObjectId,
    door: OwnedFd,
    hub: Arc<Hub>,
}

/// One manager, as this process has it.
struct Hub {
    manager: ManagerId,
    idle: Mutex<Idle>,
}

struct Idle {
    /// The process that made them: a forked child must not use its parent's.
    owner: u32,
    connections: Vec<Connection>,
}

/// What this process has, so that it has it once.
#[derive(Default)]
struct Known {
    hubs: HashMap<ManagerId, Weak<Hub>>,
    handles: HashMap<(ManagerId, ObjectId), Weak<Handle>>,
}

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

impl Handle {
    /// The handle of this object: the one that is there, or one with this door.
    pub(super) fn new(manager: ManagerId, object: ObjectId, door: OwnedFd) -> Arc<Self> {
        let mut known = lock(&KNOWN);
        let known = known.get_or_insert_default();
        if let Some(handle) = known
            .handles
            .get(&(manager, object))
            .and_then(Weak::upgrade)
        {
            return handle;
        }
        let hub = known.hubs.get(&manager).and_then(Weak::upgrade);
        let hub = hub.unwrap_or_else(|| {
            let hub = Arc::new(Hub {
                manager,
                idle: Mutex::new(Idle {
                    owner: std::process::id(),
                    connections: Vec::new(),
                }),
            });
            known.hubs.insert(manager, Arc::downgrade(&hub));
            hub
        });
        let handle = Arc::new(Handle { object, door, hub });
        known
            .handles
            .insert((manager, object), Arc::downgrade(&handle));
        handle
    }

    pub(super) fn object(&self) -> ObjectId {
        self.object
    }

    pub(super) fn manager(&self) -> ManagerId {
        self.hub.manager
    }

    /// Asks the server, and waits for its answer.
    pub(super) fn call(&self, request: &Request) -> Result<Answer, ManagerErrorKind> {
        let (connection, answer) = self.call_and_hold(request)?;
        self.keep(connection);
        Ok(answer)
    }

    /// The same, and the connection, to which what is granted belongs. Give it back with
    /// [`keep`](Handle::keep) when nothing is held by it.
    pub(super) fn call_and_hold(
        &self,
        request: &Request,
    ) -> Result<(Connection, Answer), ManagerErrorKind> {
        let mut connection = self.connect()?;
        match checked(connection.call(request)?) {
            Ok(answer) => Ok((connection, answer)),
            Err(kind) => {
                self.keep(connection);
                Err(kind)
            }
        }
    }

    /// Asks the server something after which it ends, and waits until it has closed the connection.
    pub(super) fn call_to_the_end(&self, request: &Request) -> Result<(), ManagerErrorKind> {
        let (connection, _) = self.call_and_hold(request)?;
        connection.wait_for_end();
        Ok(())
    }

    /// As [`call`](Handle::call), for a server that may not be there to answer: with a time limit, in
    /// which no part of the answer comes late.
    pub(super) fn greet(&self, limit: Duration) -> Result<Answer, ManagerErrorKind> {
        let mut connection = Connection::open(self.door.as_fd())?;
        connection.limit(Some(limit))?;
        let answer = checked(connection.call(&Request::Greet)?)?;
        connection.limit(None)?;
        self.keep(connection);
        Ok(answer)
    }

    /// Makes another object of the same manager.
    pub(super) fn create(&self, seed: Seed) -> Result<Arc<Handle>, ManagerErrorKind> {
        let answer = self.call(&Request::Create(seed))?;
        self.created(answer)
    }

    /// The handle of the object that an answer tells of.
    pub(super) fn created(&self, answer: Answer) -> Result<Arc<Handle>, ManagerErrorKind> {
        match answer {
            Answer::Created { object, door } => {
                let door = door.into_owned().map_err(ManagerErrorKind::System)?;
                Ok(Handle::new(self.hub.manager, object, door))
            }
            other => Err(unexpected(&other)),
        }
    }

    fn connect(&self) -> Result<Connection, ManagerErrorKind> {
        match self.hub.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(self.door.as_fd()),
        }
    }

    /// Keeps a connection for later, on which no answer is awaited and by which nothing is held.
    pub(super) fn keep(&self, connection: Connection) {
        self.hub.put_back(connection);
    }

    /// For a proxy's `Debug`.
    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("object", &self.object)
            .field("manager", &format_args!("{:016x}", self.hub.manager))
            .finish()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.debug("Handle", f)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let key = (self.hub.manager, self.object);
        if let Some(known) = &mut *lock(&KNOWN) {
            // Others may have come meanwhile; those stay.
            if known
                .handles
                .get(&key)
                .is_some_and(|it| it.strong_count() == 0)
            {
                known.handles.remove(&key);
            }
            known.hubs.retain(|_, hub| hub.strong_count() > 0);
        }
    }
}

impl Hub {
    fn take(&self) -> Option<Connection> {
        lock(&self.idle).of_this_process().pop()
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        let idle = idle.of_this_process();
        if idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }
}

impl Idle {
    fn of_this_process(&mut self) -> &mut Vec<Connection> {
        let here = std::process::id();
        if self.owner != here {
            self.owner = here;
            self.connections.clear();
        }
        &mut self.connections
    }
}

/// An answer that isn't a failure of all requests alike.
pub(super) fn checked(answer: Answer) -> Result<Answer, ManagerErrorKind> {
    match answer {
        Answer::Shortage(number) => Err(ManagerErrorKind::System(io::Error::from_raw_os_error(
            number,
        ))),
        Answer::TooManyHandles => Err(ManagerErrorKind::TooManyHandles),
        Answer::NotHeld | Answer::AtBound => Err(ManagerErrorKind::NotHeld),
        Answer::Broken => Err(ManagerErrorKind::BrokenBarrier),
        Answer::Refused(message) => Err(ManagerErrorKind::Protocol(message)),
        answer => Ok(answer),
    }
}

/// An answer to another question.
#[cold]
pub(super) fn unexpected(answer: &Answer) -> ManagerErrorKind {
    ManagerErrorKind::Protocol(format!("unexpected: {answer:?}"))
}

/// Locks it. Nothing that holds these locks can leave things half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A handle as it stands in a proxy: it travels.
#[derive(Clone)]
pub(super) struct Remote(pub(super) Arc<Handle>);

impl Serialize for Remote {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let number = attach::attach(self.0.door.as_fd()).map_err(ser::Error::custom)?;
        (self.0.manager(), self.0.object, number).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Remote {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (manager, object, number) = <(ManagerId, ObjectId, u32)>::deserialize(from)?;
        let door = attach::take(number).map_err(de::Error::custom)?;
        Ok(Remote(Handle::new(manager, object, door)))
    }
}
