//! What fails where, and what is to come of it.

use std::fmt;

use ppool::task;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser, ser::SerializeTuple};

pub(crate) use Failure::*;
pub(crate) use Stage::*;

/// The stages of a call, in the order in which it passes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// In the parent, on the submitting thread.
    EncodeArgs,
    /// In the worker.
    DecodeArgs,
    /// In the worker.
    Run,
    /// In the worker.
    EncodeResult,
    /// In the parent.
    DecodeResult,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    Error,
    Panic,
    Exit,
    Abort,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// The task's own `Err`, which is a value like any other.
    OwnError,
    /// `Encode`, with the name of the parameter; none is the result.
    Encode(Option<&'static str>),
    /// `Decode`, likewise.
    Decode(Option<&'static str>),
    Panicked,
    /// `WorkerLost`, with the exit code or the name of the signal.
    Lost(Result<i32, &'static str>),
    /// No error: what ends the process that encodes arguments and decodes results ends the
    /// program. What is to be seen is that it ends so, does not hang, and leaves no worker.
    ProgramExits(i32),
    /// The same by SIGABRT.
    ProgramAborts,
}

pub(crate) const MESSAGE: &str = "the fuse has blown";
const CODE: i32 = 3;

pub(crate) const TABLE: [(Stage, Failure, Expected); 20] = [
    (EncodeArgs, Error, Expected::Encode(Some("fused"))),
    (EncodeArgs, Panic, Expected::Encode(Some("fused"))),
    (EncodeArgs, Exit, Expected::ProgramExits(CODE)),
    (EncodeArgs, Abort, Expected::ProgramAborts),
    (DecodeArgs, Error, Expected::Decode(Some("fused"))),
    (DecodeArgs, Panic, Expected::Decode(Some("fused"))),
    (DecodeArgs, Exit, Expected::Lost(Ok(CODE))),
    (DecodeArgs, Abort, Expected::Lost(Err("SIGABRT"))),
    (Run, Error, Expected::OwnError),
    (Run, Panic, Expected::Panicked),
    (Run, Exit, Expected::Lost(Ok(CODE))),
    (Run, Abort, Expected::Lost(Err("SIGABRT"))),
    (EncodeResult, Error, Expected::Encode(None)),
    (EncodeResult, Panic, Expected::Encode(None)),
    (EncodeResult, Exit, Expected::Lost(Ok(CODE))),
    (EncodeResult, Abort, Expected::Lost(Err("SIGABRT"))),
    (DecodeResult, Error, Expected::Decode(None)),
    (DecodeResult, Panic, Expected::Decode(None)),
    (DecodeResult, Exit, Expected::ProgramExits(CODE)),
    (DecodeResult, Abort, Expected::ProgramAborts),
];

impl Expected {
    pub(crate) fn ends_the_program(self) -> bool {
        matches!(self, Expected::ProgramExits(_) | Expected::ProgramAborts)
    }
}

/// Travels with the call and blows at its stage.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Fuse {
    pub(crate) stage: Stage,
    pub(crate) failure: Failure,
}

impl Fuse {
    fn pass(self, stage: Stage) -> Result<(), &'static str> {
        if self.stage != stage {
            return Ok(());
        }
        match self.failure {
            Error => Err(MESSAGE),
            Panic => panic!("{MESSAGE}"),
            Exit => std::process::exit(CODE),
            Abort => std::process::abort(),
        }
    }
}

/// A value with a fuse in the middle of its encoded form.
pub(crate) struct Fused<const RESULT: bool>(Fuse);

pub(crate) type Argument = Fused<false>;
pub(crate) type Answer = Fused<true>;

const FILLING: &str = "so that something has been written before the fuse blows";

impl<const RESULT: bool> Fused<RESULT> {
    pub(crate) fn new(fuse: Fuse) -> Self {
        Fused(fuse)
    }
}

impl<const RESULT: bool> fmt::Debug for Fused<RESULT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const RESULT: bool> Serialize for Fused<RESULT> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stage = if RESULT { EncodeResult } else { EncodeArgs };
        let mut parts = serializer.serialize_tuple(3)?;
        parts.serialize_element(&self.0)?;
        parts.serialize_element(FILLING)?;
        self.0.pass(stage).map_err(ser::Error::custom)?;
        parts.serialize_element(&true)?;
        parts.end()
    }
}

impl<'de, const RESULT: bool> Deserialize<'de> for Fused<RESULT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stage = if RESULT { DecodeResult } else { DecodeArgs };
        let (fuse, _filling, _end) = <(Fuse, String, bool)>::deserialize(deserializer)?;
        fuse.pass(stage).map_err(de::Error::custom)?;
        Ok(Fused(fuse))
    }
}

/// Passes every stage; the first parameter is there so that the second must be named.
#[task]
pub(crate) fn walk(_first: u64, fused: Argument) -> Result<Answer, String> {
    fused.0.pass(Run)?;
    Ok(Answer::new(fused.0))
}
