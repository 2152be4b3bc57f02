//! One call in every worker.

use std::sync::Arc;

use super::{Pool, TaskCall, chunk::encode_item, options::Options};
use crate::{
    codec::{Encoder, IntoArgs},
    error::{TaskError, TaskErrorKind},
    future::{CallState, TaskFuture},
    ids::WorkId,
    queue_manager::Cargo,
    task::Task,
};

impl Pool {
    /// Calls `task` with `args` once in every worker and waits for the results, which come in order
    /// of the workers' slots: to empty a cache, to change a level of logging, to ask each for what
    /// it knows.
    ///
    /// Every worker is each one that takes calls when the broadcast begins, or is just being
    /// started; of a pool that has not had a call yet, those that it starts with. The call
    /// goes before all calls that wait, but interrupts none. Workers that are started later don't
    /// get it (the initializer is for that), except the one that takes the place of a worker
    /// which left or died before its turn came.
    ///
    /// A worker that fails costs its own result only: to get the values or the first error,
    /// `collect` them into a `Result<Vec<_>, _>`. A pool that takes no call, or arguments that
    /// can't be encoded, give a single error.
    pub fn broadcast<T: Task, A: IntoArgs<T::Args>>(
        &self,
        task: T,
        args: A,
    ) -> Vec<Result<T::Output, TaskError>> {
        self.task(task).broadcast(args)
    }

    fn broadcast_with<T: Task, A: IntoArgs<T::Args>>(
        &self,
        options: &Options<T::Output>,
        args: &A,
    ) -> Result<Vec<TaskFuture<T::Output>>, TaskErrorKind> {
        let mut encoder = Encoder::for_call(self.parts.manager.segments());
        encode_item::<T, A>(args, &T::lanes(), &mut encoder).map_err(TaskErrorKind::Encode)?;
        let payload = encoder.into_shared();
        let manager = &self.parts.manager;
        let mut states = Vec::new();
        let make = || {
            let state = Arc::new(CallState::new());
            states.push(Arc::clone(&state));
            Cargo {
                entry: T::entry(),
                payload: payload.clone(),
                sink: state,
            }
        };
        let terms = self.parts.terms(T::entry(), options, 1);
        let calls = manager
            .broadcast(terms, make)
            .map_err(TaskErrorKind::from)?;
        let futures = states.into_iter().zip(calls).map(|(state, id)| {
            let manager = Arc::clone(manager) as _;
            let future = TaskFuture::new(state, manager, id, T::entry(), T::output_lane())
                .labelled(options.label);
            self.attach_callbacks(&future, options);
            future
        });
        Ok(futures.collect())
    }
}

impl<T: Task> TaskCall<'_, T> {
    /// As [`Pool::broadcast`].
    pub fn broadcast<A: IntoArgs<T::Args>>(self, args: A) -> Vec<Result<T::Output, TaskError>> {
        match self.pool.broadcast_with::<T, A>(&self.options, &args) {
            Ok(futures) => futures.into_iter().map(TaskFuture::wait).collect(),
            Err(kind) => {
                let error = TaskError::new(T::entry().name, WorkId::default(), false, kind);
                vec![Err(match self.options.label {
                    Some(label) => error.labelled(label),
                    None => error,
                })]
            }
        }
    }
}
