//! What may be passed for a task's parameters.
//!
//! A call takes a tuple of its arguments, or the bare value where there is one parameter; each may
//! be the value itself, a reference to it, a `&str` for a `String` or `&str` parameter, and a slice
//! or array for a `Vec<T>` or `&[T]` parameter. Borrowed forms are encoded from where they lie.

use serde::Serialize;

use super::{
    CodecError, Encoder, Lane,
    raw::{put_text, sum},
};

/// Something that can be passed for a parameter whose owned form is `P`.
pub trait IntoArg<P> {
    /// Appends it as a `P`.
    ///
    /// # Errors
    /// What serde or the codec says.
    fn encode_arg(&self, lane: &Lane<P>, out: &mut Encoder) -> Result<(), CodecError>;
}

impl<P> IntoArg<P> for P {
    #[inline]
    fn encode_arg(&self, lane: &Lane<P>, out: &mut Encoder) -> Result<(), CodecError> {
        lane.encode(self, out)
    }
}

impl<P> IntoArg<P> for &P {
    #[inline]
    fn encode_arg(&self, lane: &Lane<P>, out: &mut Encoder) -> Result<(), CodecError> {
        lane.encode(self, out)
    }
}

// A `String` always travels by `Raw`, so its lane needs no asking.
impl IntoArg<String> for &str {
    #[inline]
    fn encode_arg(&self, _lane: &Lane<String>, out: &mut Encoder) -> Result<(), CodecError> {
        put_text(self, out)
    }
}

impl IntoArg<String> for &&str {
    #[inline]
    fn encode_arg(&self, _lane: &Lane<String>, out: &mut Encoder) -> Result<(), CodecError> {
        put_text(self, out)
    }
}

impl<T: Serialize + 'static> IntoArg<Vec<T>> for &[T] {
    #[inline]
    fn encode_arg(&self, lane: &Lane<Vec<T>>, out: &mut Encoder) -> Result<(), CodecError> {
        lane.encode_slice(self, out)
    }
}

impl<T: Serialize + 'static, const N: usize> IntoArg<Vec<T>> for [T; N] {
    #[inline]
    fn encode_arg(&self, lane: &Lane<Vec<T>>, out: &mut Encoder) -> Result<(), CodecError> {
        lane.encode_slice(self, out)
    }
}

impl<T: Serialize + 'static, const N: usize> IntoArg<Vec<T>> for &[T; N] {
    #[inline]
    fn encode_arg(&self, lane: &Lane<Vec<T>>, out: &mut Encoder) -> Result<(), CodecError> {
        lane.encode_slice(*self, out)
    }
}

/// The owned forms of a task's parameters, as a tuple: none to twelve.
pub trait ArgList {
    /// A lane for each.
    type Lanes: Copy;

    /// How many bytes all arguments take together, where they always take as many.
    fn fixed_len(lanes: &Self::Lanes) -> Option<usize>;
}

/// Something that can be passed as the arguments of a task whose parameters are `Args`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be passed as the arguments `{Args}`",
    label = "these are not the task's arguments",
    note = "pass a tuple with one value for each parameter, or the bare value where there is one"
)]
pub trait IntoArgs<Args: ArgList> {
    /// Appends all arguments, in order.
    ///
    /// # Errors
    /// What serde or the codec says; [`Encoder::parameter`] tells of which parameter.
    fn encode_args(&self, lanes: &Args::Lanes, out: &mut Encoder) -> Result<(), CodecError>;
}

macro_rules! one_parameter {
    ($([$($generic:tt)*] $value:ty => $parameter:ty;)*) => { $(
        impl<$($generic)*> IntoArgs<($parameter,)> for $value {
            #[inline]
            fn encode_args(
                &self,
                lanes: &(Lane<$parameter>,),
                out: &mut Encoder,
            ) -> Result<(), CodecError> {
                out.begin_parameter(0);
                self.encode_arg(&lanes.0, out)
            }
        }

        impl<$($generic)*> IntoArgs<($parameter,)> for ($value,) {
            #[inline]
            fn encode_args(
                &self,
                lanes: &(Lane<$parameter>,),
                out: &mut Encoder,
            ) -> Result<(), CodecError> {
                out.begin_parameter(0);
                self.0.encode_arg(&lanes.0, out)
            }
        }
    )* };
}
one_parameter! {
    [P] P => P;
    [P] &P => P;
    [] &str => String;
    [] &&str => String;
    [T: Serialize + 'static] &[T] => Vec<T>;
    [T: Serialize + 'static, const N: usize] [T; N] => Vec<T>;
    [T: Serialize + 'static, const N: usize] &[T; N] => Vec<T>;
}

impl ArgList for () {
    type Lanes = ();

    #[inline]
    fn fixed_len(_lanes: &()) -> Option<usize> {
        Some(0)
    }
}

impl IntoArgs<()> for () {
    #[inline]
    fn encode_args(&self, _lanes: &(), _out: &mut Encoder) -> Result<(), CodecError> {
        Ok(())
    }
}

impl<P> ArgList for (P,) {
    type Lanes = (Lane<P>,);

    #[inline]
    fn fixed_len(lanes: &(Lane<P>,)) -> Option<usize> {
        lanes.0.fixed_len()
    }
}

macro_rules! more_parameters {
    ($(($($parameter:ident $value:ident . $index:tt)*))*) => { $(
        impl<$($parameter),*> ArgList for ($($parameter,)*) {
            type Lanes = ($(Lane<$parameter>,)*);

            #[inline]
            fn fixed_len(lanes: &Self::Lanes) -> Option<usize> {
                sum(&[$(lanes.$index.fixed_len()),*])
            }
        }

        impl<$($parameter, $value: IntoArg<$parameter>),*> IntoArgs<($($parameter,)*)> for ($($value,)*) {
            #[inline]
            fn encode_args(
                &self,
                lanes: &($(Lane<$parameter>,)*),
                out: &mut Encoder,
            ) -> Result<(), CodecError> {
                $(
                    out.begin_parameter($index);
                    self.$index.encode_arg(&lanes.$index, out)?;
                )*
                Ok(())
            }
        }
    )* };
}
more_parameters! {
    (P0 V0.0 P1 V1.1)
    (P0 V0.0 P1 V1.1 P2 V2.2)
    (P0 V0.0 P1 V1.1 P2 V2.2 P3 V3.3)
    (P0 V0.0 P1 V1.1 P2 V2.2 P3 V3.3 P4 V4.4)
    (P0 V0.0 P1 V1.1 P2 V2.2 P3 V3.3 P4 V4.4 P5 V5.5)
    (P0 V0.0 P1 V1.1 P2 V2.2 P3 V3.3 P4 V4.4 P5 V5.5 P6 V6.6)
    (P0 V0.0 P1 V1.1 P2 V2.2 P3 V3.3 P4 V4.4 P5 V5.5 P6 V6.6 P7 V7.7)
    (P0 V0.0 P1 V1.1 P2 V2.2 P3 V3.3 P4 V4.4 P5 V5.5 P6 V6.6 P7 V7.7 P8 V8.8)
    (P0 V0.0 P1 V1.1 P2 V2.2 P3 V3.3 P4 V4.4 P5 V5.5 P6 V6.6 P7 V7.7 P8 V8.8 P9 V9.9)
    (P0 V0.0 P1 V1.1 P2 V2.2 P3 V3.3 P4 V4.4 P5 V5.5 P6 V6.6 P7 V7.7 P8 V8.8 P9 V9.9 P10 V10.10)
    (P0 V0.0 P1 V1.1 P2 V2.2 P3 V3.3 P4 V4.4 P5 V5.5 P6 V6.6 P7 V7.7 P8 V8.8 P9 V9.9 P10 V10.10 P11 V11.11)
}
