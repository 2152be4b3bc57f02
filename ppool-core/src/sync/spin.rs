//! Looking a few times more before going to sleep.

use std::{hint, sync::OnceLock, thread};

/// How often one looks. It takes about a microsecond: less than a sleep and a wake-up.
const LOOKS: u32 = 60;

/// Looks for what another process may be about to do, if that can run meanwhile.
#[inline]
pub(crate) fn spin<R>(mut look: impl FnMut() -> Option<R>) -> Option<R> {
    static LIMIT: OnceLock<u32> = OnceLock::new();
    let limit = *LIMIT.get_or_init(|| {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        if processors > 1 { LOOKS } else { 0 }
    });
    (0..limit).find_map(|_| {
        hint::spin_loop();
        look()
    })
}
