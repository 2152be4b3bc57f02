//! The output buffers of the C library.
#![expect(unsafe_code, reason = "calls fflush")]

use std::ptr;

use nix::libc;

/// `fflush(NULL)`—writes what C code has printed and the C library still keeps. What can't be
/// written stays where it is.
///
/// # References
/// - [fflush(3)](https://man7.org/linux/man-pages/man3/fflush.3.html)
pub fn flush_all() {
    // SAFETY: a null stream means all of them; the C library locks each.
    unsafe { libc::fflush(ptr::null_mut()) };
}
