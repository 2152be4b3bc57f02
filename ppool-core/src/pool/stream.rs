//! An `imap` for async code: the same calls, without blocking whoever asks.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{
    Imap,
    chunk::{Filled, fill},
    map::{Parcel, Sent},
};
use crate::{codec::IntoArgs, error::TaskError, task::Task};

impl<T: Task, I: Iterator<Item: IntoArgs<T::Args>>> Imap<T, I> {
    /// The same results as a `Stream`, for async code (with the feature `stream`).
    ///
    /// (`Imap` itself is no stream, since the methods of `Iterator` and of `StreamExt` would get in
    /// each other's way.)
    pub fn into_stream(self) -> ImapStream<T, I> {
        ImapStream {
            imap: self,
            parcel: None,
        }
    }
}

/// The results of a task over many inputs, as they are asked for by async code: what
/// [`Imap::into_stream`] gives.
///
/// No poll blocks, not even while the pool's queue is full; inputs are pulled and encoded inside
/// `poll_next`, so the iterator of the inputs should not block either. Dropping it cancels the
/// calls that have not started. It keeps its pool open, as an `Imap` does: when it is the last one
/// to hold the pool, dropping it waits for the pool to end.
#[must_use = "no input is pulled until the stream is polled"]
pub struct ImapStream<T: Task, I: Iterator> {
    imap: Imap<T, I>,
    /// What the queue had no room for.
    parcel: Option<Parcel>,
}

// Neither the inputs nor anything else in it is ever pinned.
impl<T: Task, I: Iterator> Unpin for ImapStream<T, I> {}

impl<T: Task, I: Iterator<Item: IntoArgs<T::Args>>> ImapStream<T, I> {
    /// Pulls and submits inputs until the window, or the queue, is full.
    fn feed(&mut self, context: &Context<'_>) {
        loop {
            if let Some(parcel) = self.parcel.take() {
                match self.imap.try_send(parcel, false) {
                    Sent::Yes => {}
                    Sent::Refused => self.imap.inputs = None,
                    Sent::Full(parcel) => {
                        self.parcel = Some(parcel);
                        if !self.imap.pool.manager.poll_room(context.waker()) {
                            return;
                        }
                    }
                }
                continue;
            }
            let Some(size) = self.imap.wants() else {
                return;
            };
            let Some(inputs) = self.imap.inputs.as_mut() else {
                return;
            };
            let Filled {
                chunk,
                failed,
                more,
            } = fill::<T, _>(
                &self.imap.pool.manager,
                inputs,
                size,
                self.imap.options.chunk_size.is_some(),
            );
            if !more {
                self.imap.inputs = None;
            }
            if chunk.count() > 0 {
                self.parcel = Some(self.imap.parcel(chunk));
            }
            if let Some(error) = failed {
                self.imap.refuse(error);
            }
        }
    }
}

impl<T: Task, I: Iterator<Item: IntoArgs<T::Args>>> Stream for ImapStream<T, I> {
    type Item = Result<T::Output, TaskError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(value) = self.imap.next_value() {
                return Poll::Ready(Some(value));
            }
            self.feed(context);
            if self.imap.open() == 0 {
                return Poll::Ready(None);
            }
            let Some(piece) = self.imap.gather.poll_take(context.waker()) else {
                return Poll::Pending;
            };
            if let Some(error) = self.imap.holds(piece) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let open = usize::try_from(self.imap.open()).unwrap_or(usize::MAX);
        match &self.imap.inputs {
            None => (open, Some(open)),
            // A pool that closes leaves inputs where they are, so there may be none of them.
            Some(inputs) => {
                let most = inputs.size_hint().1;
                (open, most.and_then(|most| most.checked_add(open)))
            }
        }
    }
}

impl<T: Task, I: Iterator> Drop for ImapStream<T, I> {
    /// Nobody waits any more; the rest is what dropping an `Imap` does.
    fn drop(&mut self) {
        self.imap.gather.forget_waker();
    }
}

impl<T: Task, I: Iterator> fmt::Debug for ImapStream<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ImapStream").field(&self.imap).finish()
    }
}
