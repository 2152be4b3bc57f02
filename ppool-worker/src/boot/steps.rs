//! What a process runs beside calls: preload, initializer and finalizer.

use ppool_core::{
    codec::{Decoder, Encoder, attach::Attached},
    task::Registry,
    wire::{BootCall, CallOutcome, boot_call_failure},
};

use crate::{
    invoke::invoke,
    panic::{self, Running, Step},
};

/// Runs what a process has to beside calls; the error says what went wrong.
pub(crate) fn run_step(
    what: Step,
    call: &BootCall,
    attached: Attached,
    registry: &Registry,
) -> Result<(), String> {
    let (name, result) = run_boot_call(call, attached, registry, what)?;
    match result {
        Ok(output) => match boot_call_failure(&output) {
            Some(message) => Err(format!("the {what} `{name}` failed: {message}")),
            None => Ok(()),
        },
        Err(CallOutcome::Panicked(panic)) => Err(panic::step_panicked(what, name, &panic)),
        Err(CallOutcome::Decode { message, .. }) => Err(format!(
            "the arguments of the {what} `{name}` could not be decoded: {message}"
        )),
        // Its value is of no interest, so that it can't be encoded isn't either. The remaining
        // outcomes are none of a single invocation.
        Err(_) => Ok(()),
    }
}

/// Runs a call of the boot message: the task's name, and the encoded value or what went wrong.
fn run_boot_call(
    call: &BootCall,
    attached: Attached,
    registry: &Registry,
    what: Step,
) -> Result<(&'static str, Result<Vec<u8>, CallOutcome>), String> {
    let entry = registry.find(call.task).ok_or_else(|| {
        let key = call.task.0;
        format!("the worker has no task with the key {key:#018x}")
    })?;
    let mut output = Encoder::new();
    panic::now(Running::Step(what, entry.name()));
    let arguments = Decoder::new(&call.payload).with_attached(&attached);
    let invoked = invoke(entry, arguments, &mut output);
    panic::now(Running::Nothing);
    Ok((entry.name(), invoked.map(|()| output.into_bytes())))
}
