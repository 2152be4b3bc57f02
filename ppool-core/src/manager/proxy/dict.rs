//! A map that a manager keeps.

use std::{collections::HashMap, hash::Hash};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Of, proxy};
use crate::manager::{
    ManagerError,
    bytes::{Blob, Bytes},
    error::ManagerErrorKind,
    handle::{Remote, unexpected},
    item::{AsItem, decode, decode_all, encode, encode_key},
    protocol::{Answer, Entry, Expect, Request, TableRequest},
};

/// A map that a [`Manager`](crate::manager::Manager) keeps, and every process with a handle can read
/// and change: what multiprocessing's `Manager().dict()` is.
///
/// Each operation asks the server, and is atomic. Values go in and come out as copies: a change to
/// one that came out is not seen by others until it is put back, which
/// [`update`](Dict::update) does. The order of the entries is that in which their keys came.
///
/// A clone is another handle to the same map, and so is what arrives where a handle was sent: as an
/// argument, a result, an item, or a value in another manager's objects. Keys are equal when their
/// encoded bytes are, which holds for everything with a derived or usual `Eq`.
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let stock = Manager::start()?.dict::<String, u32>()?;
/// stock.insert("apples", 3)?;
/// stock.update("apples", |count| *count += 2)?;
/// assert_eq!(stock.get("apples")?, Some(5));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Every operation fails when the server has ended ([`ManagerError::is_server_gone`]), when the
/// system has run out of something, and when a value can't be encoded or is of another type.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Dict<K, V> {
    remote: Remote,
    #[serde(skip)]
    types: Of<(K, V)>,
}

proxy!(Dict<K, V>, types);

/// What an update found, and is to be put in its place.
enum Found<V> {
    Value(V),
    Nothing,
}

impl<K, V> Dict<K, V>
where
    K: Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
{
    /// The value of `key`.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn get(&self, key: impl AsItem<K>) -> Result<Option<V>, ManagerError> {
        self.entry(&key)
            .and_then(|(_, entry)| entry.map(|entry| decode(entry.blob)).transpose())
            .map_err(|kind| ManagerError::new("Dict::get", kind))
    }

    /// Sets the value of `key`; the one that was there before.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn insert(
        &self,
        key: impl AsItem<K>,
        value: impl AsItem<V>,
    ) -> Result<Option<V>, ManagerError> {
        let insert = || {
            let value = encode::<V>(&value)?;
            match self.ask(TableRequest::Put(
                encode_key(&key)?,
                Expect::Anything,
                value,
            ))? {
                Answer::Changed(before) => before.map(decode).transpose(),
                other => Err(unexpected(&other)),
            }
        };
        insert().map_err(|kind| ManagerError::new("Dict::insert", kind))
    }

    /// The value of `key`, which is set to `default` when there is none: Python's `setdefault`.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn get_or_insert(
        &self,
        key: impl AsItem<K>,
        default: impl AsItem<V>,
    ) -> Result<V, ManagerError> {
        let get_or_insert = || {
            let default = encode::<V>(&default)?;
            let put = TableRequest::Put(encode_key(&key)?, Expect::Absent, default.clone());
            match self.ask(put)? {
                Answer::Changed(_) => decode(default),
                Answer::Conflict(Some(there)) => decode(there.blob),
                other => Err(unexpected(&other)),
            }
        };
        get_or_insert().map_err(|kind| ManagerError::new("Dict::get_or_insert", kind))
    }

    /// Takes `key` out; its value, if it was there.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn remove(&self, key: impl AsItem<K>) -> Result<Option<V>, ManagerError> {
        let remove = || match self.ask(TableRequest::Take(encode_key(&key)?, Expect::Anything))? {
            Answer::Changed(before) => before.map(decode).transpose(),
            other => Err(unexpected(&other)),
        };
        remove().map_err(|kind| ManagerError::new("Dict::remove", kind))
    }

    /// Takes out the entry whose key came last: Python's `popitem`.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn pop_last(&self) -> Result<Option<(K, V)>, ManagerError> {
        self.blobs(TableRequest::PopLast)
            .and_then(pairs)
            .map(|mut pairs: Vec<(K, V)>| pairs.pop())
            .map_err(|kind| ManagerError::new("Dict::pop_last", kind))
    }

    /// Changes the value of `key` in place, atomically; what `change` returned, or `None` when there
    /// is no such key.
    ///
    /// `change` runs here, on a copy. When others have changed the value meanwhile it runs again, on
    /// the new one, so it should do nothing but compute. Nobody waits for it.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn update<R>(
        &self,
        key: impl AsItem<K>,
        mut change: impl FnMut(&mut V) -> R,
    ) -> Result<Option<R>, ManagerError> {
        self.change(&key, |found| match found {
            Found::Value(mut value) => {
                let result = change(&mut value);
                Some((value, result))
            }
            Found::Nothing => None,
        })
        .map_err(|kind| ManagerError::new("Dict::update", kind))
    }

    /// The same, with `default` in the place of a value that isn't there.
    ///
    /// ```no_run
    /// # use ppool_core as ppool;
    /// # use ppool::manager::{Dict, ManagerError};
    /// # fn example(counts: Dict<String, u64>) -> Result<(), ManagerError> {
    /// for word in ["to", "be", "or", "not", "to", "be"] {
    ///     counts.update_or_insert(word, 0, |count| *count += 1)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn update_or_insert<R>(
        &self,
        key: impl AsItem<K>,
        default: V,
        mut change: impl FnMut(&mut V) -> R,
    ) -> Result<R, ManagerError> {
        let mut update = || {
            // A copy for each try, since `V` need not be `Clone`.
            let default = encode::<V>(&default)?;
            let mut failed = None;
            let changed = self.change(&key, |found| {
                let mut value = match found {
                    Found::Value(value) => value,
                    Found::Nothing => decode(default.clone())
                        .map_err(|kind| failed = Some(kind))
                        .ok()?,
                };
                let result = change(&mut value);
                Some((value, result))
            })?;
            changed.ok_or_else(|| {
                failed.unwrap_or_else(|| ManagerErrorKind::Protocol("nothing was changed".into()))
            })
        };
        update().map_err(|kind| ManagerError::new("Dict::update_or_insert", kind))
    }

    /// Sets the values of many keys, in one step.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn extend<I, A, B>(&self, items: I) -> Result<(), ManagerError>
    where
        I: IntoIterator<Item = (A, B)>,
        A: AsItem<K>,
        B: AsItem<V>,
    {
        let encode_one = |(key, value): (A, B)| Ok((encode_key(&key)?, encode::<V>(&value)?));
        let items: Result<Vec<(Bytes, Blob)>, ManagerErrorKind> =
            items.into_iter().map(encode_one).collect();
        items
            .and_then(|items| self.done(TableRequest::Extend(items)))
            .map_err(|kind| ManagerError::new("Dict::extend", kind))
    }

    /// Whether there is such a key.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn contains_key(&self, key: impl AsItem<K>) -> Result<bool, ManagerError> {
        let contains = || match self.ask(TableRequest::Contains(encode_key(&key)?))? {
            Answer::Yes(yes) => Ok(yes),
            other => Err(unexpected(&other)),
        };
        contains().map_err(|kind| ManagerError::new("Dict::contains_key", kind))
    }

    /// All keys, in the order in which they came.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn keys(&self) -> Result<Vec<K>, ManagerError> {
        self.blobs(TableRequest::Keys)
            .and_then(decode_all)
            .map_err(|kind| ManagerError::new("Dict::keys", kind))
    }

    /// All values, in the order in which their keys came.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn values(&self) -> Result<Vec<V>, ManagerError> {
        self.blobs(TableRequest::Values)
            .and_then(decode_all)
            .map_err(|kind| ManagerError::new("Dict::values", kind))
    }

    /// All entries as they are at one moment, in the order in which their keys came.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn items(&self) -> Result<Vec<(K, V)>, ManagerError> {
        self.blobs(TableRequest::Items)
            .and_then(pairs)
            .map_err(|kind| ManagerError::new("Dict::items", kind))
    }

    /// All entries as they are at one moment, as a map of this process: Python's `copy`.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn to_map(&self) -> Result<HashMap<K, V>, ManagerError>
    where
        K: Eq + Hash,
    {
        self.items().map(HashMap::from_iter)
    }

    /// The version of the key's entry, and what it is; the key as well.
    fn entry(&self, key: &impl AsItem<K>) -> Result<(Bytes, Option<Entry>), ManagerErrorKind> {
        let key = encode_key(key)?;
        match self.ask(TableRequest::Get(key.clone()))? {
            Answer::Entry(entry) => Ok((key, entry)),
            other => Err(unexpected(&other)),
        }
    }

    /// Puts what `change` makes of what is there, as soon as nobody comes in between; what it returned
    /// beside it. It may also leave all as it is.
    fn change<R>(
        &self,
        key: &impl AsItem<K>,
        mut change: impl FnMut(Found<V>) -> Option<(V, R)>,
    ) -> Result<Option<R>, ManagerErrorKind> {
        let (key, mut there) = self.entry(key)?;
        loop {
            let (expect, found) = match there {
                Some(Entry { version, blob }) => {
                    (Expect::Version(version), Found::Value(decode(blob)?))
                }
                None => (Expect::Absent, Found::Nothing),
            };
            let Some((value, result)) = change(found) else {
                return Ok(None);
            };
            let put = TableRequest::Put(key.clone(), expect, encode::<V>(&value)?);
            match self.ask(put)? {
                Answer::Changed(_) => return Ok(Some(result)),
                Answer::Conflict(now) => there = now,
                other => return Err(unexpected(&other)),
            }
        }
    }
}

impl<K, V> Dict<K, V> {
    /// How many entries there are.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn len(&self) -> Result<usize, ManagerError> {
        match self.ask(TableRequest::Len) {
            Ok(Answer::Number(len)) => Ok(usize::try_from(len).unwrap_or(usize::MAX)),
            Ok(other) => Err(unexpected(&other)),
            Err(kind) => Err(kind),
        }
        .map_err(|kind| ManagerError::new("Dict::len", kind))
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        self.len().map(|len| len == 0)
    }

    /// Takes all entries out.
    ///
    /// # Errors
    /// See [`Dict`].
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.done(TableRequest::Clear)
            .map_err(|kind| ManagerError::new("Dict::clear", kind))
    }

    fn ask(&self, request: TableRequest) -> Result<Answer, ManagerErrorKind> {
        let handle = &self.remote.0;
        handle.call(&Request::Table(handle.object(), request))
    }

    fn done(&self, request: TableRequest) -> Result<(), ManagerErrorKind> {
        match self.ask(request)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn blobs(&self, request: TableRequest) -> Result<Vec<Blob>, ManagerErrorKind> {
        match self.ask(request)? {
            Answer::Blobs(_, blobs) => Ok(blobs),
            other => Err(unexpected(&other)),
        }
    }
}

/// Key, value, key, value as pairs.
fn pairs<K: DeserializeOwned, V: DeserializeOwned>(
    blobs: Vec<Blob>,
) -> Result<Vec<(K, V)>, ManagerErrorKind> {
    let mut pairs = Vec::with_capacity(blobs.len() / 2);
    let mut blobs = blobs.into_iter();
    while let (Some(key), Some(value)) = (blobs.next(), blobs.next()) {
        pairs.push((decode(key)?, decode(value)?));
    }
    Ok(pairs)
}
