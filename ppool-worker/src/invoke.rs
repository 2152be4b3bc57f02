//! One invocation of a task, whatever it does.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ppool_core::{
    codec::{Decoder, Encoder},
    task::{Invocation, InvokeError, Stage, TaskEntry},
    wire::CallOutcome,
};

use crate::panic;

/// What became of an invocation.
#[derive(Debug)]
pub(crate) struct Invoked {
    /// `Ok` says that the result is in the output, which holds rubbish otherwise; `Err` is what to
    /// tell the parent.
    pub(crate) result: Result<(), CallOutcome>,
    /// Where in the input the next item begins; `None` when not all arguments of this one could be
    /// decoded.
    pub(crate) next: Option<usize>,
}

/// Decodes the arguments that are next in `input`, runs the task, and encodes its result.
pub(crate) fn invoke(entry: &TaskEntry, input: Decoder<'_>, output: &mut Encoder) -> Invoked {
    let mut invocation = Invocation::new(input, output);
    // The invocation is used after a panic only for how far it came. What else the task may leave
    // half done is its own, as on a thread.
    let result = catch_unwind(AssertUnwindSafe(|| entry.invoke(&mut invocation)));
    let stage = invocation.stage();
    let position = invocation.into_input().position();

    let result = match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(InvokeError::Decode(parameter, error))) => Err(decode(parameter, error.0)),
        Ok(Err(InvokeError::Encode(error))) => Err(encode(error.0)),
        Err(payload) => {
            let panic = panic::take(payload);
            Err(match stage {
                Stage::Decode(parameter) => decode(parameter, format!("panicked{panic}")),
                Stage::Run => CallOutcome::Panicked(panic),
                Stage::Encode => encode(format!("panicked{panic}")),
            })
        }
    };
    let decoded = !matches!(result, Err(CallOutcome::Decode { .. }));
    Invoked {
        result,
        next: decoded.then_some(position),
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
