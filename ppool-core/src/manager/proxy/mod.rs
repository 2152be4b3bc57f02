//! What users hold: one type for each kind of object that a manager keeps.

mod array;
mod barrier;
mod condition;
mod dict;
mod event;
mod grip;
mod list;
mod lock;
mod namespace;
mod object;
mod rlock;
mod semaphore;
mod sequence;
mod value;

pub use array::Array;
pub use barrier::Barrier;
pub use condition::Condition;
pub use dict::Dict;
pub use event::Event;
pub use list::List;
pub use lock::{Lock, LockGuard};
pub use namespace::Namespace;
pub use object::{Object, set_object, with_object};
pub(super) use object::{encode_call, failed};
pub use rlock::{RLock, RLockGuard};
pub use semaphore::{Permit, Semaphore};
pub(super) use sequence::encode_all;
pub use value::Value;

/// The types of what is behind a proxy that holds none of it: it is `Send` and `Sync` all the same.
type Of<T> = std::marker::PhantomData<fn(T) -> T>;

/// What all proxies can: copies of the handle, and a look at it.
macro_rules! proxy {
    ($name:ident $(<$($generic:ident),*>)? $(, $types:ident)?) => {
        impl $(<$($generic),*>)? $name $(<$($generic),*>)? {
            pub(in crate::manager) fn new(
                handle: std::sync::Arc<crate::manager::handle::Handle>,
            ) -> Self {
                $name {
                    remote: crate::manager::handle::Remote(handle),
                    $($types: std::marker::PhantomData,)?
                }
            }
        }

        impl $(<$($generic),*>)? Clone for $name $(<$($generic),*>)? {
            /// Another handle to the same object.
            fn clone(&self) -> Self {
                $name::new(self.remote.0.clone())
            }
        }

        impl $(<$($generic),*>)? std::fmt::Debug for $name $(<$($generic),*>)? {
            /// Which object it is; not what is in it.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.remote.0.debug(stringify!($name), f)
            }
        }
    };
}
use proxy;
