//! Bytes that have to fit into one small message: long ones travel in shared memory beside it.
//!
//! ```text
//!  bytes ──stow──► short: as they are        ══ message ══►  as they are ──unstow──► bytes
//!                  long: nothing, and a memfd ══ SCM_RIGHTS ══► memfd
//!                        after the other descriptors
//! ```
//!
//! So a message always fits into an empty socket: whoever sends it never waits in the middle of one,
//! and a process that dies never leaves half of one behind.
//!
//! # Failure
//!
//! Memory that is shorter than its message said is an error, and so is one that is longer than any
//! value may be (LINK-2). The kernel frees what nobody took.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    os::fd::OwnedFd,
};

use crate::{
    codec::{MAX_PAYLOAD_LEN, attach::Attached},
    sys::memfd::Memfd,
};

/// The most bytes that stay in their message.
pub const INLINE_LEN: usize = 32 << 10;

/// Moves long bytes to shared memory, whose descriptor is put behind the others. Says whether it did.
///
/// # Errors
/// When memory or descriptors have run out; nothing has been moved then.
pub fn stow(bytes: &mut Vec<u8>, descriptors: &mut Vec<OwnedFd>) -> io::Result<bool> {
    if bytes.len() <= INLINE_LEN {
        return Ok(false);
    }
    let memory = Memfd::create("ppool-message", 0)?;
    let mut memory = File::from(OwnedFd::from(memory));
    memory.write_all(bytes)?;
    // The reader gets this very file, its position included.
    memory.rewind()?;
    *bytes = Vec::new();
    descriptors.push(memory.into());
    Ok(true)
}

/// Takes back what [`stow`] moved.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when no descriptor came, or its content is too long; another kind
/// when this process could not take it in.
pub fn unstow(bytes: &mut Vec<u8>, attached: &mut Attached) -> io::Result<()> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    if attached.is_incomplete() {
        // Those at the end are missing, and so is the memory.
        return Err(io::Error::other(
            "its descriptors could not be taken in: the process has as many open as it may have",
        ));
    }
    let memory = attached
        .pop()
        .ok_or_else(|| invalid("the bytes of the message did not come with it"))?;
    // Memory, so a read can't block: what isn't sealed may be a pipe that nobody writes to.
    let memory = File::from(OwnedFd::from(Memfd::from_peer(memory)?));
    bytes.clear();
    memory.take(MAX_PAYLOAD_LEN + 1).read_to_end(bytes)?;
    if bytes.len() as u64 > MAX_PAYLOAD_LEN {
        return Err(invalid("the message is too long"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_bytes_stay_and_long_ones_come_back() {
        for len in [0, 1, INLINE_LEN, INLINE_LEN + 1, 1 << 20] {
            let original: Vec<u8> = (0..=250).cycle().take(len).collect();
            let other = File::open("/dev/null").unwrap();
            let (mut bytes, mut descriptors) = (original.clone(), vec![OwnedFd::from(other)]);
            let stowed = stow(&mut bytes, &mut descriptors).unwrap();
            assert_eq!(stowed, len > INLINE_LEN);
            assert!(bytes.len() <= INLINE_LEN);
            let mut attached = Attached::from(descriptors);
            if stowed {
                unstow(&mut bytes, &mut attached).unwrap();
            }
            assert_eq!(attached.len(), 1);
            assert!(bytes == original, "{len} bytes");
        }
    }

    #[test]
    fn what_is_no_sealed_memory_is_refused() {
        let mut bytes = Vec::new();
        let null = || OwnedFd::from(File::open("/dev/null").unwrap());
        for mut attached in [
            Attached::default(),
            Attached::from(vec![null()]),
            Attached::incomplete(vec![null()]),
        ] {
            assert!(unstow(&mut bytes, &mut attached).is_err());
        }
    }
}
