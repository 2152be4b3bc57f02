//! One invocation of a task, whatever it does, as a worker does it.

use super::panic;
use crate::{
    codec::{Decoder, Encoder},
    task::{Invocation, InvokeError, Stage, TaskEntry},
    wire::CallOutcome,
};

/// Decodes the arguments in `args`, runs the task, and encodes its result.
pub(super) fn invoke(entry: &TaskEntry, args: Decoder<'_>) -> CallOutcome {
    let mut output = Encoder::new();
    let mut invocation = Invocation::new(args, &mut output);
    match panic::caught(|| entry.invoke(&mut invocation)) {
        Ok(Ok(())) => CallOutcome::Value(output.into_payload()),
        Ok(Err(InvokeError::Decode(parameter, error))) => decode(parameter, error.0),
        Ok(Err(InvokeError::Encode(error))) => CallOutcome::Encode { message: error.0 },
        Err(panic) => match invocation.stage() {
            Stage::Decode(parameter) => decode(parameter, format!("panicked{panic}")),
            Stage::Run => CallOutcome::Panicked(panic),
            Stage::Encode => CallOutcome::Encode {
                message: format!("panicked{panic}"),
            },
        },
    }
}

fn decode(parameter: usize, message: String) -> CallOutcome {
    CallOutcome::Decode {
        parameter: u32::try_from(parameter).expect("a task has at most twelve parameters"),
        message,
    }
}
