//! The way one type of value travels.
//!
//! `#[task]` writes `(&&&&Probe::<P>::new()).lane()` for each parameter and the result. Method
//! resolution tries the receiver with the most `&` first, so the first of these that the type
//! allows is taken, without specialisation and without a flag of the user:
//!
//! 1. [`ByRaw`]: scalars, text, small tuples and options of them;
//! 2. [`ByPlainSlice`]: `Vec<T>` of plain data, which also lets `&[T]` be read in place;
//! 3. [`ByPlainValue`]: a struct of plain data;
//! 4. [`ByCbor`]: everything else that serde carries;
//! 5. [`ByNothing`]: a type that can't travel. The compiler refuses such a task with the sentence
//!    of [`Travels`](crate::task::Travels); this lane only keeps it from adding others.

use std::{any::Any, fmt, marker::PhantomData, ops::Deref};

use serde::{Serialize, de::DeserializeOwned};

use super::{CodecError, Decoder, Encoder, Plain, Raw, cbor};

/// How values of type `P` become bytes and values again.
pub struct Lane<P> {
    encode: fn(&P, &mut Encoder) -> Result<(), CodecError>,
    decode: Decode<P>,
    /// When `P` is a `Vec<T>` of plain data: the `SliceLane<T>` that does the same for `[T]`, so
    /// that a borrowed slice can be sent and read without a `Vec` in between. (A `dyn Any`, since
    /// `P` alone doesn't name `T`.)
    slice: Option<&'static (dyn Any + Send + Sync)>,
    /// How many bytes every value takes, where all take as many. To encode and decode those is no
    /// business of serde, and calls nothing of a user's.
    len: Option<usize>,
}

/// How bytes become a value of type `P`.
pub(crate) type Decode<P> = fn(&mut Decoder<'_>) -> Result<P, CodecError>;

/// How slices of plain data travel.
struct SliceLane<T> {
    encode: fn(&[T], &mut Encoder) -> Result<(), CodecError>,
    decode: for<'a> fn(&mut Decoder<'a>) -> Result<Slice<'a, T>, CodecError>,
}

/// A slice parameter as the task gets it: in place where it lies in the payload, or decoded.
#[derive(Debug)]
pub enum Slice<'a, T> {
    /// Read where it lies.
    InPlace(&'a [T]),
    /// Decoded, because it is not plain data or lies unaligned.
    Owned(Vec<T>),
}

impl<T> Deref for Slice<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Slice::InPlace(slice) => slice,
            Slice::Owned(values) => values,
        }
    }
}

impl<P> Clone for Lane<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Lane<P> {}

impl<P> fmt::Debug for Lane<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane<{}>", std::any::type_name::<P>())
    }
}

impl<P> Lane<P> {
    /// Appends `value`.
    ///
    /// # Errors
    /// What serde or the codec says.
    #[inline]
    pub fn encode(&self, value: &P, out: &mut Encoder) -> Result<(), CodecError> {
        (self.encode)(value, out)
    }

    /// Takes a value off the front.
    ///
    /// # Errors
    /// What serde or the codec says.
    #[inline]
    pub fn decode(&self, input: &mut Decoder<'_>) -> Result<P, CodecError> {
        (self.decode)(input)
    }

    /// How many bytes every value takes, where all take as many.
    #[inline]
    pub(crate) fn fixed_len(&self) -> Option<usize> {
        self.len
    }

    /// What decodes.
    pub(crate) fn decode_fn(&self) -> Decode<P> {
        self.decode
    }

    /// The lane of a value with a fixed form.
    #[inline]
    #[must_use]
    pub fn raw() -> Self
    where
        P: Raw,
    {
        Lane {
            encode: P::put,
            decode: P::take,
            slice: None,
            len: P::LEN,
        }
    }

    /// The lane of a struct of plain data.
    #[inline]
    #[must_use]
    pub fn plain_value() -> Self
    where
        P: Plain,
    {
        Lane {
            encode: |value, out| out.put(bytemuck::bytes_of(value)),
            decode: |input| {
                let mut value = P::zeroed();
                input.take_into(bytemuck::bytes_of_mut(&mut value))?;
                Ok(value)
            },
            slice: None,
            len: Some(size_of::<P>()),
        }
    }

    /// The lane of everything that serde carries.
    #[inline]
    #[must_use]
    pub fn cbor() -> Self
    where
        P: Serialize + DeserializeOwned,
    {
        Lane {
            encode: |value, out| cbor::encode(value, out),
            decode: |input| cbor::decode(input),
            slice: None,
            len: None,
        }
    }
}

impl<T: 'static> Lane<Vec<T>> {
    /// The lane of a vector of plain data.
    #[inline]
    #[must_use]
    pub fn plain_slice() -> Self
    where
        T: Plain,
    {
        Lane {
            encode: |values, out| put_slice(values, out),
            decode: |input| {
                let count = take_count::<T>(input)?;
                input.take_plain(count)
            },
            slice: Some(
                const {
                    &SliceLane::<T> {
                        encode: put_slice::<T>,
                        decode: decode_in_place::<T>,
                    }
                },
            ),
            len: None,
        }
    }

    fn slice(&self) -> Option<&'static SliceLane<T>> {
        self.slice?.downcast_ref()
    }

    /// Appends a borrowed slice, in the form of a vector.
    pub(super) fn encode_slice(&self, values: &[T], out: &mut Encoder) -> Result<(), CodecError>
    where
        T: Serialize,
    {
        match self.slice() {
            Some(lane) => (lane.encode)(values, out),
            None => cbor::encode(values, out),
        }
    }

    /// Takes a slice off the front, in place where it can be.
    ///
    /// # Errors
    /// What serde or the codec says.
    pub fn decode_slice<'a>(&self, input: &mut Decoder<'a>) -> Result<Slice<'a, T>, CodecError> {
        match self.slice() {
            Some(lane) => (lane.decode)(input),
            None => self.decode(input).map(Slice::Owned),
        }
    }
}

fn put_slice<T: Plain>(values: &[T], out: &mut Encoder) -> Result<(), CodecError> {
    out.put_len(values.len())?;
    out.align(align_of::<T>())?;
    out.put(bytemuck::cast_slice(values))
}

/// Takes the length of a slice, and comes to where its elements begin.
fn take_count<T: Plain>(input: &mut Decoder<'_>) -> Result<usize, CodecError> {
    let count = input.take_len()?;
    input.align(align_of::<T>())?;
    Ok(count)
}

fn decode_in_place<'a, T: Plain>(input: &mut Decoder<'a>) -> Result<Slice<'a, T>, CodecError> {
    let count = take_count::<T>(input)?;
    let len = count.saturating_mul(size_of::<T>());
    let in_place = input
        .rest()
        .get(..len)
        .and_then(|bytes| bytemuck::try_cast_slice(bytes).ok());
    match in_place {
        Some(slice) if len > 0 => {
            input.skip(len)?;
            Ok(Slice::InPlace(slice))
        }
        // It lies unaligned, or in a segment, or there are not as many.
        _ => input.take_plain(count).map(Slice::Owned),
    }
}

/// Asks the compiler which lane a type can take; see the module's documentation.
pub struct Probe<P>(PhantomData<P>);

impl<P> Clone for Probe<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Probe<P> {}

impl<P> Probe<P> {
    /// The question about `P`.
    #[inline]
    #[must_use]
    #[expect(clippy::new_without_default, reason = "only the macro calls it")]
    pub fn new() -> Self {
        Probe(PhantomData)
    }
}

impl<P> fmt::Debug for Probe<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident for [$($receiver:tt)*] [$($bound:tt)*] $value:ty => $lane:ident;)*) => { $(
        $(#[$doc])*
        pub trait $name<P> {
            /// The lane for `P`.
            fn lane(&self) -> Lane<P>;
        }

        impl<$($bound)*> $name<$value> for $($receiver)* Probe<$value> {
            #[inline]
            fn lane(&self) -> Lane<$value> {
                Lane::$lane()
            }
        }
    )* };
}
choices! {
    /// First choice: a value with a fixed form.
    ByRaw for [&&&] [P: Raw] P => raw;
    /// Second choice: a vector of plain data.
    ByPlainSlice for [&&] [T: Plain + 'static] Vec<T> => plain_slice;
    /// Third choice: a struct of plain data.
    ByPlainValue for [&] [P: Plain] P => plain_value;
    /// Last choice: whatever serde carries.
    ByCbor for [] [P: Serialize + DeserializeOwned] P => cbor;
}

/// No choice is left: the type can't travel.
pub trait ByNothing<P> {
    /// A lane that no program gets to use. (By value: method resolution comes to it last.)
    fn lane(self) -> Lane<P>;
}

impl<P> ByNothing<P> for Probe<P> {
    fn lane(self) -> Lane<P> {
        Lane {
            encode: |_, _| Err(cannot_travel()),
            decode: |_| Err(cannot_travel()),
            slice: None,
            len: None,
        }
    }
}

#[cold]
fn cannot_travel() -> CodecError {
    CodecError::new("the type can't travel to another process")
}
