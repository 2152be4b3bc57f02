//! An error of a task that serde can't carry, made into one that it can.

use std::{error::Error, fmt};

use serde::{Deserialize, Serialize};

/// Any error, as it can travel between processes: its message and its chain of sources as text.
///
/// `?` turns every `std::error::Error` into one, so a task can return
/// `Result<T, RemoteError>` whatever goes wrong inside.
///
/// ```
/// use ppool_core::RemoteError;
///
/// fn parse(text: &str) -> Result<u64, RemoteError> {
///     Ok(text.parse::<u64>()?)
/// }
/// assert_eq!(parse("x").unwrap_err().to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteError {
    message: String,
    source: Option<Box<Link>>,
}

/// One source in the chain: an error in its own right, so that `source()` can be walked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Link(RemoteErrorSource);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RemoteErrorSource {
    message: String,
    source: Option<Box<Link>>,
}

impl RemoteError {
    /// An error with this message and no source.
    pub fn new(message: impl fmt::Display) -> Self {
        RemoteError {
            message: message.to_string(),
            source: None,
        }
    }

    /// The same error under a message that says what was being done; what it was becomes the
    /// source.
    #[must_use]
    pub fn context(self, message: impl fmt::Display) -> Self {
        RemoteError {
            message: message.to_string(),
            source: Some(Box::new(Link(RemoteErrorSource {
                message: self.message,
                source: self.source,
            }))),
        }
    }

    /// The messages from the outermost error to the first cause.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        let mut next = self.source.as_deref();
        std::iter::once(self.message.as_str()).chain(std::iter::from_fn(move || {
            let link = next?;
            next = link.0.source.as_deref();
            Some(link.0.message.as_str())
        }))
    }
}

impl<E: Error> From<E> for RemoteError {
    fn from(error: E) -> Self {
        let mut messages = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(error) = cause {
            messages.push(error.to_string());
            cause = error.source();
        }
        let mut source = None;
        while messages.len() > 1 {
            let message = messages.pop().expect("the loop runs while messages remain");
            source = Some(Box::new(Link(RemoteErrorSource { message, source })));
        }
        let message = messages.pop().expect("the first message was pushed above");
        RemoteError { message, source }
    }
}

impl fmt::Display for RemoteError {
    /// The message; with `{:#}` the whole chain, joined by `: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if f.alternate() {
            for cause in self.chain().skip(1) {
                write!(f, ": {cause}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl RemoteError {
    /// This error as a `std::error::Error` with its chain of sources, for libraries that want one.
    ///
    /// (`RemoteError` itself can't implement that trait: it converts from everything that does.)
    #[must_use]
    pub fn into_error(self) -> Box<dyn Error + Send + Sync> {
        Box::new(Link(RemoteErrorSource {
            message: self.message,
            source: self.source,
        }))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.message)
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|link| link as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("reading the port")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_chain_of_sources_is_kept() {
        let error = RemoteError::from(Outer("x".parse::<u16>().unwrap_err()));
        assert_eq!(error.to_string(), "reading the port");
        assert_eq!(
            format!("{error:#}"),
            "reading the port: invalid digit found in string"
        );
        let error = error.context("starting").into_error();
        assert_eq!(error.to_string(), "starting");
        let middle = error.source().unwrap();
        assert_eq!(middle.to_string(), "reading the port");
        assert!(middle.source().is_some());
    }
}
