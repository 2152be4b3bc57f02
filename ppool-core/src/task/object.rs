//! Values that can be called: a job travels by itself, and the worker calls it.

use std::{fmt, marker::PhantomData};

use super::{Task, TaskEntry};
use crate::codec::Lane;

/// A value that can be called: `#[task] impl Callable for Job { .. }` lets a pool run it.
///
/// It mirrors the callable objects of DIRAC's `ProcessTask` and the task objects of
/// multiprocessing's examples: the value travels, and the worker calls it.
pub trait Callable {
    /// What the call returns.
    type Output;

    /// Runs the job.
    fn call(self) -> Self::Output;
}

/// A [`Callable`] that `#[task]` registered.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task object",
    label = "not a task object",
    note = "write `#[task]` above `impl Callable for {Self}`"
)]
pub trait TaskObject: Callable + Sized + 'static {
    #[doc(hidden)]
    type Task: Task<Args = (Self,), Output = Self::Output>;
    #[doc(hidden)]
    fn task() -> Self::Task;

    #[doc(hidden)]
    fn entry() -> &'static TaskEntry;
    #[doc(hidden)]
    fn lanes() -> (Lane<Self>,);
    #[doc(hidden)]
    fn output_lane() -> Lane<Self::Output>;
}

/// The task of all jobs of type `J`: it calls the job.
///
/// It is generic, and not a type that `#[task]` writes beside each job, because only so it is as
/// visible as the job is, whatever that is.
pub struct ObjectTask<J>(PhantomData<fn(J)>);

impl<J> ObjectTask<J> {
    /// The task of these jobs.
    #[inline]
    #[must_use]
    #[expect(clippy::new_without_default, reason = "only the macro calls it")]
    pub fn new() -> Self {
        ObjectTask(PhantomData)
    }
}

impl<J> Clone for ObjectTask<J> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<J> Copy for ObjectTask<J> {}

impl<J> fmt::Debug for ObjectTask<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectTask")
    }
}

impl<J: TaskObject> Task for ObjectTask<J> {
    type Args = (J,);
    type Output = J::Output;

    fn entry() -> &'static TaskEntry {
        J::entry()
    }

    #[inline]
    fn lanes() -> (Lane<J>,) {
        J::lanes()
    }

    #[inline]
    fn output_lane() -> Lane<J::Output> {
        J::output_lane()
    }
}
