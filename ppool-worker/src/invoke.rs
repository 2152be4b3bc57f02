//! One invocation of a task, whatever it does.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ppool_core::{
    codec::{Decoder, Encoder},
    task::{Invocation, Invocations, InvokeError, Stage, TaskEntry},
    wire::CallOutcome,
};

use crate::panic;

/// Decodes the arguments in `args`, runs the task, and encodes its result.
///
/// # Errors
/// What to tell the parent; the output then holds rubbish.
pub(crate) fn invoke(
    entry: &TaskEntry,
    args: Decoder<'_>,
    output: &mut Encoder,
) -> Result<(), CallOutcome> {
    let mut invocation = Invocation::new(args, output);
    // The invocation is used after a panic only for how far it came. What else the task may leave
    // half done is its own, as on a thread.
    match catch_unwind(AssertUnwindSafe(|| entry.invoke(&mut invocation))) {
        Ok(ended) => ended.map_err(failed),
        Err(payload) => {
            let panic = panic::take(payload);
            Err(match invocation.stage() {
                Stage::Decode(parameter) => decode(parameter, format!("panicked{panic}")),
                Stage::Run => CallOutcome::Panicked(panic),
                Stage::Encode => encode(format!("panicked{panic}")),
            })
        }
    }
}

/// The same for calls that follow each other, of a task whose arguments and results have a fixed form,
/// until one fails.
///
/// # Errors
/// What to tell the parent of the one that failed.
pub(crate) fn invoke_each(
    entry: &TaskEntry,
    mut invocations: Invocations<'_>,
) -> Result<(), CallOutcome> {
    match catch_unwind(AssertUnwindSafe(|| entry.invoke_each(&mut invocations))) {
        Ok(ended) => ended.map_err(failed),
        // What has a fixed form is decoded and encoded without a user's code, so it is the task.
        Err(payload) => Err(CallOutcome::Panicked(panic::take(payload))),
    }
}

#[cold]
fn failed(error: InvokeError) -> CallOutcome {
    match error {
        InvokeError::Decode(parameter, error) => decode(parameter, error.0),
        InvokeError::Encode(error) => encode(error.0),
    }
}

fn decode(parameter: usize, message: String) -> CallOutcome {
    CallOutcome::Decode {
        parameter: u32::try_from(parameter).expect("a task has at most twelve parameters"),
        message,
    }
}

fn encode(message: String) -> CallOutcome {
    CallOutcome::Encode { message }
}
