//! What a worker's call loop does, done by the thread that submits.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::invoke::invoke;
use crate::{
    codec::{ChunkReader, Decoder, attach::Attached},
    error::{BrokenPool, TaskError, TaskErrorKind},
    future::Outcome,
    ids::WorkId,
    queue_manager::{
        Cargo, QueueManager, Refusal, at_exit,
        core::{Core, Era},
        outcome::outcome_of,
        reactor::Terms,
    },
    task::{Registry, TaskEntry},
    wire::{BootCall, CallOutcome, boot_call_failure},
};

/// What stands in the place of a worker.
#[derive(Debug, Default)]
pub(in crate::queue_manager) struct InProcess {
    /// Whether the initializer has run, and the finalizer has not. Held while either runs, so other
    /// threads wait for it, as calls wait for a worker that starts.
    is_ready: Mutex<bool>,
}

impl QueueManager {
    /// Whether calls run in this process.
    pub(crate) fn runs_here(&self) -> bool {
        self.in_process.is_some()
    }

    /// Takes in a call and runs it, here and now.
    pub(in crate::queue_manager) fn run_here(
        self: &Arc<Self>,
        in_process: &InProcess,
        cargo: Cargo,
        terms: Terms,
    ) -> Result<WorkId, Refusal> {
        let registry = Registry::get().map_err(BrokenPool::new)?;
        let begun = self
            .lock()
            .reactor
            .begins_here(cargo.clone(), terms, self.now());
        let id = begun?;
        match self.make_ready(in_process, registry) {
            Ok(()) => self.run_calls(&cargo, id, terms.count),
            Err(cause) => {
                let mut core = self.lock();
                let Core {
                    reactor, effects, ..
                } = &mut *core;
                reactor.breaks_here(cause.clone(), effects);
                self.settle(core);
                let kind = TaskErrorKind::PoolBroken(cause);
                let error = TaskError::new(cargo.entry.name, id, false, kind);
                for index in 0..terms.count {
                    self.resolve_here(&cargo, index, Outcome::Error(error.clone()));
                }
            }
        }
        let mut core = self.lock();
        let Core {
            reactor, effects, ..
        } = &mut *core;
        reactor.ends_here(id, effects);
        self.settle(core);
        Ok(id)
    }

    fn run_calls(&self, cargo: &Cargo, id: WorkId, count: u32) {
        let payload = &cargo.payload;
        let attached = payload.attached();
        let mut chunk = ChunkReader::new(payload.bytes(), cargo.entry.args_spacing());
        for index in 0..count {
            let args = match count {
                1 => payload.bytes(),
                _ => chunk.next().unwrap_or_default(),
            };
            let args = Decoder::new(args).with_attached(&attached);
            cargo.sink.starts();
            let outcome = outcome_of(cargo.entry, id, invoke(cargo.entry, args));
            self.resolve_here(cargo, index, outcome);
        }
    }

    fn resolve_here(&self, cargo: &Cargo, index: u32, outcome: Outcome) {
        let mut hooks = Vec::new();
        cargo.sink.resolve(index, outcome, &mut hooks);
        for hook in hooks {
            hook.run(&self.callbacks);
        }
    }

    /// Runs the initializer, once.
    fn make_ready(
        self: &Arc<Self>,
        in_process: &InProcess,
        registry: &Registry,
    ) -> Result<(), BrokenPool> {
        let mut is_ready = lock(&in_process.is_ready);
        if *is_ready {
            return Ok(());
        }
        let boot = &self.settings.boot;
        let [preload, initializer, _] = &self.settings.descriptors;
        let calls = [
            ("preload", &boot.preload, preload),
            ("initializer", &boot.initializer, initializer),
        ];
        for (what, call, descriptors) in calls {
            if let Some(call) = call {
                let attached = Attached::copies_of(descriptors);
                run_step(what, call, &attached, registry).map_err(|message| {
                    BrokenPool::new(format!("the pool could not start: {message}"))
                })?;
            }
        }
        *is_ready = true;
        // The finalizer runs at the end of the program too.
        at_exit::register(self);
        Ok(())
    }

    /// Waits until the calls of other threads are done, then runs the finalizer and what callbacks
    /// there are. False at `deadline`.
    pub(in crate::queue_manager) fn join_here<'a>(
        &'a self,
        in_process: &InProcess,
        mut core: MutexGuard<'a, Core>,
        era: Era,
        deadline: Option<Instant>,
    ) -> bool {
        let in_callback = self.callbacks.is_current_thread();
        while !core.has_ended && core.era == era {
            if core.stopped && in_callback {
                drop(core);
                self.finalize_here(in_process, era);
                return true;
            }
            if core.stopped && !core.ends_here {
                core.ends_here = true;
                drop(core);
                let has_ended = self.end_here(in_process, era, deadline);
                core = self.lock();
                core.ends_here = false;
                core.has_ended = has_ended;
                self.ended.notify_all();
                return has_ended;
            }
            core = match self.wait_for_change(core, deadline) {
                Some(core) => core,
                None => return false,
            };
        }
        true
    }

    /// What is left to do when no call runs any more; one thread at a time does it.
    fn end_here(&self, in_process: &InProcess, era: Era, deadline: Option<Instant>) -> bool {
        self.finalize_here(in_process, era);
        if !self.callbacks.is_polled() {
            if !self.callbacks.wait_until_idle(deadline) {
                return false;
            }
            self.callbacks.drain_and_stop();
        }
        true
    }

    /// Runs the finalizer, if the initializer has run.
    fn finalize_here(&self, in_process: &InProcess, era: Era) {
        let mut is_ready = lock(&in_process.is_ready);
        if self.lock().era != era {
            return;
        }
        if *is_ready
            && let Some(finalizer) = &self.settings.boot.finalizer
            && let Ok(registry) = Registry::get()
        {
            let attached = Attached::copies_of(&self.settings.descriptors[2]);
            let done = run_step("finalizer", finalizer, &attached, registry);
            if let Err(message) = done {
                self.lock().finalizers.note(0, std::process::id(), message);
            }
        }
        *is_ready = false;
    }
}

/// Runs the preload, the initializer or the finalizer; the error says what went wrong.
fn run_step(
    what: &str,
    call: &BootCall,
    attached: &Attached,
    registry: &Registry,
) -> Result<(), String> {
    let entry = find(call, registry)?;
    let name = entry.name();
    let arguments = Decoder::new(&call.payload).with_attached(attached);
    match invoke(entry, arguments) {
        CallOutcome::Value(output) => match boot_call_failure(output.bytes()) {
            Some(message) => Err(format!("the {what} `{name}` failed: {message}")),
            None => Ok(()),
        },
        CallOutcome::Panicked(panic) => Err(format!("the {what} `{name}` panicked{panic}")),
        CallOutcome::Decode { message, .. } => Err(format!(
            "the arguments of the {what} `{name}` could not be decoded: {message}"
        )),
        // Its value is of no interest, so that it can't be encoded isn't either; there is one value.
        CallOutcome::Encode { .. } | CallOutcome::Values { .. } | CallOutcome::InSegment { .. } => {
            Ok(())
        }
    }
}

fn find(call: &BootCall, registry: &Registry) -> Result<&'static TaskEntry, String> {
    let key = call.task;
    let unknown = || format!("this program has no task with the key {:#018x}", key.0);
    registry.find(key).ok_or_else(unknown)
}

fn lock(is_ready: &Mutex<bool>) -> MutexGuard<'_, bool> {
    is_ready.lock().unwrap_or_else(PoisonError::into_inner)
}
