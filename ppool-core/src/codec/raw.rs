//! Plain data travels as its bytes.

use std::str::Utf8Error;

use super::{CodecError, Decoder, Encoder};

/// Data whose bytes are its value: no padding, no pointers, every bit pattern valid. All numbers
/// are; a struct of them is when it derives bytemuck's `NoUninit` and `AnyBitPattern` (or `Pod`).
pub trait Plain: bytemuck::NoUninit + bytemuck::AnyBitPattern {}

impl<T: bytemuck::NoUninit + bytemuck::AnyBitPattern> Plain for T {}

/// A value with a fixed form in bytes: scalars, text, `()` and small tuples and options of them.
pub trait Raw: Sized {
    /// How many bytes every such value takes, where all take as many.
    const LEN: Option<usize>;

    /// Appends the value.
    ///
    /// # Errors
    /// When the payload gets too long.
    fn put(&self, out: &mut Encoder) -> Result<(), CodecError>;

    /// Takes a value off the front.
    ///
    /// # Errors
    /// When the bytes are no such value.
    fn take(input: &mut Decoder<'_>) -> Result<Self, CodecError>;
}

macro_rules! raw_numbers {
    ($($number:ty)*) => { $(
        impl Raw for $number {
            const LEN: Option<usize> = Some(size_of::<$number>());

            #[inline]
            fn put(&self, out: &mut Encoder) -> Result<(), CodecError> {
                out.put(&self.to_le_bytes())
            }
            #[inline]
            fn take(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
                Ok(<$number>::from_le_bytes(input.take_array()?))
            }
        }
    )* };
}
raw_numbers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }

impl Raw for bool {
    const LEN: Option<usize> = Some(1);

    #[inline]
    fn put(&self, out: &mut Encoder) -> Result<(), CodecError> {
        u8::from(*self).put(out)
    }
    #[inline]
    fn take(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(CodecError::new(format!("{other} is not a bool"))),
        }
    }
}

impl Raw for char {
    const LEN: Option<usize> = Some(4);

    #[inline]
    fn put(&self, out: &mut Encoder) -> Result<(), CodecError> {
        u32::from(*self).put(out)
    }
    #[inline]
    fn take(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let number = u32::take(input)?;
        char::from_u32(number)
            .ok_or_else(|| CodecError::new(format!("{number:#x} is not a character")))
    }
}

impl Raw for String {
    const LEN: Option<usize> = None;

    #[inline]
    fn put(&self, out: &mut Encoder) -> Result<(), CodecError> {
        put_text(self, out)
    }
    #[inline]
    fn take(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let len = input.take_len()?;
        let bytes = input.take_plain(len)?;
        String::from_utf8(bytes).map_err(|error| not_text(error.utf8_error()))
    }
}

impl<T: Raw> Raw for Option<T> {
    const LEN: Option<usize> = None;

    #[inline]
    fn put(&self, out: &mut Encoder) -> Result<(), CodecError> {
        self.is_some().put(out)?;
        self.as_ref().map_or(Ok(()), |value| value.put(out))
    }
    #[inline]
    fn take(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
        bool::take(input)?.then(|| T::take(input)).transpose()
    }
}

macro_rules! raw_tuples {
    ($(($($name:ident . $index:tt)*))*) => { $(
        impl<$($name: Raw),*> Raw for ($($name,)*) {
            const LEN: Option<usize> = sum(&[$($name::LEN),*]);

            #[inline]
            fn put(&self, _out: &mut Encoder) -> Result<(), CodecError> {
                $( self.$index.put(_out)?; )*
                Ok(())
            }
            #[inline]
            fn take(_input: &mut Decoder<'_>) -> Result<Self, CodecError> {
                Ok(($( $name::take(_input)?, )*))
            }
        }
    )* };
}
raw_tuples! { () (A.0) (A.0 B.1) (A.0 B.1 C.2) (A.0 B.1 C.2 D.3) }

/// How many bytes values take together that follow each other.
pub(super) const fn sum(lens: &[Option<usize>]) -> Option<usize> {
    let mut sum = 0;
    let mut at = 0;
    while at < lens.len() {
        match lens[at] {
            Some(len) => sum += len,
            None => return None,
        }
        at += 1;
    }
    Some(sum)
}

/// Appends text: its length, its bytes.
#[inline]
pub(crate) fn put_text(text: &str, out: &mut Encoder) -> Result<(), CodecError> {
    out.put_len(text.len())?;
    out.put(text.as_bytes())
}

/// Takes text, in place.
#[inline]
pub(crate) fn take_text<'a>(input: &mut Decoder<'a>) -> Result<&'a str, CodecError> {
    let len = input.take_len()?;
    std::str::from_utf8(input.take(len)?).map_err(not_text)
}

#[cold]
fn not_text(error: Utf8Error) -> CodecError {
    CodecError::new(format!("the text is not UTF-8: {error}"))
}
