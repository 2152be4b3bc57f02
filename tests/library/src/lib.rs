//! Tasks in a library crate, for the tests of the binaries that use it. The crate is of edition
//! 2021, so it also shows that `#[task]` works there.
#![forbid(unsafe_code)]

use ppool::task;

/// Tasks about text.
pub mod text {
    use ppool::task;

    /// How many words there are in `text`.
    #[task]
    pub fn count_words(text: &str) -> u64 {
        text.split_whitespace().count() as u64
    }
}

/// Twice as many.
#[task]
pub fn double(n: u64) -> u64 {
    n * 2
}
