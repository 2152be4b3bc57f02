//! Tasks: what `#[task]` makes of a function, and the registry that finds it again in a worker.
//!
//! ```text
//!  #[task] fn square(n: u64) -> u64          (parent)                      (worker)
//!    │                                        square::entry().key ══════► Registry::find(key)
//!    ├─ struct square: Task + Deref           lanes() encode the           entry.invoke decodes,
//!    └─ TaskEntry in the slice TASKS          arguments                    calls, encodes
//! ```
//!
//! Invariant: REG-1 (one registry in a binary, unique names).

mod entry;
mod invocation;
mod object;
mod registry;

pub use entry::{Form, TaskEntry, TaskKey};
pub use invocation::{Invocation, Invocations, InvokeError, Stage};
pub use object::{Callable, ObjectTask, TaskObject};
pub use registry::{Registry, TASKS};

use crate::codec::{ArgList, Lane};

/// A function that can run in a worker process: what `#[task]` puts in the function's place.
///
/// It can't be implemented by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    label = "not a task",
    note = "write `#[task]` above the function to make it one, or use `ppool::closure!(|x: u64| -> u64 {{ .. }})`"
)]
pub trait Task: Copy + Send + Sync + 'static {
    /// The owned forms of its parameters, as a tuple.
    type Args: ArgList;
    /// What it returns.
    type Output: 'static;

    #[doc(hidden)]
    fn entry() -> &'static TaskEntry;
    #[doc(hidden)]
    fn lanes() -> <Self::Args as ArgList>::Lanes;
    #[doc(hidden)]
    fn output_lane() -> Lane<Self::Output>;
}

/// What a parameter or a result must be able to do: travel by serde.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't travel to a worker process and back",
    label = "this type can't be sent to another process",
    note = "a task's parameters and result must implement `serde::Serialize` and `serde::de::DeserializeOwned`: derive `Serialize` and `Deserialize` for the type or for what is in it",
    note = "an error that serde can't carry travels as `ppool::RemoteError`"
)]
pub trait Travels {
    /// There to be named: `<P as Travels>::CHECK` is how `#[task]` asks, at the place of the type.
    const CHECK: () = ();
}

#[diagnostic::do_not_recommend]
impl<T: serde::Serialize + serde::de::DeserializeOwned> Travels for T {}
