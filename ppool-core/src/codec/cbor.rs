//! CBOR by ciborium, for whatever serde carries.

use serde::{Serialize, de::DeserializeOwned};

use super::{CodecError, Decoder, Encoder, attach};

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
    let decoded = match input.attached() {
        None => ciborium::from_reader(&mut reader),
        Some(attached) => attach::provide_from(attached, || ciborium::from_reader(&mut reader)),
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
