//! The future of a call on a thread: the fastest channel for one value that we know, so that the
//! thread pools are at their best.

use super::Pending;
use crate::Failure;

/// The receiving end.
#[derive(Debug)]
pub struct OneShot<R>(oneshot::Receiver<R>);

impl<R: Send> OneShot<R> {
    /// A function that runs `call` and sends what it returns, and the end that receives it.
    pub(super) fn wrap(call: impl FnOnce() -> R + Send) -> (impl FnOnce() + Send, OneShot<R>) {
        let (sender, receiver) = oneshot::channel();
        let run = move || {
            // Nobody may be waiting any more.
            let _ = sender.send(call());
        };
        (run, OneShot(receiver))
    }
}

impl<R: Send> Pending<R> for OneShot<R> {
    fn wait(self) -> Result<R, Failure> {
        self.0.recv().map_err(Failure::from)
    }
}
