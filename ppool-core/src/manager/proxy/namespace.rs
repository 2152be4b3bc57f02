//! Named values of any type.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::proxy;
use crate::manager::{
    ManagerError,
    bytes::Bytes,
    error::ManagerErrorKind,
    handle::{Remote, unexpected},
    item::{decode_all, decode_labelled, encode_key, encode_labelled},
    protocol::{Answer, Entry, Expect, Request, TableRequest},
};

/// Named values, each of a type of its own, that every process with a handle sees: what
/// multiprocessing's `Manager().Namespace()` is.
///
/// **A value that came out is a copy.** To change it changes nothing for others, until it is put
/// back; [`update`](Namespace::update) does both, atomically.
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let namespace = Manager::start()?.namespace()?;
/// let error = namespace.get::<String>("value").unwrap_err();
/// assert_eq!(error.to_string(), "'Namespace' object has no attribute 'value'");
///
/// namespace.set("numbers", &vec![1, 2])?;
/// namespace.get::<Vec<u32>>("numbers")?.push(3); // changes a copy
/// assert_eq!(namespace.get::<Vec<u32>>("numbers")?, [1, 2]);
/// namespace.update("numbers", |numbers: &mut Vec<u32>| numbers.push(3))?;
/// assert_eq!(namespace.get::<Vec<u32>>("numbers")?, [1, 2, 3]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As with [`Dict`](super::Dict). What was stored as another type that can't be read as the one that
/// is asked for is [`ManagerErrorKind::WrongType`].
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Namespace {
    remote: Remote,
}

proxy!(Namespace);

impl Namespace {
    /// The value of this name, as a copy.
    ///
    /// # Errors
    /// When there is none ([`ManagerError::is_no_such_name`]), or it is of another type; see also
    /// [`Namespace`].
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, ManagerError> {
        self.entry(name)
            .and_then(|(_, entry)| decode_labelled(entry.blob))
            .map_err(|kind| ManagerError::new("Namespace::get", kind))
    }

    /// Sets the value of this name, whatever was there before. `value` may be a reference.
    ///
    /// # Errors
    /// See [`Namespace`].
    pub fn set<T: Serialize>(&self, name: &str, value: T) -> Result<(), ManagerError> {
        let set = || {
            let blob = encode_labelled(&value)?;
            match self.ask(TableRequest::Put(
                encode_name(name)?,
                Expect::Anything,
                blob,
            ))? {
                Answer::Changed(_) => Ok(()),
                other => Err(unexpected(&other)),
            }
        };
        set().map_err(|kind| ManagerError::new("Namespace::set", kind))
    }

    /// Removes a name: Python's `del namespace.name`.
    ///
    /// # Errors
    /// When there is none ([`ManagerError::is_no_such_name`]); see also [`Namespace`].
    pub fn remove(&self, name: &str) -> Result<(), ManagerError> {
        let remove = || match self.ask(TableRequest::Take(encode_name(name)?, Expect::Anything))? {
            Answer::Changed(Some(_)) => Ok(()),
            Answer::Changed(None) => Err(ManagerErrorKind::NoSuchName(name.to_owned())),
            other => Err(unexpected(&other)),
        };
        remove().map_err(|kind| ManagerError::new("Namespace::remove", kind))
    }

    /// Whether there is such a name: Python's `hasattr`.
    ///
    /// # Errors
    /// See [`Namespace`].
    pub fn contains(&self, name: &str) -> Result<bool, ManagerError> {
        let contains = || match self.ask(TableRequest::Contains(encode_name(name)?))? {
            Answer::Yes(yes) => Ok(yes),
            other => Err(unexpected(&other)),
        };
        contains().map_err(|kind| ManagerError::new("Namespace::contains", kind))
    }

    /// All names, in the order in which they came.
    ///
    /// # Errors
    /// See [`Namespace`].
    pub fn names(&self) -> Result<Vec<String>, ManagerError> {
        let names = || match self.ask(TableRequest::Keys)? {
            Answer::Blobs(_, names) => decode_all(names),
            other => Err(unexpected(&other)),
        };
        names().map_err(|kind| ManagerError::new("Namespace::names", kind))
    }

    /// Changes the value of this name in place, atomically; what `change` returned.
    ///
    /// `change` runs here, on a copy. When others have changed the value meanwhile it runs again, on
    /// the new one, so it should do nothing but compute. Nobody waits for it.
    ///
    /// # Errors
    /// When there is none ([`ManagerError::is_no_such_name`]), or it is of another type; see also
    /// [`Namespace`].
    pub fn update<T: Serialize + DeserializeOwned, R>(
        &self,
        name: &str,
        mut change: impl FnMut(&mut T) -> R,
    ) -> Result<R, ManagerError> {
        let mut update = || {
            let (key, mut there) = self.entry(name)?;
            loop {
                let mut value: T = decode_labelled(there.blob)?;
                let result = change(&mut value);
                let blob = encode_labelled(&value)?;
                let expect = Expect::Version(there.version);
                match self.ask(TableRequest::Put(key.clone(), expect, blob))? {
                    Answer::Changed(_) => return Ok(result),
                    Answer::Conflict(Some(now)) => there = now,
                    Answer::Conflict(None) => {
                        return Err(ManagerErrorKind::NoSuchName(name.to_owned()));
                    }
                    other => return Err(unexpected(&other)),
                }
            }
        };
        update().map_err(|kind| ManagerError::new("Namespace::update", kind))
    }

    fn entry(&self, name: &str) -> Result<(Bytes, Entry), ManagerErrorKind> {
        let key = encode_name(name)?;
        match self.ask(TableRequest::Get(key.clone()))? {
            Answer::Entry(Some(entry)) => Ok((key, entry)),
            Answer::Entry(None) => Err(ManagerErrorKind::NoSuchName(name.to_owned())),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&self, request: TableRequest) -> Result<Answer, ManagerErrorKind> {
        let handle = &self.remote.0;
        handle.call(&Request::Table(handle.object(), request))
    }
}

fn encode_name(name: &str) -> Result<Bytes, ManagerErrorKind> {
    encode_key::<String>(&name)
}
