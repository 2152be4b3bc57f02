//! CBOR by ciborium, for whatever serde carries.

use serde::{Serialize, de::DeserializeOwned};

use super::{CodecError, Decoder, Encoder, attach};

/// How much room ciborium has for texts that it reads in pieces.
const SCRATCH: usize = 4096;
/// The same where no more is to be read.
const FEW: usize = 64;

/// Appends `value` as CBOR.
pub(crate) fn encode<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Encoder,
) -> Result<(), CodecError> {
    let mut descriptors = out.take_descriptors();
    let encoded =
        attach::collect_into(&mut descriptors, || ciborium::into_writer(value, &mut *out));
    out.set_descriptors(descriptors);
    encoded.map_err(|error| match error {
        ciborium::ser::Error::Io(error) => CodecError::new(error.to_string()),
        ciborium::ser::Error::Value(message) => CodecError::new(message),
    })
}

/// Takes one value of CBOR off the front.
pub(crate) fn decode<T: DeserializeOwned>(input: &mut Decoder<'_>) -> Result<T, CodecError> {
    let mut reader = input.reader();
    // No text that is read through it is longer than what there is. To fill as much as ciborium itself
    // would take costs more than a number does.
    let (mut few, mut many);
    let scratch: &mut [u8] = if input.left() <= FEW {
        few = [0; FEW];
        &mut few
    } else {
        many = [0; SCRATCH];
        &mut many
    };
    let mut decode = || ciborium::de::from_reader_with_buffer(&mut reader, scratch);
    let decoded = match input.attached() {
        None => decode(),
        Some(attached) => attach::provide_from(attached, decode),
    };
    let value = decoded.map_err(|error| match error {
        ciborium::de::Error::Io(error) => {
            CodecError::new(format!("the payload is cut short: {error}"))
        }
        ciborium::de::Error::Syntax(at) => {
            CodecError::new(format!("the payload is not CBOR at byte {at}"))
        }
        ciborium::de::Error::Semantic(_, message) => CodecError::new(message),
        ciborium::de::Error::RecursionLimitExceeded => {
            CodecError::new("the value is nested too deeply")
        }
    })?;
    input.skip(reader.read_len())?;
    Ok(value)
}
