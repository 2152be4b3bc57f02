//! One worker's region: made by the parent, attached by the worker.

use std::sync::Arc;

use super::{
    atomic::Ordering::{Acquire, Relaxed, Release},
    bell::Bell,
    layout::{CLOSED, Layout, PARENT_BELL, ROOM_BELL, SPIN, WORKER_BELL},
    memory::Memory,
};

/// The memory that the parent and one worker share, and how it is divided.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(super) memory: Arc<Memory>,
    pub(super) layout: Layout,
}

impl Region {
    /// Rung by the parent when there are calls.
    pub(crate) fn worker_bell(&self) -> Bell<'_> {
        Bell::new(self.memory.half_word(WORKER_BELL))
    }

    /// Rung by the parent when there is room for results.
    pub(crate) fn room_bell(&self) -> Bell<'_> {
        Bell::new(self.memory.half_word(ROOM_BELL))
    }

    /// Rung by the worker when there are results.
    pub(crate) fn parent_bell(&self) -> Bell<'_> {
        Bell::new(self.memory.half_word(PARENT_BELL))
    }

    /// For how many nanoseconds a worker without work looks for some before it sleeps.
    pub(crate) fn spin(&self) -> u64 {
        self.memory.word(SPIN).load(Relaxed)
    }

    /// Says for how many.
    pub(crate) fn set_spin(&self, spin: u64) {
        self.memory.word(SPIN).store(spin, Relaxed);
    }

    /// Says that nobody takes results any more.
    pub(crate) fn close(&self) {
        // Release: pairs with `is_closed`; what was pushed before is seen by who sees this.
        self.memory.word(CLOSED).store(1, Release);
    }

    /// Whether the parent has closed its end. (One that was killed couldn't say so.)
    pub(crate) fn is_closed(&self) -> bool {
        self.memory.word(CLOSED).load(Acquire) != 0
    }

    /// The same over ordinary memory.
    #[cfg(test)]
    pub(crate) fn heap(layout: Layout) -> Self {
        Region {
            memory: Arc::new(Memory::heap(layout.total())),
            layout,
        }
    }
}

#[cfg(not(loom))]
mod shared {
    //! The region as memory of two processes.

    use std::{io, os::fd::OwnedFd, sync::Arc};

    use super::{
        super::{Broken, layout::DESCRIPTION},
        Layout, Memory, Region, Relaxed,
    };
    use crate::sys::{mapping::Mapping, memfd::Memfd};

    /// "ppool" and the version of what this module and its children describe.
    const MAGIC: u64 = u64::from_le_bytes(*b"ppool\0\0\x01");

    impl Region {
        /// A new region, and the descriptor that gives it to the worker.
        ///
        /// # Errors
        /// When memory, address space or descriptors have run out.
        pub(crate) fn create() -> io::Result<(Self, OwnedFd)> {
            let layout = Layout::STANDARD;
            let memfd = Memfd::create("ppool-ring", layout.total() as u64)?;
            memfd.seal_growth()?;
            let memory = Memory::mapped(Mapping::new(&memfd, layout.total())?);
            let region = Region {
                memory: Arc::new(memory),
                layout,
            };
            for (word, value) in region.description() {
                region.memory.word(word).store(value, Relaxed);
            }
            Ok((region, memfd.into()))
        }

        /// The region that the parent has made.
        ///
        /// # Errors
        /// When it is none, or of another version.
        pub(crate) fn attach(fd: OwnedFd) -> io::Result<Self> {
            let memfd = Memfd::from_peer(fd)?;
            let layout = Layout::STANDARD;
            if memfd.byte_len()? != layout.total() as u64 {
                return Err(Broken("the region has another length").into());
            }
            let memory = Memory::mapped(Mapping::new(&memfd, layout.total())?);
            let region = Region {
                memory: Arc::new(memory),
                layout,
            };
            let is_ours = |(word, value)| region.memory.word(word).load(Relaxed) == value;
            if !region.description().into_iter().all(is_ours) {
                return Err(Broken("the region is laid out differently").into());
            }
            Ok(region)
        }

        /// What the header says of the region, and where.
        fn description(&self) -> [(usize, u64); 5] {
            let Layout {
                slots,
                slot_len,
                arena_len,
                results_len,
            } = self.layout;
            let word = |at: usize| DESCRIPTION + 8 * at;
            [
                (word(0), MAGIC),
                (word(1), slots as u64),
                (word(2), slot_len as u64),
                (word(3), arena_len as u64),
                (word(4), results_len as u64),
            ]
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_region_is_attached_as_it_was_made() {
            let (made, fd) = Region::create().unwrap();
            let attached = Region::attach(fd).unwrap();
            made.set_spin(7);
            assert_eq!(attached.spin(), 7);
            assert!(!attached.is_closed());
            made.close();
            assert!(attached.is_closed());
        }

        #[test]
        fn what_is_no_region_is_refused() {
            let short = Memfd::create("ppool-test", 4096).unwrap();
            assert!(Region::attach(short.into()).is_err());
            let empty = Memfd::create("ppool-test", Layout::STANDARD.total() as u64).unwrap();
            assert!(Region::attach(empty.into()).is_err());
        }
    }
}
