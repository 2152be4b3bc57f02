//! The runtime that drives async tasks: one for the process, made by the first of them.
//!
//! A worker runs one call at a time, so a current-thread runtime does: the call thread drives it
//! while a task runs. What a task spawned goes on when the next async task runs, and not before;
//! connections that a task keeps in the worker's state stay usable, as it is the same runtime.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
};

/// It is never dropped: the process ends with it.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Whether an async task has made it in this process.
pub(crate) fn is_made() -> bool {
    RUNTIME.get().is_some()
}

/// Drives the future of a task to its end.
///
/// # Panics
/// When the runtime can't be started, for want of descriptors for example: the call then fails with
/// that message. A panic of the future goes through.
#[doc(hidden)]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = RUNTIME.get_or_init(|| {
        let started = Builder::new_current_thread().enable_all().build();
        started.unwrap_or_else(|error| panic!("tokio's runtime could not be started: {error}"))
    });
    match Handle::try_current() {
        Err(_) => runtime.block_on(future),
        // A pool that runs in process, used by async code: its runtime is not ours to block on.
        Ok(_) => block_on_beside(runtime, future),
    }
}

/// Drives the future on this thread, which is inside another runtime, while another thread drives
/// ours.
fn block_on_beside<F: Future>(runtime: &Runtime, future: F) -> F::Output {
    thread::scope(|scope| {
        let (done, is_done) = oneshot::channel::<()>();
        // It ends when `done` is dropped, be it by a panic.
        scope.spawn(move || {
            let _ = runtime.block_on(is_done);
        });
        let _done = done;
        let _inside = runtime.enter();
        park_until_ready(future)
    })
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn park_until_ready<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
