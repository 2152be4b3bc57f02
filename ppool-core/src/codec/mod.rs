//! How values become bytes and values again.
//!
//! Each parameter and each result travels by its own [`Lane`], chosen at compile time: plain data
//! as its bytes ([`Raw`], [`Plain`]), everything else as CBOR. Both sides are the same binary, so
//! neither needs to describe what it sends.
//!
//! ```text
//!  value ──IntoArg──► Lane<P> ──► Encoder ══ Payload ══► Decoder ──► Lane<P> ──► value
//! ```
//!
//! A [`Payload`] is bytes, on the heap or in a [`segment`], and now and then descriptors beside them
//! ([`attach`]).
//!
//! Invariants: LINK-2 (a [`Decoder`] never trusts a length). A payload's lengths and alignments are
//! relative to the start of the item (one call's arguments, or one result).

pub mod attach;
pub(crate) mod cbor;
mod chunk;
mod decoder;
mod encoder;
pub mod field;
mod into_args;
mod lane;
mod payload;
mod places;
mod raw;
pub mod segment;
mod values;

pub use chunk::{ChunkReader, ChunkWriter, Spacing};
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use into_args::{ArgList, IntoArg, IntoArgs};
pub(crate) use lane::Decode;
pub use lane::{ByCbor, ByNothing, ByPlainSlice, ByPlainValue, ByRaw, Lane, Probe, Slice};
pub use payload::{Payload, SharedPayload, Value};
pub use places::Places;
pub(crate) use raw::take_text;
pub use raw::{Plain, Raw};
pub use values::Values;

use std::fmt;

/// The most bytes that one call's arguments or one result may take: 16 GiB.
pub const MAX_PAYLOAD_LEN: u64 = 16 << 30;

/// Why a value could not be encoded or decoded, before it is known of which task it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodecError(pub String);

impl CodecError {
    #[cold]
    pub(crate) fn new(message: impl Into<String>) -> Self {
        CodecError(message.into())
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CodecError {}

#[cfg(test)]
mod tests;
