//! What processes are called, for `ps` and `top`.

use std::ffi::CString;

use nix::sys::prctl;
use ppool_core::wire::Boot;

use crate::panic;

/// What the worker is called: `images-w3` is the one in slot 3 of the pool `images`.
///
/// The kernel shows 15 bytes, so a long name of a pool is cut, not the number.
pub(super) fn name(boot: &Boot) -> String {
    name_with(boot, &format!("-w{}", boot.worker.slot.0))
}

/// The name of a process of the pool with this ending, which is shown in full.
pub(crate) fn name_with(boot: &Boot, ending: &str) -> String {
    const SHOWN: usize = 15;

    let room = SHOWN.saturating_sub(ending.len());
    let pool = &boot.pool[..panic::char_boundary(&boot.pool, room)];
    // A name can't have a zero byte in it.
    format!("{pool}{ending}").replace('\0', "_")
}

/// Names the process, for `ps` and `top`. A name that the kernel doesn't like is no reason not to work.
pub(crate) fn show_name(name: &str) {
    let _ = CString::new(name).map(|name| prctl::set_name(&name));
}

#[cfg(test)]
mod tests {
    use ppool_core::{
        ids::{Generation, Slot, WorkerId},
        output::Output,
        wire::WorkerLimits,
    };

    use super::*;

    fn boot(pool: &str, slot: u32) -> Boot {
        Boot {
            pool: pool.to_string(),
            worker: WorkerId {
                slot: Slot(slot),
                generation: Generation(0),
            },
            preload: None,
            initializer: None,
            finalizer: None,
            current_dir: None,
            parent_pid: 0,
            output: Output::Inherit,
            limits: WorkerLimits::default(),
        }
    }

    #[test]
    fn a_worker_s_name_shows_its_number() {
        assert_eq!(name(&boot("ppool", 3)), "ppool-w3");
        assert_eq!(name(&boot("a-very-long-name", 12)), "a-very-long-w12");
        assert_eq!(name(&boot("ääääääää", 1)), "ääääää-w1");
        assert_eq!(name(&boot("a\0b", 1)), "a_b-w1");
    }
}
