//! The inputs of a map that travel together: how they are pulled and encoded, and who gets what came of
//! them.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use super::{
    options::MakeHook,
    pace::{FULL, Pace},
};
use crate::{
    codec::{ArgList, ChunkWriter, Encoder, IntoArgs, Spacing, Values},
    error::{EncodeError, TaskError},
    future::{CallbackRunner, Hooks, Outcome, SharedOutcome, panic_message},
    queue_manager::{QueueManager, Sink},
    task::Task,
};

/// Where the outcomes of a map come together. What has to be run for one is run outside every lock.
pub(super) trait Gathers: fmt::Debug + Send + Sync {
    /// The calls of the inputs from `index` on have given these values.
    fn values(&self, index: u64, values: Values) -> Option<Hooks>;
    /// The call of the input at `index` has failed.
    fn error(&self, index: u64, error: TaskError) -> Option<Hooks>;
}

/// Inputs of a map that travel together.
#[derive(Debug)]
pub(super) struct Chunk<G> {
    gather: Arc<G>,
    /// The index of its first input.
    base: u64,
    /// How many of its calls have not ended.
    open: AtomicU32,
    /// How many it has.
    count: u32,
    /// Learns how long they took.
    pace: Arc<Pace>,
    /// Makes the callbacks of one call.
    hook: Option<MakeHook>,
}

impl<G: Gathers> Chunk<G> {
    pub(super) fn new(
        gather: &Arc<G>,
        base: u64,
        count: u32,
        pace: &Arc<Pace>,
        hook: Option<MakeHook>,
    ) -> Arc<Self> {
        Arc::new(Chunk {
            gather: Arc::clone(gather),
            base,
            open: AtomicU32::new(count),
            count,
            pace: Arc::clone(pace),
            hook,
        })
    }

    /// How many inputs it has.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether all its calls have ended.
    pub(super) fn is_done(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// It was not submitted, so all its calls fail.
    pub(super) fn refuse(&self, error: &TaskError, runner: &CallbackRunner) {
        let mut hooks = Vec::new();
        for index in 0..self.count {
            self.resolve(index, Outcome::Error(error.clone()), &mut hooks);
        }
        for hook in hooks {
            hook.run(runner);
        }
    }

    fn index(&self, index: u32) -> u64 {
        self.base + u64::from(index)
    }
}

impl<G: Gathers> Sink for Chunk<G> {
    fn starts(&self) {}

    fn returns_to_pending(&self) {}

    fn resolve(&self, index: u32, outcome: Outcome, hooks: &mut Vec<Hooks>) {
        match outcome {
            Outcome::Value(payload) => {
                self.resolve_values(index, Values::one(payload), hooks);
            }
            Outcome::Error(error) => {
                if let Some(hook) = &self.hook {
                    let outcome = SharedOutcome::Error(error.clone());
                    hooks.push(Hooks::callback(hook.make(), outcome));
                }
                hooks.extend(self.gather.error(self.index(index), error));
                self.open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    fn resolve_values(&self, index: u32, values: Values, hooks: &mut Vec<Hooks>) {
        if let Some(hook) = &self.hook {
            let copies = values.copies().into_iter();
            hooks
                .extend(copies.map(|copy| {
                    Hooks::callback(hook.make(), SharedOutcome::Value(Arc::new(copy)))
                }));
        }
        let ended = values.count();
        hooks.extend(self.gather.values(self.index(index), values));
        self.open.fetch_sub(ended, Ordering::Relaxed);
    }

    fn ran(&self, time: Duration) {
        self.pace.ran(self.count, time);
    }
}

/// Inputs that were encoded together.
pub(super) struct Filled {
    pub(super) chunk: ChunkWriter,
    /// The input after them could not be encoded.
    pub(super) failed: Option<EncodeError>,
    /// Whether there may be more inputs.
    pub(super) more: bool,
}

/// Pulls up to `size` inputs and encodes them: exactly so many when the user has fixed the size, else
/// until the chunk has as many bytes as it should.
pub(super) fn fill<T: Task, I>(
    manager: &QueueManager,
    inputs: &mut I,
    size: u64,
    fixed: bool,
) -> Filled
where
    I: Iterator<Item: IntoArgs<T::Args>>,
{
    let lanes = T::lanes();
    let form = T::Args::fixed_len(&lanes);
    let spacing = (size > 1).then_some(Spacing::of(form));
    let mut filled = Filled {
        chunk: ChunkWriter::with_segments(spacing, manager.segments()),
        failed: None,
        more: true,
    };
    let full = if fixed { usize::MAX } else { FULL };
    if let (Some(Spacing::Each(len)), Ok(most)) = (spacing, usize::try_from(size)) {
        let most = most.min((full / len.max(1)).max(1));
        filled
            .chunk
            .reserve(most.min(inputs.size_hint().0).saturating_mul(len));
        for args in inputs.by_ref().take(most) {
            // Nothing of a user's is called for it, so nothing panics.
            let encode = |encoder: &mut Encoder| args.encode_args(&lanes, encoder);
            if let Err(error) = filled.chunk.write_even(encode) {
                filled.failed = Some(encode_error::<T>(filled.chunk.parameter(), &error.0));
                return filled;
            }
        }
        filled.more = filled.chunk.count() as usize == most;
        return filled;
    }
    while u64::from(filled.chunk.count()) < size && filled.chunk.byte_len() < full {
        let Some(args) = inputs.next() else {
            filled.more = false;
            break;
        };
        let encode = |encoder: &mut Encoder| encode_item::<T, _>(&args, &lanes, encoder);
        if let Err(error) = filled.chunk.write(encode) {
            filled.failed = Some(error);
            break;
        }
    }
    filled
}

/// Encodes one input. A `Serialize` that fails or panics is an error of that input.
pub(super) fn encode_item<T: Task, A: IntoArgs<T::Args>>(
    args: &A,
    lanes: &<T::Args as ArgList>::Lanes,
    encoder: &mut Encoder,
) -> Result<(), EncodeError> {
    let encoded = catch_unwind(AssertUnwindSafe(|| args.encode_args(lanes, encoder)));
    let message = match encoded {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.0,
        Err(panic) => format!("its Serialize panicked: {}", panic_message(&*panic)),
    };
    Err(encode_error::<T>(encoder.parameter(), &message))
}

#[cold]
fn encode_error<T: Task>(parameter: usize, message: &str) -> EncodeError {
    let parameter = T::entry().parameter(parameter).unwrap_or("?");
    EncodeError::new(T::entry().name, Some(parameter), message)
}
