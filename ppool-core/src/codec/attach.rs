//! Descriptors that travel beside the bytes of a value: what handles to shared things are made of.
//!
//! ```text
//!  transport: collect ─► encode ─► Serialize of a handle ─► attach(fd) = 0, 1, 2, ..
//!                │                          └─► the number is written in the fd's place
//!                └─► bytes and descriptors ══ SCM_RIGHTS ══► bytes and descriptors
//!  transport: provide ─► decode ─► Deserialize of a handle ─► take(number) = the descriptor
//! ```
//!
//! serde gives its implementations nothing but the value and the format, so the table of descriptors
//! is the thread's, and active only while a transport of ppool encodes or decodes. Scopes may be
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

/// Why a descriptor could not go with a value, or was not there with it.
#[derive(Debug)]
#[non_exhaustive]
pub enum AttachError {
    /// The value isn't encoded or decoded for a transport of ppool.
    NoTransport,
    /// The descriptor could not be duplicated: they have run out.
    Duplicate(io::Error),
    /// The bytes name a descriptor that did not come with them, or name it twice.
    Missing(u32),
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
            AttachError::Missing(index) => {
                write!(f, "descriptor {index} of a handle did not come with it")
            }
        }
    }
}

impl std::error::Error for AttachError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AttachError::Duplicate(error) => Some(error),
            AttachError::NoTransport | AttachError::Missing(_) => None,
        }
    }
}

/// What a thread does with descriptors now.
#[derive(Default)]
enum Table {
    #[default]
    Inactive,
    Collecting(Vec<OwnedFd>),
    Providing(Vec<Option<OwnedFd>>),
}

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table::Inactive) };
}

/// Sends a duplicate of `descriptor` along with the value that is being encoded, and says by which
/// number [`take`] gets it. For implementations of `Serialize`.
///
/// # Errors
/// When nothing is being encoded for a transport, or descriptors have run out.
#[expect(
    clippy::missing_panics_doc,
    reason = "a process has fewer than 2^32 descriptors"
)]
pub fn attach(descriptor: BorrowedFd<'_>) -> Result<u32, AttachError> {
    with_table(|table| {
        let Table::Collecting(descriptors) = table else {
            return Err(AttachError::NoTransport);
        };
        // Close-on-exec, as all descriptors of ours.
        let copy = descriptor
            .try_clone_to_owned()
            .map_err(AttachError::Duplicate)?;
        descriptors.push(copy);
        let index = descriptors.len() - 1;
        Ok(u32::try_from(index).expect("a process has fewer than 2^32 descriptors"))
    })
}

/// The descriptor that [`attach`] gave this number, of the value that is being decoded. For
/// implementations of `Deserialize`.
///
/// # Errors
/// When nothing is being decoded for a transport, or no such descriptor came, or it was taken.
pub fn take(index: u32) -> Result<OwnedFd, AttachError> {
    with_table(|table| {
        let Table::Providing(descriptors) = table else {
            return Err(AttachError::NoTransport);
        };
        usize::try_from(index)
            .ok()
            .and_then(|index| descriptors.get_mut(index))
            .and_then(Option::take)
            .ok_or(AttachError::Missing(index))
    })
}

/// Runs `encode`, and returns what it returned and every descriptor that was attached meanwhile, in
/// the order of their numbers. For transports; so is [`provide`].
pub fn collect<R>(encode: impl FnOnce() -> R) -> (R, Vec<OwnedFd>) {
    let scope = Scope::enter(Table::Collecting(Vec::new()));
    let result = encode();
    match scope.leave() {
        Table::Collecting(descriptors) => (result, descriptors),
        Table::Inactive | Table::Providing(_) => {
            unreachable!("inner scopes restore what they found")
        }
    }
}

/// Runs `decode`, which may take each of the descriptors once; those that it leaves are closed.
pub fn provide<R>(descriptors: Vec<OwnedFd>, decode: impl FnOnce() -> R) -> R {
    let descriptors = descriptors.into_iter().map(Some).collect();
    let scope = Scope::enter(Table::Providing(descriptors));
    let result = decode();
    drop(scope.leave());
    result
}

/// Puts the outer table back when it goes.
struct Scope {
    /// None once it was put back.
    outer: Option<Table>,
}

impl Scope {
    fn enter(table: Table) -> Self {
        Scope {
            outer: Some(TABLE.replace(table)),
        }
    }

    /// Ends the scope, and says what is left in its table.
    fn leave(mut self) -> Table {
        TABLE.replace(self.outer.take().unwrap_or_default())
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(outer) = self.outer.take() {
            drop(TABLE.replace(outer));
        }
    }
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
