//! Building a pool failed.

use std::fmt;

/// Why a pool could not be built. Nothing has been started when it is returned.
pub struct BuildError {
    kind: BuildErrorKind,
}

#[derive(Debug)]
pub(crate) enum BuildErrorKind {
    /// A setting makes no sense; the text says which and what would.
    Setting(String),
    /// The binary's own tasks are at fault: two of them share a name.
    Registry(String),
    /// The arguments of the initializer or finalizer could not be encoded.
    Encode(super::EncodeError),
}

impl BuildError {
    pub(crate) fn new(kind: BuildErrorKind) -> Self {
        BuildError { kind }
    }

    pub(crate) fn setting(message: impl Into<String>) -> Self {
        BuildError::new(BuildErrorKind::Setting(message.into()))
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            BuildErrorKind::Setting(message) | BuildErrorKind::Registry(message) => {
                f.write_str(message)
            }
            BuildErrorKind::Encode(error) => write!(f, "{error}"),
        }
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildError({self})")
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            BuildErrorKind::Encode(error) => Some(error),
            BuildErrorKind::Setting(_) | BuildErrorKind::Registry(_) => None,
        }
    }
}
