//! How many descriptors and processes there may be, and whether they have run out.

use std::io;

use nix::{
    libc,
    sys::resource::{Resource, getrlimit, setrlimit},
};

/// `getrlimit(RLIMIT_NOFILE)`—how many descriptors this process may have; `u64::MAX` when there
/// is no limit.
///
/// # Errors
/// None is known.
///
/// # References
/// - [getrlimit(2)](https://man7.org/linux/man-pages/man2/getrlimit.2.html)
pub fn open_files() -> io::Result<u64> {
    soft(Resource::RLIMIT_NOFILE)
}

/// `getrlimit(RLIMIT_NPROC)`—how many processes and threads this user may have; `u64::MAX` when
/// there is no limit. (Privileged users are not held to it.)
///
/// # Errors
/// None is known.
///
/// # References
/// - [getrlimit(2)](https://man7.org/linux/man-pages/man2/getrlimit.2.html)
pub fn processes() -> io::Result<u64> {
    soft(Resource::RLIMIT_NPROC)
}

/// `setrlimit(RLIMIT_NOFILE)`—lets this process have as many descriptors as it may let itself have.
///
/// # Errors
/// None is known.
///
/// # References
/// - [setrlimit(2)](https://man7.org/linux/man-pages/man2/setrlimit.2.html)
pub fn raise_open_files() -> io::Result<()> {
    let (_soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// What a system call that needs one more descriptor says when there can be none.
#[must_use]
pub fn too_many_open_files() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}

/// Whether an error says that something had run out: processes, memory or descriptors. The same
/// call may succeed later.
#[must_use]
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE)
    )
}

/// The limit that holds now; the process may raise it up to the other, hard one.
fn soft(resource: Resource) -> io::Result<u64> {
    let (soft, _hard) = getrlimit(resource)?;
    Ok(soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_running_process_are_not_zero() {
        assert!(open_files().unwrap() > 0);
        assert!(processes().unwrap() > 0);
    }

    #[test]
    fn a_shortage_is_told_from_a_mistake() {
        let of = |number| is_shortage(&io::Error::from_raw_os_error(number));
        assert!(of(libc::EMFILE) && of(libc::ENFILE) && of(libc::EAGAIN) && of(libc::ENOMEM));
        assert!(!of(libc::ENOENT) && !of(libc::EINVAL));
        assert!(!is_shortage(&io::Error::other("no number at all")));
    }
}
