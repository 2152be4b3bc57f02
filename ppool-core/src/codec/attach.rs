//! Descriptors that travel beside the bytes of a value: what handles to shared things are made of.
//!
//! ```text
//!  Encoder ─► Serialize of a handle ─► attach(fd) = 0, 1, 2, ..
//!     │                └─► the number is written in the fd's place
//!     └─► bytes and descriptors ══ SCM_RIGHTS ══► bytes and descriptors
//!  Decoder ─► Deserialize of a handle ─► take(number) = the descriptor
//! ```
//!
//! serde gives its implementations nothing but the value and the format, so the table of descriptors
//! is the thread's, and active only while an [`Encoder`](super::Encoder) or
//! [`Decoder`](super::Decoder) of ppool hands a value to serde: not while a task runs, and at no cost
//! for values that travel as plain data. Scopes may be
//! nested (an encoding that encodes something else meanwhile): the inner one hides the outer one,
//! which is there again when the inner one ends, by a panic too.
//!
//! # Failure
//!
//! Outside a scope a handle can't be encoded or decoded, and the error says what it can travel as.
//! A number that was never attached, or was taken already, is an error too (LINK-2). Descriptors that
//! nobody takes are closed with the scope.

use std::{
    cell::RefCell,
    fmt, io,
    os::fd::{BorrowedFd, OwnedFd},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// The most descriptors that can go with one payload: more than a process may usually have open.
pub const MOST: usize = 4096;

/// Why a descriptor could not go with a value, or was not there with it.
#[derive(Debug)]
#[non_exhaustive]
pub enum AttachError {
    /// The value isn't encoded or decoded for a transport of ppool.
    NoTransport,
    /// The descriptor could not be duplicated: they have run out.
    Duplicate(io::Error),
    /// The value has as many as a value may have: [`MOST`].
    TooMany,
    /// The bytes name a descriptor that did not come with them, or name it twice.
    Missing(u32),
    /// The descriptor came, but this process has as many open as it may have.
    Lost(u32),
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttachError::NoTransport => f.write_str(
                "a handle to something shared can only travel as an argument, a result or an item \
                 of ppool, not through other uses of serde",
            ),
            AttachError::Duplicate(_) => {
                f.write_str("the descriptor of a handle could not be duplicated")
            }
            AttachError::TooMany => {
                write!(f, "a value can have at most {MOST} descriptors with it")
            }
            AttachError::Missing(index) => {
                write!(f, "descriptor {index} of a handle did not come with it")
            }
            AttachError::Lost(index) => write!(
                f,
                "descriptor {index} of a handle could not be taken in: the process has as many \
                 open as it may have"
            ),
        }
    }
}

impl std::error::Error for AttachError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AttachError::Duplicate(error) => Some(error),
            AttachError::NoTransport
            | AttachError::TooMany
            | AttachError::Missing(_)
            | AttachError::Lost(_) => None,
        }
    }
}

/// What a thread does with descriptors now.
#[derive(Default)]
enum Table {
    #[default]
    Inactive,
    Collecting {
        descriptors: Vec<OwnedFd>,
        by: Collector,
    },
    Providing(Slots),
}

/// Who collects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Collector {
    /// A transport, by [`collect`].
    Transport,
    /// An [`Encoder`](super::Encoder), for one value.
    Encoder,
}

/// Descriptors that came with a value, and which of them were taken.
#[derive(Debug, Default)]
struct Slots {
    descriptors: Vec<Option<OwnedFd>>,
    /// Whether some were lost on the way in.
    is_incomplete: bool,
}

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table::Inactive) };
}

/// Descriptors that came with a value, of which each can be taken once; those that nobody takes are
/// closed with it.
///
/// A [`Decoder`](super::Decoder) that has them gives them to the values that it decodes.
#[derive(Debug, Default)]
pub struct Attached(RefCell<Slots>);

impl Attached {
    /// The same, when some are missing at the end: this process could not take them in.
    #[must_use]
    pub fn incomplete(descriptors: Vec<OwnedFd>) -> Self {
        let attached = Attached::from(descriptors);
        attached.0.borrow_mut().is_incomplete = true;
        attached
    }

    /// Duplicates of descriptors that others need too: as many as there may be.
    #[must_use]
    pub fn copies_of(descriptors: &[OwnedFd]) -> Self {
        let mut copies = Vec::with_capacity(descriptors.len());
        for descriptor in descriptors {
            match descriptor.try_clone() {
                Ok(copy) => copies.push(copy),
                Err(_) => return Attached::incomplete(copies),
            }
        }
        copies.into()
    }

    /// How many came, taken or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.borrow().descriptors.len()
    }

    /// Whether none came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether some are missing.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.0.borrow().is_incomplete
    }

    /// A duplicate of one that was not taken.
    ///
    /// # Errors
    /// When it is not there, or descriptors have run out.
    pub fn copy(&self, index: u32) -> Result<OwnedFd, AttachError> {
        let slots = self.0.borrow();
        let slot = usize::try_from(index)
            .ok()
            .and_then(|index| slots.descriptors.get(index)?.as_ref());
        let descriptor = slot.ok_or(AttachError::Missing(index))?;
        descriptor.try_clone().map_err(AttachError::Duplicate)
    }

    /// Takes the last one off.
    pub fn pop(&mut self) -> Option<OwnedFd> {
        self.0.get_mut().descriptors.pop().flatten()
    }

    /// Splits off those from the one at `at` on.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        let slots = self.0.get_mut();
        let at = at.min(slots.descriptors.len());
        let rest = Slots {
            descriptors: slots.descriptors.split_off(at),
            is_incomplete: slots.is_incomplete,
        };
        Attached(RefCell::new(rest))
    }

    /// Those that were not taken.
    #[must_use]
    pub fn into_descriptors(self) -> Vec<OwnedFd> {
        let slots = self.0.into_inner();
        slots.descriptors.into_iter().flatten().collect()
    }
}

impl From<Vec<OwnedFd>> for Attached {
    fn from(descriptors: Vec<OwnedFd>) -> Self {
        Attached(RefCell::new(Slots {
            descriptors: descriptors.into_iter().map(Some).collect(),
            is_incomplete: false,
        }))
    }
}

/// Sends a duplicate of `descriptor` along with the value that is being encoded, and says by which
/// number [`take`] gets it. For implementations of `Serialize`.
///
/// # Errors
/// When nothing is being encoded for a transport, or descriptors have run out, or the value has
/// [`MOST`] already.
#[expect(clippy::missing_panics_doc, reason = "the number is at most `MOST`")]
pub fn attach(descriptor: BorrowedFd<'_>) -> Result<u32, AttachError> {
    with_table(|table| {
        let Table::Collecting { descriptors, .. } = table else {
            return Err(AttachError::NoTransport);
        };
        if descriptors.len() >= MOST {
            return Err(AttachError::TooMany);
        }
        // Close-on-exec, as all descriptors of ours.
        let copy = descriptor
            .try_clone_to_owned()
            .map_err(AttachError::Duplicate)?;
        descriptors.push(copy);
        let index = descriptors.len() - 1;
        Ok(u32::try_from(index).expect("the number is at most `MOST`"))
    })
}

/// The descriptor that [`attach`] gave this number, of the value that is being decoded. For
/// implementations of `Deserialize`.
///
/// # Errors
/// When nothing is being decoded for a transport, or no such descriptor came, or it was taken.
pub fn take(index: u32) -> Result<OwnedFd, AttachError> {
    with_table(|table| {
        let Table::Providing(slots) = table else {
            return Err(AttachError::NoTransport);
        };
        let slot = usize::try_from(index)
            .ok()
            .and_then(|index| slots.descriptors.get_mut(index));
        match slot {
            Some(slot) => slot.take().ok_or(AttachError::Missing(index)),
            None if slots.is_incomplete => Err(AttachError::Lost(index)),
            None => Err(AttachError::Missing(index)),
        }
    })
}

/// Serializes a handle that is nothing but a descriptor: by [`attach`].
///
/// # Errors
/// As [`attach`], as errors of the format.
pub fn serialize<S: Serializer>(descriptor: BorrowedFd<'_>, to: S) -> Result<S::Ok, S::Error> {
    attach(descriptor).map_err(custom)?.serialize(to)
}

/// Deserializes what [`serialize`] wrote.
///
/// # Errors
/// As [`take`], as errors of the format.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<OwnedFd, D::Error> {
    let index = u32::deserialize(from)?;
    take(index).map_err(de::Error::custom)
}

/// An error of the format, with its cause: formats keep nothing but a text.
fn custom<E: ser::Error>(error: AttachError) -> E {
    match &error {
        AttachError::Duplicate(cause) => E::custom(format_args!("{error}: {cause}")),
        _ => E::custom(error),
    }
}

/// Runs `encode`, and returns what it returned and every descriptor that was attached meanwhile, in
/// the order of their numbers: an [`Encoder`](super::Encoder) that is used inside leaves its
/// descriptors to this scope. For transports; so is [`provide`].
pub fn collect<R>(encode: impl FnOnce() -> R) -> (R, Vec<OwnedFd>) {
    let mut descriptors = Vec::new();
    let result = collecting(Collector::Transport, &mut descriptors, encode);
    (result, descriptors)
}

/// Runs `decode`, which may take each of the descriptors once; those that it leaves are closed.
pub fn provide<R>(descriptors: Vec<OwnedFd>, decode: impl FnOnce() -> R) -> R {
    provide_from(&Attached::from(descriptors), decode)
}

/// Runs `encode`, and puts what is attached meanwhile behind `descriptors`; unless a transport
/// collects already.
pub(super) fn collect_into<R>(descriptors: &mut Vec<OwnedFd>, encode: impl FnOnce() -> R) -> R {
    let is_collected = with_table(|table| {
        let by = Collector::Transport;
        Ok(matches!(table, Table::Collecting { by: now, .. } if *now == by))
    });
    match is_collected {
        Ok(true) => encode(),
        _ => collecting(Collector::Encoder, descriptors, encode),
    }
}

/// Runs `decode`, which may take each of the descriptors that were not taken.
pub fn provide_from<R>(attached: &Attached, decode: impl FnOnce() -> R) -> R {
    let inner = Table::Providing(attached.0.take());
    in_scope(inner, decode, |inner| {
        if let Table::Providing(slots) = inner {
            attached.0.replace(slots);
        }
    })
}

fn collecting<R>(by: Collector, into: &mut Vec<OwnedFd>, encode: impl FnOnce() -> R) -> R {
    let descriptors = std::mem::take(into);
    in_scope(Table::Collecting { descriptors, by }, encode, |inner| {
        if let Table::Collecting { descriptors, .. } = inner {
            *into = descriptors;
        }
    })
}

/// Runs `f` with `inner` as the thread's table, and hands what is left of that to `end`, also when
/// `f` panics; the outer table is there again then.
fn in_scope<R>(inner: Table, f: impl FnOnce() -> R, end: impl FnOnce(Table)) -> R {
    struct Scope<E: FnOnce(Table)> {
        /// None once it was put back.
        parts: Option<(Table, E)>,
    }

    impl<E: FnOnce(Table)> Drop for Scope<E> {
        fn drop(&mut self) {
            if let Some((outer, end)) = self.parts.take() {
                end(replace(outer).unwrap_or_else(|_| Table::Inactive));
            }
        }
    }

    let parts = match replace(inner) {
        Ok(outer) => Some((outer, end)),
        // The thread is ending, and its table is gone: handles can't travel here any more.
        Err(inner) => {
            end(inner);
            None
        }
    };
    let _scope = Scope { parts };
    f()
}

/// Puts a table in the place of the thread's, while the thread still has one.
fn replace(table: Table) -> Result<Table, Table> {
    let mut table = Some(table);
    let replaced = TABLE.try_with(|now| now.replace(table.take().unwrap_or_default()));
    replaced.map_err(|_| table.unwrap_or_default())
}

/// The table, while the thread still has one: its destructors may run code of users.
fn with_table<R>(f: impl FnOnce(&mut Table) -> Result<R, AttachError>) -> Result<R, AttachError> {
    TABLE
        .try_with(|table| f(&mut table.borrow_mut()))
        .unwrap_or(Err(AttachError::NoTransport))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        os::fd::{AsFd, AsRawFd},
        panic,
    };

    use super::*;

    fn null() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn descriptors_are_numbered_in_order_and_taken_once() {
        let (numbers, descriptors) = collect(|| {
            let (one, other) = (null(), null());
            [one, other].map(|fd| attach(fd.as_fd()).unwrap())
        });
        assert_eq!(numbers, [0, 1]);
        let raw: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        provide(descriptors, || {
            assert_eq!(take(1).unwrap().as_raw_fd(), raw[1]);
            assert!(matches!(take(1), Err(AttachError::Missing(1))));
            assert!(matches!(take(2), Err(AttachError::Missing(2))));
            assert!(matches!(
                attach(null().as_fd()),
                Err(AttachError::NoTransport)
            ));
        });
    }

    #[test]
    fn what_a_scope_leaves_goes_back_to_where_it_was() {
        let attached = Attached::incomplete(vec![null(), null()]);
        provide_from(&attached, || take(0).map(drop).unwrap());
        provide_from(&attached, || {
            assert!(matches!(take(0), Err(AttachError::Missing(0))));
            assert!(matches!(take(2), Err(AttachError::Lost(2))));
        });
        assert_eq!(attached.into_descriptors().len(), 1);

        let mut collected = vec![null()];
        collect_into(&mut collected, || {
            assert_eq!(attach(null().as_fd()).unwrap(), 1);
        });
        let ((), outer) = collect(|| {
            collect_into(&mut collected, || {
                assert_eq!(attach(null().as_fd()).unwrap(), 0);
            });
        });
        assert_eq!((collected.len(), outer.len()), (2, 1));
    }

    #[test]
    fn outside_a_transport_the_error_says_how_a_handle_travels() {
        let error = attach(null().as_fd()).unwrap_err().to_string();
        assert!(
            error.contains("only travel as an argument, a result or an item of ppool"),
            "{error}"
        );
        assert!(matches!(take(0), Err(AttachError::NoTransport)));
    }

    #[test]
    fn a_nested_scope_restores_the_outer_one_after_a_panic_too() {
        let fd = null();
        let ((), descriptors) = collect(|| {
            attach(fd.as_fd()).unwrap();
            let ((), inner) = collect(|| assert_eq!(attach(fd.as_fd()).unwrap(), 0));
            assert_eq!(inner.len(), 1);
            // Unlike `panic!`, it prints nothing.
            let unwind = || provide(inner, || panic::resume_unwind(Box::new("on purpose")));
            let panicked = panic::catch_unwind(unwind);
            assert!(panicked.is_err());
            assert_eq!(attach(fd.as_fd()).unwrap(), 1);
        });
        assert_eq!(descriptors.len(), 2);
        assert!(matches!(take(0), Err(AttachError::NoTransport)));
    }
}
