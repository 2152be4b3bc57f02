//! [`Manager`]: the server's start and end, and what it makes.

use std::{fmt, io, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Array, AsItem, Barrier, Condition, Dict, Event, List, Lock, ManagerError, Namespace, Object,
    RLock, Semaphore, Value,
    error::ManagerErrorKind,
    handle::{Handle, Remote, random_id, unexpected},
    keeper::Keeper,
    protocol::{Answer, ROOT, Request, Seed},
    proxy::{encode_all, encode_call, failed},
};
use crate::{codec::IntoArgs, error::ExitHow, task::Task};

/// A process that keeps dicts, lists and other objects for all processes that have handles to them:
/// what multiprocessing's `Manager()` is.
///
/// A clone is another handle to the same manager, and so is what arrives where one was sent: whoever
/// has one can make objects.
///
/// Dropping it leaves the objects that there are handles to. When neither a manager nor an object has
/// a handle left, the server ends; it also ends with the process that started it, whatever becomes of
/// that.
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let manager = Manager::start()?;
/// let squares = manager.dict::<u32, u32>()?;
/// squares.insert(3, 9)?;
/// assert_eq!(squares.get(3)?, Some(9));
/// manager.shutdown()?;
/// assert!(squares.get(3).unwrap_err().is_server_gone());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Manager {
    remote: Remote,
    pid: u32,
    /// The server's process, where it was started.
    #[serde(skip)]
    keeper: Option<Arc<Keeper>>,
}

impl Manager {
    /// Starts the server: this program once more, which is taken over before its `main`, as workers
    /// are. Returns when it is there.
    ///
    /// # Errors
    /// When no process, thread, memory or descriptor is left
    /// ([`ManagerErrorKind::Start`](super::ManagerErrorKind::Start)).
    pub fn start() -> Result<Self, ManagerError> {
        start().map_err(|kind| ManagerError::new("Manager::start", kind))
    }

    /// An empty map.
    ///
    /// # Errors
    /// When the server has ended, or something has run out; so with all methods that make an object.
    pub fn dict<K, V>(&self) -> Result<Dict<K, V>, ManagerError>
    where
        K: Serialize + DeserializeOwned,
        V: Serialize + DeserializeOwned,
    {
        self.create("Manager::dict", Seed::Table).map(Dict::new)
    }

    /// An empty list.
    ///
    /// # Errors
    /// See [`Manager::dict`].
    pub fn list<T: Serialize + DeserializeOwned>(&self) -> Result<List<T>, ManagerError> {
        self.sequence::<T, _>("Manager::list", false, [] as [T; 0])
            .map(List::new)
    }

    /// A list of these elements.
    ///
    /// # Errors
    /// See [`Manager::dict`]; and when an element can't be encoded.
    pub fn list_of<T, I>(&self, elements: I) -> Result<List<T>, ManagerError>
    where
        T: Serialize + DeserializeOwned,
        I: IntoIterator<Item: AsItem<T>>,
    {
        self.sequence::<T, I>("Manager::list_of", false, elements)
            .map(List::new)
    }

    /// A namespace without names.
    ///
    /// # Errors
    /// See [`Manager::dict`].
    pub fn namespace(&self) -> Result<Namespace, ManagerError> {
        self.create("Manager::namespace", Seed::Table)
            .map(Namespace::new)
    }

    /// One value. It may be of any type, also one that multiprocessing would have you register: see
    /// [`Value`].
    ///
    /// # Errors
    /// See [`Manager::dict`]; and when the value can't be encoded.
    pub fn value<T: Serialize + DeserializeOwned>(
        &self,
        value: T,
    ) -> Result<Value<T>, ManagerError> {
        self.sequence::<T, _>("Manager::value", true, [value])
            .map(Value::new)
    }

    /// These values in a row, as many as there are now.
    ///
    /// # Errors
    /// See [`Manager::dict`]; and when a value can't be encoded.
    pub fn array<T, I>(&self, elements: I) -> Result<Array<T>, ManagerError>
    where
        T: Serialize + DeserializeOwned,
        I: IntoIterator<Item = T>,
    {
        self.sequence::<T, I>("Manager::array", true, elements)
            .map(Array::new)
    }

    /// An object of any type: the one that `task`, run with `args` in the server, sets there with
    /// [`set_object`](super::set_object).
    ///
    /// # Errors
    /// See [`Manager::dict`]; and when the task panics, returns an `Err`, or its arguments can't travel.
    pub fn object<T: Task, A: IntoArgs<T::Args>>(
        &self,
        task: T,
        args: A,
    ) -> Result<Object, ManagerError> {
        let create = || {
            let seed = Seed::Object(encode_call(task, &args)?);
            let handle = &self.remote.0;
            let answer = handle.call(&Request::Create(seed))?;
            handle.created(failed::<T>(answer)?)
        };
        create()
            .map(Object::new)
            .map_err(|kind| ManagerError::new("Manager::object", kind))
    }

    /// An event that is not set.
    ///
    /// # Errors
    /// See [`Manager::dict`].
    pub fn event(&self) -> Result<Event, ManagerError> {
        self.create("Manager::event", Seed::Flag).map(Event::new)
    }

    /// A lock that is free.
    ///
    /// # Errors
    /// See [`Manager::dict`].
    pub fn lock(&self) -> Result<Lock, ManagerError> {
        self.create("Manager::lock", ONE_OWNER).map(Lock::new)
    }

    /// A lock that is free, and that its owner may take again.
    ///
    /// # Errors
    /// See [`Manager::dict`].
    pub fn rlock(&self) -> Result<RLock, ManagerError> {
        self.create("Manager::rlock", ONE_OWNER).map(RLock::new)
    }

    /// A semaphore of so many permits, to which more may be added.
    ///
    /// # Errors
    /// See [`Manager::dict`].
    pub fn semaphore(&self, permits: u32) -> Result<Semaphore, ManagerError> {
        let bound = None;
        self.create("Manager::semaphore", Seed::Gate { permits, bound })
            .map(Semaphore::new)
    }

    /// A semaphore that never has more than so many free permits.
    ///
    /// # Errors
    /// See [`Manager::dict`].
    pub fn bounded_semaphore(&self, permits: u32) -> Result<Semaphore, ManagerError> {
        let bound = Some(permits);
        self.create("Manager::bounded_semaphore", Seed::Gate { permits, bound })
            .map(Semaphore::new)
    }

    /// A condition, with a lock of its own.
    ///
    /// # Errors
    /// See [`Manager::dict`].
    pub fn condition(&self) -> Result<Condition, ManagerError> {
        self.create("Manager::condition", Seed::Monitor)
            .map(Condition::new)
    }

    /// A barrier for so many parties. Zero counts as one.
    ///
    /// # Errors
    /// See [`Manager::dict`].
    pub fn barrier(&self, parties: u32) -> Result<Barrier, ManagerError> {
        let parties = parties.max(1);
        self.create("Manager::barrier", Seed::Barrier { parties })
            .map(Barrier::new)
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the server answers.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.remote.0.call(&Request::Greet).is_ok()
    }

    /// Ends the server, whoever else has handles: from now on their operations fail. Returns when it
    /// has ended. One that has ended already is as good.
    ///
    /// # Errors
    /// When the server can't be asked, because something has run out.
    pub fn shutdown(&self) -> Result<(), ManagerError> {
        match self.remote.0.call_to_the_end(&Request::Shutdown) {
            Ok(()) | Err(ManagerErrorKind::ServerGone) => {
                if let Some(keeper) = &self.keeper {
                    keeper.wait(None);
                }
                Ok(())
            }
            Err(kind) => Err(ManagerError::new("Manager::shutdown", kind)),
        }
    }

    /// Kills the server (SIGKILL), and waits until it has ended; only where it was started. Says
    /// whether that is so.
    pub fn kill(&self) -> bool {
        let Some(keeper) = &self.keeper else {
            return false;
        };
        keeper.kill();
        keeper.wait(None)
    }

    /// Waits until the server has ended, for `timeout` at most; only where it was started, elsewhere
    /// it is `false` at once. Says whether it has.
    #[must_use = "it may have waited in vain"]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        let keeper = self.keeper.as_ref();
        keeper.is_some_and(|keeper| keeper.wait(Some(timeout)))
    }

    fn create(&self, operation: &'static str, seed: Seed) -> Result<Arc<Handle>, ManagerError> {
        self.remote
            .0
            .create(seed)
            .map_err(|kind| ManagerError::new(operation, kind))
    }

    fn sequence<T, I>(
        &self,
        operation: &'static str,
        fixed: bool,
        elements: I,
    ) -> Result<Arc<Handle>, ManagerError>
    where
        I: IntoIterator<Item: AsItem<T>>,
    {
        let elements = encode_all::<T, I>(elements);
        let elements = elements.map_err(|kind| ManagerError::new(operation, kind))?;
        self.create(operation, Seed::Sequence { elements, fixed })
    }
}

/// A lock.
const ONE_OWNER: Seed = Seed::Gate {
    permits: 1,
    bound: Some(1),
};

/// How long a server may take to start: longer than any machine needs.
const START_LIMIT: Duration = Duration::from_secs(60);

fn start() -> Result<Manager, ManagerErrorKind> {
    let (keeper, door) = Keeper::start().map_err(ManagerErrorKind::Start)?;
    let handle = Handle::new(random_id(), ROOT, door);
    let error = match handle.greet(START_LIMIT) {
        Ok(Answer::Server { pid }) => {
            return Ok(Manager {
                remote: Remote(handle),
                pid,
                keeper: Some(Arc::new(keeper)),
            });
        }
        Ok(other) => unexpected(&other),
        Err(kind) => kind,
    };
    let message = match error {
        ManagerErrorKind::ServerGone => {
            keeper.wait(None);
            match keeper.ended().unwrap_or(ExitHow::Unknown) {
                ExitHow::Code(code) => format!("its process ended at once, with the code {code}"),
                ExitHow::Signal { number, .. } => {
                    format!("its process was ended at once, by signal {number}")
                }
                ExitHow::Unknown => "its process ended at once".to_owned(),
            }
        }
        ManagerErrorKind::System(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let limit = START_LIMIT.as_secs();
            format!(
                "its process did not answer within {limit} s; is the code that takes it over linked in?"
            )
        }
        other => return Err(other),
    };
    keeper.kill();
    Err(ManagerErrorKind::Start(message.into()))
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}
