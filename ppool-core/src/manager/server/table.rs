//! Keys and values, in the order in which the keys came: what is behind a dict and a namespace.

use std::collections::{BTreeMap, HashMap};

use crate::manager::{
    bytes::{Blob, Bytes},
    protocol::{Answer, Entry, Expect, TableRequest, Version},
};

/// The content of a table.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Where each key is.
    places: HashMap<Bytes, u64>,
    /// Places only grow, so their order is that of the keys' coming.
    entries: BTreeMap<u64, (Bytes, Entry)>,
    next_place: u64,
    /// Of the last change.
    version: Version,
}

impl Table {
    /// Answers a request; a change gets `version`.
    pub(super) fn serve(&mut self, request: TableRequest, version: Version) -> Answer {
        match request {
            TableRequest::Get(key) => Answer::Entry(self.get(&key).cloned()),
            TableRequest::Put(key, expect, blob) => match self.conflict(&key, expect) {
                Some(conflict) => conflict,
                None => Answer::Changed(self.put(key, Entry { version, blob })),
            },
            TableRequest::Take(key, expect) => match self.conflict(&key, expect) {
                Some(conflict) => conflict,
                None => Answer::Changed(self.take(&key, version)),
            },
            TableRequest::Contains(key) => Answer::Yes(self.places.contains_key(&key)),
            TableRequest::Len => Answer::Number(self.entries.len() as u64),
            TableRequest::Keys => self.blobs(|key, _| [Some(bare(key)), None]),
            TableRequest::Values => self.blobs(|_, value| [Some(value.clone()), None]),
            TableRequest::Items => self.blobs(|key, value| [Some(bare(key)), Some(value.clone())]),
            TableRequest::PopLast => {
                let Some((_, (key, entry))) = self.entries.pop_last() else {
                    return Answer::Blobs(self.version, Vec::new());
                };
                self.places.remove(&key);
                self.version = version;
                Answer::Blobs(version, vec![bare(&key), entry.blob])
            }
            TableRequest::Extend(items) => {
                for (key, blob) in items {
                    self.put(key, Entry { version, blob });
                }
                Answer::Done
            }
            TableRequest::Clear => {
                self.places.clear();
                self.entries.clear();
                self.version = version;
                Answer::Done
            }
        }
    }

    fn get(&self, key: &Bytes) -> Option<&Entry> {
        let place = self.places.get(key)?;
        self.entries.get(place).map(|(_, entry)| entry)
    }

    /// Why a change of `key` is not to be made.
    fn conflict(&self, key: &Bytes, expect: Expect) -> Option<Answer> {
        let there = self.get(key);
        let is_so = match expect {
            Expect::Anything => true,
            Expect::Absent => there.is_none(),
            Expect::Version(version) => there.is_some_and(|entry| entry.version == version),
        };
        (!is_so).then(|| Answer::Conflict(there.cloned()))
    }

    /// Puts an entry where its key has its place; what was there before.
    fn put(&mut self, key: Bytes, entry: Entry) -> Option<Blob> {
        self.version = entry.version;
        let place = *self.places.entry(key.clone()).or_insert_with(|| {
            self.next_place += 1;
            self.next_place
        });
        let before = self.entries.insert(place, (key, entry));
        before.map(|(_, entry)| entry.blob)
    }

    fn take(&mut self, key: &Bytes, version: Version) -> Option<Blob> {
        let place = self.places.remove(key)?;
        self.version = version;
        self.entries.remove(&place).map(|(_, entry)| entry.blob)
    }

    fn blobs(&self, of: impl Fn(&Bytes, &Blob) -> [Option<Blob>; 2]) -> Answer {
        let entries = self.entries.values();
        let blobs = entries.flat_map(|(key, entry)| of(key, &entry.blob).into_iter().flatten());
        Answer::Blobs(self.version, blobs.collect())
    }
}

/// A key as a value. Keys have no handles in them.
fn bare(key: &Bytes) -> Blob {
    Blob {
        bytes: key.clone(),
        descriptors: Vec::new(),
    }
}
