//! One call, on the worker's side, between bytes and bytes.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use crate::codec::{CodecError, Decoder, Encoder, Lane, Places, Slice};

/// How far an invocation has come: says whose fault a panic is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The argument of the parameter with this index is being decoded.
    Decode(usize),
    /// The task itself runs.
    Run,
    /// Its result is being encoded.
    Encode,
}

/// What could not be decoded or encoded.
#[derive(Debug)]
pub enum InvokeError {
    /// The argument of the parameter with this index.
    Decode(usize, CodecError),
    /// The result.
    Encode(CodecError),
}

/// The call that is running: its arguments in bytes, and where its result goes.
#[derive(Debug)]
pub struct Invocation<'a> {
    input: Decoder<'a>,
    output: &'a mut Encoder,
    stage: Stage,
}

impl<'a> Invocation<'a> {
    /// A call whose arguments are next in `input`.
    #[must_use]
    pub fn new(input: Decoder<'a>, output: &'a mut Encoder) -> Self {
        Invocation {
            input,
            output,
            stage: Stage::Decode(0),
        }
    }

    /// How far it has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What follows the arguments.
    #[must_use]
    pub fn into_input(self) -> Decoder<'a> {
        self.input
    }

    fn decode<T>(
        &mut self,
        index: usize,
        take: impl FnOnce(&mut Decoder<'a>) -> Result<T, CodecError>,
    ) -> Result<T, InvokeError> {
        self.stage = Stage::Decode(index);
        take(&mut self.input).map_err(|error| InvokeError::Decode(index, error))
    }

    /// The next argument, by value.
    ///
    /// # Errors
    /// When it can't be decoded.
    #[inline]
    pub fn argument<P>(&mut self, index: usize, lane: &Lane<P>) -> Result<P, InvokeError> {
        self.decode(index, |input| lane.decode(input))
    }

    /// The next argument, as text in place.
    ///
    /// # Errors
    /// When it is not text.
    #[inline]
    pub fn text(&mut self, index: usize) -> Result<&'a str, InvokeError> {
        self.decode(index, crate::codec::take_text)
    }

    /// The next argument, as a slice, in place where it can be.
    ///
    /// # Errors
    /// When it can't be decoded.
    #[inline]
    pub fn slice<T: 'static>(
        &mut self,
        index: usize,
        lane: &Lane<Vec<T>>,
    ) -> Result<Slice<'a, T>, InvokeError> {
        self.decode(index, |input| lane.decode_slice(input))
    }

    /// Says that the arguments are there and the task runs now.
    #[inline]
    pub fn run(&mut self) {
        self.stage = Stage::Run;
    }

    /// Encodes what the task returned.
    ///
    /// # Errors
    /// When it can't be encoded.
    #[inline]
    pub fn result<R>(&mut self, lane: &Lane<R>, result: &R) -> Result<(), InvokeError> {
        self.stage = Stage::Encode;
        lane.encode(result, self.output)
            .map_err(InvokeError::Encode)
    }
}

/// Calls of one task that follow each other, and whose arguments and results are of a [`Form`](super::Form)
/// that is always the same.
pub struct Invocations<'a> {
    /// The arguments of all, and how many bytes those of each take.
    args: &'a [u8],
    each: usize,
    /// How many they are.
    count: u32,
    /// Where each result is encoded.
    output: &'a mut Encoder,
    /// Where it goes then.
    places: Places<'a>,
    /// How many of them are done.
    done: &'a AtomicU32,
}

impl<'a> Invocations<'a> {
    /// The first `count` calls in `args`, where those of each take `each` bytes. The result of each is put
    /// into its place, and counted in `done` (from zero), before the next one begins.
    #[must_use]
    pub fn new(
        (args, each): (&'a [u8], usize),
        count: u32,
        output: &'a mut Encoder,
        places: Places<'a>,
        done: &'a AtomicU32,
    ) -> Self {
        done.store(0, Relaxed);
        Invocations {
            args,
            each,
            count,
            output,
            places,
            done,
        }
    }

    /// Invokes the task for each. `#[task]` calls it with the task's own `invoke`, so that the compiler
    /// sees loop and task as one.
    ///
    /// # Errors
    /// Of the first that fails.
    #[inline]
    pub fn each(
        &mut self,
        invoke: impl Fn(&mut Invocation<'_>) -> Result<(), InvokeError>,
    ) -> Result<(), InvokeError> {
        // In variables of its own, which the compiler can keep in registers.
        let Invocations {
            args: mut left,
            each,
            count,
            ref mut output,
            mut places,
            done,
        } = *self;
        for index in 0..count {
            // What is cut short, which the parent doesn't send, can't be decoded.
            let (args, rest) = left.split_at_checked(each).unwrap_or_default();
            left = rest;
            output.restart();
            invoke(&mut Invocation::new(Decoder::new(args), output))?;
            places.put(output.bytes());
            done.store(index + 1, Relaxed);
        }
        Ok(())
    }
}

impl fmt::Debug for Invocations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocations")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
