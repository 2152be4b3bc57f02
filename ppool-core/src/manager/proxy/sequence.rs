//! What list, array and value have in common: questions about values in a row.

use serde::{Serialize, de::DeserializeOwned};

use crate::manager::{
    bytes::Blob,
    error::ManagerErrorKind,
    handle::{Handle, unexpected},
    item::{AsItem, decode, decode_all, encode},
    protocol::{Answer, Entry, Expect, Request, SequenceRequest},
};

/// The sequence behind a handle. Failures are without the name of the operation.
pub(super) struct Sequence<'a>(pub(super) &'a Handle);

impl Sequence<'_> {
    fn ask(&self, request: SequenceRequest) -> Result<Answer, ManagerErrorKind> {
        self.0.call(&Request::Sequence(self.0.object(), request))
    }

    pub(super) fn done(&self, request: SequenceRequest) -> Result<(), ManagerErrorKind> {
        match self.ask(request)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) fn len(&self) -> Result<usize, ManagerErrorKind> {
        match self.ask(SequenceRequest::Len)? {
            Answer::Number(len) => Ok(usize::try_from(len).unwrap_or(usize::MAX)),
            other => Err(unexpected(&other)),
        }
    }

    fn entry(&self, request: SequenceRequest) -> Result<Option<Entry>, ManagerErrorKind> {
        match self.ask(request)? {
            Answer::Entry(entry) => Ok(entry),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) fn get<T: DeserializeOwned>(
        &self,
        index: usize,
    ) -> Result<Option<T>, ManagerErrorKind> {
        let entry = self.entry(SequenceRequest::Get(index as u64))?;
        entry.map(|entry| decode(entry.blob)).transpose()
    }

    pub(super) fn pop<T: DeserializeOwned>(&self) -> Result<Option<T>, ManagerErrorKind> {
        let entry = self.entry(SequenceRequest::Pop)?;
        entry.map(|entry| decode(entry.blob)).transpose()
    }

    /// Puts a value where one is; that one.
    pub(super) fn put<T: DeserializeOwned>(
        &self,
        index: usize,
        value: &impl AsItem<T>,
    ) -> Result<T, ManagerErrorKind> {
        let blob = encode::<T>(value)?;
        let index = index as u64;
        match self.ask(SequenceRequest::Put(index, Expect::Anything, blob))? {
            Answer::Changed(Some(before)) => decode(before),
            Answer::OutOfRange { len } => Err(ManagerErrorKind::out_of_range(index, len)),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) fn insert(&self, index: usize, blob: Blob) -> Result<(), ManagerErrorKind> {
        let index = index as u64;
        match self.ask(SequenceRequest::Insert(index, blob))? {
            Answer::Done => Ok(()),
            Answer::OutOfRange { len } => Err(ManagerErrorKind::out_of_range(index, len)),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) fn take<T: DeserializeOwned>(&self, index: usize) -> Result<T, ManagerErrorKind> {
        let index = index as u64;
        match self.ask(SequenceRequest::Take(index))? {
            Answer::Changed(Some(before)) => decode(before),
            Answer::OutOfRange { len } => Err(ManagerErrorKind::out_of_range(index, len)),
            other => Err(unexpected(&other)),
        }
    }

    /// Elements as they are at one moment, as far as they are there.
    pub(super) fn range<T: DeserializeOwned>(
        &self,
        range: impl std::ops::RangeBounds<usize>,
    ) -> Result<Vec<T>, ManagerErrorKind> {
        use std::ops::Bound;

        let start = match range.start_bound() {
            Bound::Included(start) => *start as u64,
            Bound::Excluded(before) => *before as u64 + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => (*last as u64).saturating_add(1),
            Bound::Excluded(end) => *end as u64,
            Bound::Unbounded => u64::MAX,
        };
        match self.ask(SequenceRequest::Range(start, end))? {
            Answer::Blobs(_, blobs) => decode_all(blobs),
            other => Err(unexpected(&other)),
        }
    }

    /// Changes one element, as soon as nobody comes in between.
    pub(super) fn update<T: Serialize + DeserializeOwned, R>(
        &self,
        index: usize,
        mut change: impl FnMut(&mut T) -> R,
    ) -> Result<R, ManagerErrorKind> {
        let index = index as u64;
        let mut there = self.entry(SequenceRequest::Get(index))?;
        loop {
            let Some(Entry { version, blob }) = there else {
                let len = self.len()? as u64;
                return Err(ManagerErrorKind::out_of_range(index, len));
            };
            let mut value: T = decode(blob)?;
            let result = change(&mut value);
            let blob = encode::<T>(&value)?;
            match self.ask(SequenceRequest::Put(index, Expect::Version(version), blob))? {
                Answer::Changed(_) => return Ok(result),
                Answer::Conflict(now) => there = now,
                Answer::OutOfRange { len } => {
                    return Err(ManagerErrorKind::out_of_range(index, len));
                }
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// Changes all elements together, as soon as nobody comes in between.
    pub(super) fn edit<T: Serialize + DeserializeOwned, R>(
        &self,
        mut change: impl FnMut(&mut Vec<T>) -> R,
    ) -> Result<R, ManagerErrorKind> {
        loop {
            let (version, mut elements) = match self.ask(SequenceRequest::Range(0, u64::MAX))? {
                Answer::Blobs(version, blobs) => (version, decode_all(blobs)?),
                other => return Err(unexpected(&other)),
            };
            let result = change(&mut elements);
            let elements = encode_all::<T, _>(&elements)?;
            match self.ask(SequenceRequest::Replace(version, elements))? {
                Answer::Done => return Ok(result),
                Answer::Outdated => {}
                other => return Err(unexpected(&other)),
            }
        }
    }
}

/// Values as they are stored.
pub(in crate::manager) fn encode_all<T, I>(items: I) -> Result<Vec<Blob>, ManagerErrorKind>
where
    I: IntoIterator<Item: AsItem<T>>,
{
    items.into_iter().map(|item| encode::<T>(&item)).collect()
}
