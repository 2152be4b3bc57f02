//! The end of the process: pools that still live are drained, as concurrent.futures does with its
//! exit handler. Statics, leaked pools and pools that nobody closed are among them.

use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use super::QueueManager;
use crate::sys;

/// The pools of this process that have a queue-manager thread.
static LIVE: Mutex<Vec<Weak<QueueManager>>> = Mutex::new(Vec::new());

/// Says that this pool has to be drained before the process may end.
pub(super) fn register(manager: &Arc<QueueManager>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // Without room for the handler, workers end with their parent all the same (SUP-4).
        let _ = sys::exit_hook::at_exit(drain_all);
    });
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    let manager = Arc::downgrade(manager);
    // A pool that was started again is among them already.
    live.retain(|pool| pool.strong_count() > 0 && !pool.ptr_eq(&manager));
    live.push(manager);
}

fn drain_all() {
    loop {
        let next = LIVE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(pool) = next else {
            return;
        };
        if let Some(manager) = pool.upgrade() {
            drain(&manager);
        }
    }
}

/// Finishes what the pool has, then waits for its workers and callbacks to end.
pub(crate) fn drain(manager: &QueueManager) {
    if manager.is_forked() {
        return;
    }
    let era = manager.close();
    manager.join(era, None);
    // Callbacks that wait to be asked for are asked for now, or they would be lost.
    manager.callbacks().process(None);
}
