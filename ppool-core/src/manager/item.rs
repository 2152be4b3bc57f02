//! Values on their way between a client and what the manager keeps of them.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    bytes::{Blob, Bytes},
    error::ManagerErrorKind,
    protocol,
};
use crate::codec::{
    CodecError,
    attach::{self, Attached},
};

/// Something that can be stored where a `T` belongs: a `T`, a reference to one, a `&str` for a
/// `String`, a slice or an array for a `Vec`.
///
/// ```no_run
/// # use ppool_core as ppool;
/// use ppool::manager::{Manager, ManagerError};
///
/// # fn main() -> Result<(), ManagerError> {
/// let ages = Manager::start()?.dict::<String, u32>()?;
/// let name = String::from("Ann");
/// ages.insert("Bob", 34)?;
/// ages.insert(&name, 29)?;
/// assert_eq!(ages.get(name)?, Some(29));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a `{Self}` can't be stored where a `{T}` belongs",
    label = "this is not a `{T}`",
    note = "what a manager keeps must implement `serde::Serialize` and `serde::de::DeserializeOwned`"
)]
pub trait AsItem<T> {
    #[doc(hidden)]
    fn write(&self, out: &mut Vec<u8>) -> Result<(), CodecError>;
}

impl<T: Serialize> AsItem<T> for T {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        protocol::write(self, out)
    }
}

macro_rules! borrowed_items {
    ($([$($generic:tt)*] $value:ty => $item:ty;)*) => { $(
        impl<$($generic)*> AsItem<$item> for $value {
            fn write(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
                // serde writes a reference as what it refers to, and an array's slice as a `Vec`.
                protocol::write(self, out)
            }
        }
    )* };
}
borrowed_items! {
    [T: Serialize] &T => T;
    [] &str => String;
    [] &&str => String;
    [T: Serialize] &[T] => Vec<T>;
}

impl<T: Serialize, const N: usize> AsItem<Vec<T>> for [T; N] {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        protocol::write(self.as_slice(), out)
    }
}

impl<T: Serialize, const N: usize> AsItem<Vec<T>> for &[T; N] {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        protocol::write(self.as_slice(), out)
    }
}

/// A value as it is stored.
pub(super) fn encode<T>(item: &impl AsItem<T>) -> Result<Blob, ManagerErrorKind> {
    let mut bytes = Vec::new();
    let (written, descriptors) = attach::collect(|| item.write(&mut bytes));
    written.map_err(ManagerErrorKind::encode::<T>)?;
    Ok(Blob {
        bytes: bytes.into(),
        descriptors: descriptors.into_iter().map(Into::into).collect(),
    })
}

/// A key as it is stored. What it is equal to, its bytes decide.
pub(super) fn encode_key<K>(key: &impl AsItem<K>) -> Result<Bytes, ManagerErrorKind> {
    let Blob { bytes, descriptors } = encode(key)?;
    if descriptors.is_empty() {
        return Ok(bytes);
    }
    let message = "a handle to something shared can't be a part of a key".to_owned();
    Err(ManagerErrorKind::encode::<K>(CodecError(message)))
}

/// The value that was stored so.
pub(super) fn decode<T: DeserializeOwned>(blob: Blob) -> Result<T, ManagerErrorKind> {
    let bytes = blob.bytes.clone();
    let attached = blob.attached().map_err(ManagerErrorKind::System)?;
    protocol::decode(bytes.as_slice(), attached).map_err(ManagerErrorKind::decode::<T>)
}

pub(super) fn decode_all<T: DeserializeOwned>(
    blobs: impl IntoIterator<Item = Blob>,
) -> Result<Vec<T>, ManagerErrorKind> {
    blobs.into_iter().map(decode).collect()
}

/// A value of a namespace, which can be of any type.
#[derive(Serialize, Deserialize)]
struct Labelled {
    type_name: String,
    value: Bytes,
}

/// A value as it is stored where others of other types are.
pub(super) fn encode_labelled<T: Serialize + ?Sized>(value: &T) -> Result<Blob, ManagerErrorKind> {
    let mut bytes = Vec::new();
    let (written, descriptors) = attach::collect(|| protocol::write(value, &mut bytes));
    written.map_err(ManagerErrorKind::encode::<T>)?;
    let labelled = Labelled {
        type_name: std::any::type_name::<T>().to_owned(),
        value: bytes.into(),
    };
    let mut bytes = Vec::new();
    protocol::write(&labelled, &mut bytes).map_err(ManagerErrorKind::encode::<T>)?;
    Ok(Blob {
        bytes: bytes.into(),
        descriptors: descriptors.into_iter().map(Into::into).collect(),
    })
}

/// The value that was stored so. A value of another type that looks the same is none the worse for
/// it.
pub(super) fn decode_labelled<T: DeserializeOwned>(blob: Blob) -> Result<T, ManagerErrorKind> {
    let Labelled { type_name, value } =
        protocol::decode(blob.bytes.as_slice(), Attached::default())
            .map_err(ManagerErrorKind::decode::<T>)?;
    let value = Blob {
        bytes: value,
        descriptors: blob.descriptors,
    };
    decode(value).map_err(|error| match error {
        ManagerErrorKind::WrongType {
            wanted, message, ..
        } => ManagerErrorKind::WrongType {
            wanted,
            stored: Some(type_name),
            message,
        },
        other => other,
    })
}
