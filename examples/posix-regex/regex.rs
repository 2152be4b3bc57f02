//! The regular expressions of the C library, as a Rust type.
//!
//! It is what a careful binding to a C library looks like: safe to use as far as Rust can tell. What
//! the library does inside is its own affair: glibc's compiles nested groups by recursion, without a
//! limit, so a pattern with enough parentheses overflows the stack and ends the process. It is
//! documented ("stack overflow on crafted patterns") and won't be changed.
//!
//! # Safety
//!
//! A `regex_t` is made by `regcomp`, used by `regexec`, which doesn't change it, and freed once, by
//! `regfree`. It lies in a box, so it never moves.
#![expect(unsafe_code, reason = "calls the C library")]

use std::{
    ffi::{CStr, CString},
    fmt,
    mem::MaybeUninit,
    ptr,
};

/// A compiled POSIX extended regular expression.
pub struct Regex(Box<libc::regex_t>);

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What the C library says of a pattern that it does not understand.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let pattern = CString::new(pattern).map_err(|error| error.to_string())?;
        let mut regex = Box::new(MaybeUninit::<libc::regex_t>::uninit());
        // SAFETY: the first argument is room for a `regex_t`, the second a C string.
        let code =
            unsafe { libc::regcomp(regex.as_mut_ptr(), pattern.as_ptr(), libc::REG_EXTENDED) };
        if code != 0 {
            return Err(message(code));
        }
        // SAFETY: `regcomp` has succeeded and so initialised it.
        Ok(Regex(unsafe { regex.assume_init() }))
    }

    /// Whether the pattern matches anywhere in the text.
    ///
    /// # Errors
    /// What the C library says when it can't tell, for want of memory for example.
    pub fn is_match(&self, text: &str) -> Result<bool, String> {
        let text = CString::new(text).map_err(|error| error.to_string())?;
        // SAFETY: the first argument was initialised by `regcomp`, the second is a C string, and
        // there is room for no match.
        let code = unsafe { libc::regexec(&*self.0, text.as_ptr(), 0, ptr::null_mut(), 0) };
        match code {
            0 => Ok(true),
            libc::REG_NOMATCH => Ok(false),
            code => Err(message(code)),
        }
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: it was initialised by `regcomp`, and nobody uses it any more.
        unsafe { libc::regfree(&mut *self.0) };
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Regex(..)")
    }
}

fn message(code: libc::c_int) -> String {
    let mut text = [0u8; 128];
    // SAFETY: the buffer is as long as we say; the expression is not needed for the messages of
    // most libraries, glibc's among them.
    unsafe { libc::regerror(code, ptr::null(), text.as_mut_ptr().cast(), text.len()) };
    let text = CStr::from_bytes_until_nul(&text).map(CStr::to_string_lossy);
    text.map_or_else(|_| format!("error {code}"), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_or_are_refused() {
        let regex = Regex::new("^a(b|c)+$").unwrap();
        assert_eq!(regex.is_match("abcb"), Ok(true));
        assert_eq!(regex.is_match("abd"), Ok(false));
        assert!(Regex::new("(").unwrap_err().contains('('));
        assert!(Regex::new("\0").is_err());
    }
}
