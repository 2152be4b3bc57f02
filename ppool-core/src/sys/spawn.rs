//! Starting another process of the program that runs.

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use nix::{
    spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn},
    sys::signal::SigSet,
};

use super::fcntl::duplicate;

/// The file that this process runs, also when it has been replaced or deleted since.
const THIS_PROGRAM: &CStr = c"/proc/self/exe";

/// A descriptor that the new process gets, and the number that it has there.
#[derive(Clone, Copy, Debug)]
pub struct Inherited<'fd> {
    /// The descriptor here; it stays open and close-on-exec.
    pub fd: BorrowedFd<'fd>,
    /// Its number there, where it is not close-on-exec.
    pub number: RawFd,
}

/// `posix_spawn("/proc/self/exe", argv, environment)`—starts the program that runs here once more,
/// and returns the id of the new process.
///
/// The child has every signal at its default and none blocked, and shares nothing with its parent
/// but the descriptors that are handed over (and those that somebody opened without close-on-exec).
/// The cost doesn't grow with the parent's memory: the C library lets the child borrow the parent's
/// memory until it calls exec, instead of copying it as fork does. Safe whatever other threads do,
/// also when they hold the allocator's lock.
///
/// # Errors
/// `EAGAIN` when the user has too many processes, `ENOMEM` when memory has run out, `EMFILE` when
/// descriptors have, `ENOENT` when `/proc` is not there, `E2BIG` when arguments and environment are
/// too long together.
///
/// # References
/// - [posix_spawn(3)](https://man7.org/linux/man-pages/man3/posix_spawn.3.html)
/// - [proc_pid_exe(5)](https://man7.org/linux/man-pages/man5/proc_pid_exe.5.html)
pub fn spawn_self(
    argv: &[CString],
    environment: &[CString],
    inherited: &[Inherited<'_>],
) -> io::Result<u32> {
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK,
    )?;
    attributes.set_sigdefault(&SigSet::all())?;
    attributes.set_sigmask(&SigSet::empty())?;

    // dup2 of a descriptor to the number that it has would leave it close-on-exec, and dup2 to the
    // number of one that is still to be handed over would lose that one. So what lies that low is
    // handed over from a higher place.
    let first_safe = inherited.iter().map(|one| one.number + 1).max();
    let mut lifted: Vec<OwnedFd> = Vec::new();
    let mut actions = PosixSpawnFileActions::init()?;
    for one in inherited {
        let mut source = one.fd.as_raw_fd();
        if let Some(lowest) = first_safe.filter(|&lowest| source < lowest) {
            let copy = duplicate(one.fd, lowest)?;
            source = copy.as_raw_fd();
            lifted.push(copy);
        }
        // nix doesn't hear of it when this fails, for want of memory. The child then finds nothing
        // at that number; see `inherit::take`.
        actions.add_dup2(source, one.number)?;
    }

    let pid = posix_spawn(THIS_PROGRAM, &actions, &attributes, argv, environment)?;
    drop(lifted);
    Ok(pid.as_raw().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{PipeReader, Read, pipe},
        os::{fd::AsFd, unix::ffi::OsStringExt},
        sync::atomic::{AtomicU32, Ordering::SeqCst},
    };

    use nix::sys::signal::{SaFlags, SigAction, SigHandler, Signal, sigaction};

    use super::{super::pidfd::ExitWatch, *};
    use crate::error::ExitHow;

    /// Starts this test program to list its tests; gives its id and what it prints.
    fn list_tests() -> (u32, PipeReader) {
        let environment: Vec<_> = std::env::vars_os()
            .map(|(name, value)| {
                let text = [name.into_vec(), value.into_vec()].join(&b'=');
                CString::new(text).unwrap()
            })
            .collect();
        let argv = ["title", "--list", "sys::spawn"].map(|text| CString::new(text).unwrap());
        let (output, input) = pipe().unwrap();
        let null = File::open("/dev/null").unwrap();
        let inherited = [
            Inherited {
                fd: null.as_fd(),
                number: 0,
            },
            Inherited {
                fd: input.as_fd(),
                number: 1,
            },
        ];
        (spawn_self(&argv, &environment, &inherited).unwrap(), output)
    }

    #[test]
    fn the_child_is_this_program_with_the_descriptors_that_it_was_given() {
        let (pid, mut output) = list_tests();
        let mut printed = String::new();
        output.read_to_string(&mut printed).unwrap();
        assert!(printed.contains("the_child_is_this_program"), "{printed}");
        assert_eq!(
            ExitWatch::open(pid).unwrap().wait().unwrap().how,
            ExitHow::Code(0)
        );
    }

    #[test]
    #[expect(unsafe_code, reason = "installs a signal handler")]
    fn a_handler_of_sigchld_is_no_hindrance() {
        static CALLED: AtomicU32 = AtomicU32::new(0);
        extern "C" fn count(_: i32) {
            CALLED.fetch_add(1, SeqCst);
        }

        // Without SA_RESTART, so that system calls of this program are interrupted.
        let action = SigAction::new(
            SigHandler::Handler(count),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler only adds to an atomic number.
        unsafe { sigaction(Signal::SIGCHLD, &action) }.unwrap();
        let started: Vec<_> = (0..20).map(|_| list_tests()).collect();
        for (pid, mut output) in started {
            output.read_to_end(&mut Vec::new()).unwrap();
            ExitWatch::open(pid).unwrap().wait().unwrap();
        }
        // It stays installed: other tests of this process get along with it too.
        assert!(CALLED.load(SeqCst) > 0);
    }
}
