//! An object of a type of one's own, which lives in the server.

use std::{
    any::{Any, type_name},
    cell::RefCell,
};

use serde::{Deserialize, Serialize};

use super::proxy;
use crate::{
    codec::{Decoder, Encoder, IntoArgs, attach},
    error::RemotePanic,
    manager::{
        ManagerError,
        bytes::Blob,
        error::ManagerErrorKind,
        handle::{Remote, unexpected},
        protocol::{self, Answer, Request},
    },
    task::Task,
};

/// An object of any type, which lives in the server, and on which tasks are run there: what a type
/// becomes that is registered with multiprocessing's `Manager.register`.
///
/// The task that makes it calls [`set_object`], the others [`with_object`]. The object itself never
/// travels, so its type needs no serde; only the tasks' arguments and results do. Its tasks run one
/// at a time, on a thread of their own: each is atomic, and holds up no other object.
///
/// A task that panics fails its call, and the object stays as the task left it. One that ends the
/// process ends the server, with all that it keeps.
///
/// ```no_run
/// # use ppool_core as ppool;
/// # use ppool_core::Task;
/// use ppool::manager::{self, Manager, ManagerError};
///
/// struct Account {
///     balance: i64,
/// }
///
/// // #[task]
/// fn open(balance: i64) {
///     manager::set_object(Account { balance });
/// }
///
/// // #[task]
/// fn withdraw(amount: i64) -> bool {
///     manager::with_object(|account: &mut Account| {
///         let covered = account.balance >= amount;
///         if covered {
///             account.balance -= amount;
///         }
///         covered
///     })
/// }
///
/// # fn example<O, W>(open: O, withdraw: W) -> Result<(), ManagerError>
/// # where O: Task<Args = (i64,), Output = ()>, W: Task<Args = (i64,), Output = bool> {
/// let account = Manager::start()?.object(open, 100)?;
/// assert!(account.call(withdraw, 70)?);
/// assert!(!account.call(withdraw, 70)?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// A call fails when the server has ended ([`ManagerError::is_server_gone`]), also while it waits,
/// when its task panics ([`ManagerError::is_panic`]), when the system has run out of something, and
/// when an argument or the result can't travel.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object {
    remote: Remote,
}

proxy!(Object);

impl Object {
    /// Runs `task` with `args` in the server, on the object's thread, when the calls before it have
    /// ended; what it returned. `args` is a tuple, or the bare value where there is one parameter.
    ///
    /// # Errors
    /// See [`Object`].
    pub fn call<T: Task, A: IntoArgs<T::Args>>(
        &self,
        task: T,
        args: A,
    ) -> Result<T::Output, ManagerError> {
        self.run(task, &args)
            .map_err(|kind| ManagerError::new("Object::call", kind))
    }

    fn run<T: Task, A: IntoArgs<T::Args>>(
        &self,
        task: T,
        args: &A,
    ) -> Result<T::Output, ManagerErrorKind> {
        let handle = &self.remote.0;
        let call = encode_call(task, args)?;
        match failed::<T>(handle.call(&Request::Call(handle.object(), call))?)? {
            Answer::Returned(blob) => {
                let bytes = blob.bytes.clone();
                let attached = blob.attached().map_err(ManagerErrorKind::System)?;
                let mut input = Decoder::new(bytes.as_slice()).with_attached(&attached);
                let output = T::output_lane().decode(&mut input);
                output.map_err(|error| ManagerErrorKind::Call {
                    task: T::entry().name(),
                    message: format!("the result could not be decoded: {}", error.0),
                })
            }
            other => Err(unexpected(&other)),
        }
    }
}

/// A call as the server takes it.
pub(in crate::manager) fn encode_call<T: Task, A: IntoArgs<T::Args>>(
    _task: T,
    args: &A,
) -> Result<protocol::Call, ManagerErrorKind> {
    let entry = T::entry();
    let mut out = Encoder::new();
    let (encoded, descriptors) = attach::collect(|| args.encode_args(&T::lanes(), &mut out));
    encoded.map_err(|error| {
        let parameter = entry.parameter(out.parameter()).unwrap_or("?");
        ManagerErrorKind::Call {
            task: entry.name(),
            message: format!(
                "the argument `{parameter}` could not be encoded: {}",
                error.0
            ),
        }
    })?;
    Ok(protocol::Call {
        task: entry.key().0,
        arguments: Blob {
            bytes: out.into_bytes().into(),
            descriptors: descriptors.into_iter().map(Into::into).collect(),
        },
    })
}

/// An answer that doesn't say that the task has failed.
pub(in crate::manager) fn failed<T: Task>(answer: Answer) -> Result<Answer, ManagerErrorKind> {
    let task = T::entry().name();
    match answer {
        Answer::Panicked {
            message,
            location,
            backtrace,
        } => Err(ManagerErrorKind::Panicked {
            task,
            panic: RemotePanic::new(message, location, backtrace),
        }),
        Answer::Failed(message) => Err(ManagerErrorKind::Call { task, message }),
        answer => Ok(answer),
    }
}

thread_local! {
    /// What lives on this thread: in a server, the object of the thread.
    static OBJECT: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Makes `object` the one on which the task runs: for the task that makes an [`Object`].
///
/// There is one for each thread; the one before is dropped. It works on any thread, so that a task
/// that is called directly finds what was set there.
///
/// # Panics
/// When called inside [`with_object`].
pub fn set_object<S: 'static>(object: S) {
    let before = OBJECT.with(|place| match place.try_borrow_mut() {
        Ok(mut place) => place.replace(Box::new(object)),
        Err(_) => panic!("`manager::set_object` was called inside `manager::with_object`"),
    });
    // Its destructor is a user's.
    drop(before);
}

/// Calls `f` with the object on which the task runs.
///
/// # Panics
/// When this thread has no object of the type, and when called inside itself. A panic of `f` goes
/// through; the object stays as `f` left it.
pub fn with_object<S: 'static, R>(f: impl FnOnce(&mut S) -> R) -> R {
    OBJECT.with(|place| {
        let Ok(mut place) = place.try_borrow_mut() else {
            panic!("`manager::with_object` was called inside itself");
        };
        match place.as_mut().and_then(|object| object.downcast_mut()) {
            Some(object) => f(object),
            None => panic!(
                "there is no object of the type `{}` here: the task that makes it sets it with \
                 `manager::set_object`",
                type_name::<S>()
            ),
        }
    })
}
