//! Panics of tasks that run in this process: where they were, and how the stack was.
//!
//! Only a panic hook can see that. Ours notes it for panics inside a call and then goes on to the
//! hook that was there before, so that whoever debugs sees a panic as ever.

use std::{
    backtrace::Backtrace,
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind},
    sync::Once,
    thread,
};

use crate::{error::RemotePanic, future::panic_message};

thread_local! {
    /// How many calls this thread is inside of: a task may submit in turn.
    static CALLS: Cell<u32> = const { Cell::new(0) };
    /// The last panic inside one of them.
    static NOTED: RefCell<Option<RemotePanic>> = const { RefCell::new(None) };
}

/// Runs `call`; a panic of it is what a worker would have told of it.
pub(super) fn caught<R>(call: impl FnOnce() -> R) -> Result<R, RemotePanic> {
    install();
    CALLS.set(CALLS.get() + 1);
    // What the task may leave half done is its own, as on a thread.
    let result = catch_unwind(AssertUnwindSafe(call));
    CALLS.set(CALLS.get() - 1);
    result.map_err(|payload| {
        let message = panic_message(&*payload).to_owned();
        // Not every panic passes the hook (`resume_unwind` doesn't).
        let noted = NOTED.take().filter(|noted| noted.message == message);
        noted.unwrap_or_else(|| RemotePanic::new(message, None, None))
    })
}

fn install() {
    static INSTALL: Once = Once::new();

    // A thread that panics may not change the hook; the next call will.
    if thread::panicking() {
        return;
    }
    INSTALL.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // While a thread ends its variables may be gone.
            if CALLS.try_with(Cell::get).unwrap_or(0) > 0 {
                NOTED.set(Some(note(info)));
            }
            previous(info);
        }));
    });
}

fn note(info: &PanicHookInfo<'_>) -> RemotePanic {
    let wanted = std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value != "0");
    RemotePanic::new(
        panic_message(info.payload()).to_owned(),
        info.location().map(ToString::to_string),
        wanted.then(|| Backtrace::force_capture().to_string()),
    )
}
