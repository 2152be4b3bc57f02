//! Fields of plain data that travel as bytes within values that serde carries.
//!
//! ```text
//!  struct ──CBOR──► .. │ byte string: the elements as they lie in memory │ .. ──CBOR──► struct
//! ```
//!
//! serde hands a vector over one element at a time, and CBOR gives each a head of its own. `Vec<T>`
//! of plain data that is a parameter by itself has a [lane](super::Lane) that avoids both; within a
//! struct nothing but an attribute at the field can say so:
//!
//! ```
//! use ppool_core::raw;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Image {
//!     width: usize,
//!     #[serde(with = "raw")]
//!     pixels: Vec<f32>,
//! }
//! ```
//!
//! # Failure
//!
//! Bytes that are no whole number of elements, or not as many as an array has, are an error (LINK-2).

use std::{any::type_name, fmt, marker::PhantomData, sync::Arc};

use serde::{Deserializer, Serialize, Serializer, de};

use super::Plain;

/// The most memory that is taken for elements which are only announced.
const MOST_ANNOUNCED: usize = 1 << 20;

/// What a field can be that travels as bytes: `Vec<T>`, `Box<[T]>`, `Arc<[T]>` or `[T; N]` of plain
/// data ([`Plain`]), or an `Option` of one of them.
///
/// Plain data are all numbers, arrays of them, and structs that derive `bytemuck::Pod` (or
/// `NoUninit` and `AnyBitPattern`). A `Vec<bool>` is none, for not every byte is a `bool`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't travel as bytes",
    label = "not a `Vec<T>`, `Box<[T]>`, `Arc<[T]>` or `[T; N]` of plain data",
    note = "plain data are numbers, and structs that derive `bytemuck::Pod`",
    note = "without `#[serde(with = \"ppool::raw\")]` the field travels by serde, element by element"
)]
pub trait Field: Sized {
    #[doc(hidden)]
    type Element: Plain;

    /// The elements; `None` when there are none to be had, as in a `None`.
    #[doc(hidden)]
    fn elements(&self) -> Option<&[Self::Element]>;

    /// The field that has these elements.
    #[doc(hidden)]
    fn from_elements(elements: Option<Vec<Self::Element>>) -> Result<Self, String>;
}

#[diagnostic::do_not_recommend]
impl<T: Plain> Field for Vec<T> {
    type Element = T;

    fn elements(&self) -> Option<&[T]> {
        Some(self)
    }

    fn from_elements(elements: Option<Vec<T>>) -> Result<Self, String> {
        elements.ok_or_else(missing)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Plain> Field for Box<[T]> {
    type Element = T;

    fn elements(&self) -> Option<&[T]> {
        Some(self)
    }

    fn from_elements(elements: Option<Vec<T>>) -> Result<Self, String> {
        elements.map(Vec::into_boxed_slice).ok_or_else(missing)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Plain> Field for Arc<[T]> {
    type Element = T;

    fn elements(&self) -> Option<&[T]> {
        Some(self)
    }

    fn from_elements(elements: Option<Vec<T>>) -> Result<Self, String> {
        elements.map(Arc::from).ok_or_else(missing)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Plain, const N: usize> Field for [T; N] {
    type Element = T;

    fn elements(&self) -> Option<&[T]> {
        Some(self)
    }

    fn from_elements(elements: Option<Vec<T>>) -> Result<Self, String> {
        let elements = elements.ok_or_else(missing)?;
        let count = elements.len();
        elements
            .try_into()
            .map_err(|_| format!("{count} elements for an array of {N}"))
    }
}

#[diagnostic::do_not_recommend]
impl<F: Field> Field for Option<F> {
    type Element = F::Element;

    fn elements(&self) -> Option<&[F::Element]> {
        self.as_ref().and_then(F::elements)
    }

    fn from_elements(elements: Option<Vec<F::Element>>) -> Result<Self, String> {
        elements
            .map(|elements| F::from_elements(Some(elements)))
            .transpose()
    }
}

#[cold]
fn missing() -> String {
    "there are no bytes".to_owned()
}

/// Serializes a field as bytes: what `#[serde(with = "ppool::raw")]` calls.
///
/// # Errors
/// What the format says.
///
/// ```
/// # fn main() -> Result<(), serde_json::Error> {
/// // Other formats show the bytes in their way.
/// let mut json = serde_json::Serializer::new(Vec::new());
/// ppool_core::raw::serialize(&vec![258u16], &mut json)?;
/// assert_eq!(json.into_inner(), format!("{:?}", 258u16.to_ne_bytes()).replace(' ', "").as_bytes());
/// # Ok(())
/// # }
/// ```
pub fn serialize<F: Field, S: Serializer>(field: &F, to: S) -> Result<S::Ok, S::Error> {
    const {
        assert!(
            size_of::<F::Element>() > 0,
            "an element without bytes can't travel as bytes"
        )
    };
    match field.elements() {
        Some(elements) => to.serialize_some(&Bytes(bytemuck::cast_slice(elements))),
        None => to.serialize_none(),
    }
}

/// Deserializes what [`serialize`] wrote: what `#[serde(with = "ppool::raw")]` calls.
///
/// # Errors
/// What the format says; bytes that are no such field.
pub fn deserialize<'de, F: Field, D: Deserializer<'de>>(from: D) -> Result<F, D::Error> {
    let elements = from.deserialize_option(MaybeElements(PhantomData))?;
    F::from_elements(elements).map_err(de::Error::custom)
}

/// Bytes, where serde would take a slice for a sequence of numbers.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

/// Expects elements or nothing.
struct MaybeElements<T>(PhantomData<T>);

impl<'de, T: Plain> de::Visitor<'de> for MaybeElements<T> {
    type Value = Option<Vec<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bytes of values of type {}", type_name::<T>())
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_byte_buf(Elements(PhantomData)).map(Some)
    }
}

/// Expects elements.
struct Elements<T>(PhantomData<T>);

impl<'de, T: Plain> de::Visitor<'de> for Elements<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        MaybeElements::<T>(PhantomData).expecting(f)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<T>, E> {
        check::<T, E>(bytes.len())?;
        Ok(bytemuck::allocation::pod_collect_to_vec(bytes))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<T>, E> {
        // Bytes of bytes are there already.
        bytemuck::allocation::try_cast_vec(bytes).or_else(|(_, bytes)| self.visit_bytes(&bytes))
    }

    /// Formats without bytes have a sequence of numbers in their place.
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
        let announced = sequence.size_hint().unwrap_or(0);
        let mut bytes = Vec::with_capacity(announced.min(MOST_ANNOUNCED));
        while let Some(byte) = sequence.next_element()? {
            bytes.push(byte);
        }
        self.visit_byte_buf(bytes)
    }
}

/// Whether so many bytes are whole elements.
fn check<T, E: de::Error>(len: usize) -> Result<(), E> {
    match len % size_of::<T>() {
        0 => Ok(()),
        _ => Err(E::custom(format_args!(
            "{len} bytes are no whole number of values of type {} ({} bytes each)",
            type_name::<T>(),
            size_of::<T>()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, de::DeserializeOwned};

    use super::*;
    use crate::codec::{Decoder, Encoder, Lane};

    #[derive(Clone, Copy, PartialEq, Debug, bytemuck::Pod, bytemuck::Zeroable)]
    #[repr(C)]
    struct Point {
        x: f64,
        y: f64,
    }

    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    struct Everything {
        name: String,
        #[serde(with = "super")]
        numbers: Vec<f64>,
        #[serde(with = "super")]
        bytes: Box<[u8]>,
        #[serde(with = "super")]
        points: Arc<[Point]>,
        #[serde(with = "super")]
        array: [i16; 3],
        #[serde(with = "super", default, skip_serializing_if = "Option::is_none")]
        maybe: Option<Vec<u32>>,
    }

    fn there_and_back<T: Serialize + DeserializeOwned>(value: &T) -> (usize, T) {
        let lane = Lane::cbor();
        let mut out = Encoder::new();
        lane.encode(value, &mut out).unwrap();
        let mut input = Decoder::new(out.bytes());
        let decoded = lane.decode(&mut input).unwrap();
        assert!(input.rest().is_empty());
        (out.len(), decoded)
    }

    fn everything(numbers: Vec<f64>, maybe: Option<Vec<u32>>) -> Everything {
        Everything {
            name: "all".into(),
            bytes: numbers.iter().flat_map(|n| n.to_ne_bytes()).collect(),
            points: numbers.iter().map(|x| Point { x: *x, y: 1.0 }).collect(),
            array: [1, -2, 3],
            numbers,
            maybe,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 32 }))]

        #[test]
        fn fields_come_back_as_they_were_in_every_format(
            numbers in proptest::collection::vec(-1e9..1e9f64, 0..300),
            maybe in proptest::option::of(proptest::collection::vec(any::<u32>(), 0..5)),
        ) {
            let value = everything(numbers, maybe);
            prop_assert_eq!(&there_and_back(&value).1, &value);
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Everything>(&json).unwrap(), &value);
        }
    }

    #[test]
    fn elements_take_their_own_size_and_nothing_more() {
        let numbers = vec![0.1; 10_000];
        let (len, _) = there_and_back(&everything(numbers, None));
        let elements = 10_000 * (8 + 8 + 16);
        assert!(len > elements && len < elements + 100, "{len} bytes");
    }

    /// Formats that keep what they read to look at it twice.
    #[test]
    fn fields_of_untagged_and_flattened_values_come_back_too() {
        #[derive(PartialEq, Debug, Serialize, Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u64),
            Whole(Everything),
        }
        #[derive(PartialEq, Debug, Serialize, Deserialize)]
        struct Outer {
            #[serde(flatten)]
            inner: Everything,
        }
        let long = || everything(vec![0.5; 5_000], Some(vec![7]));
        let either = Either::Whole(long());
        assert_eq!(there_and_back(&either).1, either);
        let outer = Outer { inner: long() };
        assert_eq!(there_and_back(&outer).1, outer);
    }

    #[test]
    fn nothing_and_no_elements_are_two_things() {
        #[derive(PartialEq, Debug, Serialize, Deserialize)]
        struct Maybe(#[serde(with = "super")] Option<Vec<u8>>);
        for value in [None, Some(vec![]), Some(vec![1])] {
            let value = Maybe(value);
            assert_eq!(there_and_back(&value).1, value);
        }
    }

    /// LINK-2.
    #[test]
    fn bytes_that_are_no_such_field_are_errors() {
        #[derive(Debug, Deserialize)]
        struct Numbers(
            #[serde(with = "super")]
            #[expect(dead_code, reason = "it is never there")]
            Vec<u64>,
        );
        #[derive(Debug, Deserialize)]
        struct Three(
            #[serde(with = "super")]
            #[expect(dead_code, reason = "it is never there")]
            [u8; 3],
        );
        let error = |json| {
            serde_json::from_str::<Numbers>(json)
                .unwrap_err()
                .to_string()
        };
        assert!(error("[1,2,3]").contains("3 bytes are no whole number of values of type u64"));
        assert!(error("null").contains("there are no bytes"));
        assert!(error("[256]").contains("256"));
        let error = serde_json::from_str::<Three>("[1,2]").unwrap_err();
        assert!(error.to_string().contains("2 elements for an array of 3"));
    }
}
