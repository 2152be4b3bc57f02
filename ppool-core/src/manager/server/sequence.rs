//! Values in a row: what is behind a list, an array and a single value.

use crate::manager::{
    bytes::Blob,
    protocol::{Answer, Entry, Expect, SequenceRequest, Version},
};

/// The content of a sequence.
#[derive(Debug)]
pub(super) struct Sequence {
    elements: Vec<Entry>,
    /// Whether elements only change their values.
    fixed: bool,
    /// Of the last change.
    version: Version,
}

impl Sequence {
    pub(super) fn new(elements: Vec<Blob>, fixed: bool, version: Version) -> Self {
        let mut sequence = Sequence {
            elements: Vec::new(),
            fixed,
            version,
        };
        sequence.extend(elements, version);
        sequence
    }

    /// Answers a request; a change gets `version`.
    pub(super) fn serve(&mut self, request: SequenceRequest, version: Version) -> Answer {
        if self.fixed && changes_length(&request) {
            return Answer::Refused("the length is fixed".to_owned());
        }
        match request {
            SequenceRequest::Get(index) => {
                let index = place(index);
                Answer::Entry(index.and_then(|at| self.elements.get(at)).cloned())
            }
            SequenceRequest::Put(index, expect, blob) => self.put(index, expect, blob, version),
            SequenceRequest::Insert(index, blob) => match place(index) {
                Some(at) if at <= self.elements.len() => {
                    self.version = version;
                    self.elements.insert(at, Entry { version, blob });
                    Answer::Done
                }
                _ => self.out_of_range(),
            },
            SequenceRequest::Take(index) => match place(index) {
                Some(at) if at < self.elements.len() => {
                    self.version = version;
                    Answer::Changed(Some(self.elements.remove(at).blob))
                }
                _ => self.out_of_range(),
            },
            SequenceRequest::Extend(blobs) => {
                self.extend(blobs, version);
                Answer::Done
            }
            SequenceRequest::Pop => {
                let last = self.elements.pop();
                if last.is_some() {
                    self.version = version;
                }
                Answer::Entry(last)
            }
            SequenceRequest::Len => Answer::Number(self.elements.len() as u64),
            SequenceRequest::Range(start, end) => {
                let len = self.elements.len();
                let end = place(end).unwrap_or(len).min(len);
                let start = place(start).unwrap_or(len).min(end);
                let elements = &self.elements[start..end];
                let blobs = elements.iter().map(|entry| entry.blob.clone());
                Answer::Blobs(self.version, blobs.collect())
            }
            SequenceRequest::Replace(expected, _) if expected != self.version => Answer::Outdated,
            SequenceRequest::Replace(_, blobs)
                if self.fixed && blobs.len() != self.elements.len() =>
            {
                Answer::Refused("the length is fixed".to_owned())
            }
            SequenceRequest::Replace(_, blobs) => {
                self.elements.clear();
                self.extend(blobs, version);
                Answer::Done
            }
            SequenceRequest::Clear => {
                self.elements.clear();
                self.version = version;
                Answer::Done
            }
        }
    }

    fn put(&mut self, index: u64, expect: Expect, blob: Blob, version: Version) -> Answer {
        let at = place(index);
        let Some(entry) = at.and_then(|at| self.elements.get_mut(at)) else {
            return self.out_of_range();
        };
        let is_so = match expect {
            Expect::Anything => true,
            Expect::Absent => false,
            Expect::Version(version) => entry.version == version,
        };
        if !is_so {
            return Answer::Conflict(Some(entry.clone()));
        }
        let before = std::mem::replace(entry, Entry { version, blob });
        self.version = version;
        Answer::Changed(Some(before.blob))
    }

    fn extend(&mut self, blobs: Vec<Blob>, version: Version) {
        self.version = version;
        let entries = blobs.into_iter().map(|blob| Entry { version, blob });
        self.elements.extend(entries);
    }

    fn out_of_range(&self) -> Answer {
        Answer::OutOfRange {
            len: self.elements.len() as u64,
        }
    }
}

/// An index, if this machine could have it.
fn place(index: u64) -> Option<usize> {
    usize::try_from(index).ok()
}

fn changes_length(request: &SequenceRequest) -> bool {
    matches!(
        request,
        SequenceRequest::Insert(..)
            | SequenceRequest::Take(_)
            | SequenceRequest::Extend(_)
            | SequenceRequest::Pop
            | SequenceRequest::Clear
    )
}
