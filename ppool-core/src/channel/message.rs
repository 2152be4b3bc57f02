//! What may be sent through a channel, and what may be received from one.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use crate::codec::{CodecError, Decoder, Encoder, cbor};

/// The type of a direction that carries values of any type, each message another: what a
/// [`Channel`](super::Channel) without parameters sends and receives.
///
/// The one who receives says which type is expected; a value of another one is a
/// [`Decode`](super::ChannelError::Decode) error.
pub struct Anything(());

impl fmt::Debug for Anything {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anything")
    }
}

/// A value that can be sent where a channel sends `S`: an `S`, a reference to one, a `&str` for a
/// `String`, a slice or an array for a `Vec`; and any value that serde carries for [`Anything`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent through a channel that sends `{S}`",
    label = "not what the channel sends"
)]
pub trait IntoMessage<S> {
    #[doc(hidden)]
    fn encode_message(&self, out: &mut Encoder) -> Result<(), CodecError>;
}

/// A type of direction from which a `V` can be received: `V` itself, and for any value that serde
/// carries, [`Anything`].
// Not a trait of `V`: so that the type of what is received follows from that of the channel.
#[diagnostic::on_unimplemented(
    message = "`{V}` can't be received from a channel that receives `{Self}`",
    label = "not what the channel receives"
)]
pub trait Carries<V> {
    #[doc(hidden)]
    fn decode_message(input: &mut Decoder<'_>) -> Result<V, CodecError>;
}

macro_rules! messages {
    ($([$($generic:tt)*] $value:ty => $sent:ty;)*) => { $(
        impl<$($generic)*> IntoMessage<$sent> for $value {
            fn encode_message(&self, out: &mut Encoder) -> Result<(), CodecError> {
                cbor::encode(self, out)
            }
        }
    )* };
}
messages! {
    [T: Serialize] T => T;
    [T: Serialize] &T => T;
    [] &str => String;
    [T: Serialize] &[T] => Vec<T>;
    [T: Serialize] T => Anything;
}

// A tuple to serde, as which an array would travel, is not what a `Vec` is read from.
impl<T: Serialize, const N: usize> IntoMessage<Vec<T>> for [T; N] {
    fn encode_message(&self, out: &mut Encoder) -> Result<(), CodecError> {
        cbor::encode(self.as_slice(), out)
    }
}

impl<T: Serialize, const N: usize> IntoMessage<Vec<T>> for &[T; N] {
    fn encode_message(&self, out: &mut Encoder) -> Result<(), CodecError> {
        cbor::encode(self.as_slice(), out)
    }
}

impl<R: DeserializeOwned> Carries<R> for R {
    fn decode_message(input: &mut Decoder<'_>) -> Result<R, CodecError> {
        cbor::decode(input)
    }
}

impl<V: DeserializeOwned> Carries<V> for Anything {
    fn decode_message(input: &mut Decoder<'_>) -> Result<V, CodecError> {
        cbor::decode(input)
    }
}
