//! The call thread's ends of the two transports: where calls come from, and where results go.
//!
//! Each pair is one transport; the [call loop](crate::call_loop) is the same above both. A call is
//! taken apart in this order, so that what it held is free when its parent hears of its end:
//! [`Calls::next`], [`Calls::arguments`], results, [`Calls::release`], [`Results::publish`].

mod queue;
mod ring;

pub(crate) use queue::{QueuedCall, QueuedCalls, SocketResults, Work};

use std::{io, ops::Range, sync::Arc};

use ppool_core::{
    codec::{Encoder, Places, attach::Attached, segment::Segments},
    ids::ItemId,
    wire::{CallItem, ResultItem},
};

/// Where calls come from.
pub(crate) trait Calls {
    /// A call that runs.
    type Call;

    /// Waits for the next call; `None` when no more come.
    fn next(&mut self) -> io::Result<Option<Self::Call>>;

    /// What the call is.
    fn item(call: &Self::Call) -> CallItem;

    /// Takes the descriptors that came with it.
    fn take_attached(call: &mut Self::Call) -> Attached;

    /// Its arguments, where they lie.
    fn arguments<'a>(&'a self, call: &'a Self::Call) -> &'a [u8];

    /// Frees arguments that take much memory: they are not needed any more, and sending the result
    /// may take long.
    fn free_arguments(call: &mut Self::Call);

    /// The next items of a call of several that are to be run, at most `want`, in order; `None` when
    /// there are no more.
    fn claim_items(&self, call: &Self::Call, want: u32) -> Option<Range<u32>>;

    /// Ends a call, which took this long in nanoseconds if it was of several items. After its last
    /// result, before that is published.
    fn release(&self, call: Self::Call, spent: u64);
}

/// Where results go. They may be held back until [`Results::publish`].
pub(crate) trait Results {
    /// Where large values can be encoded to, if the parent can take them from there.
    fn segments(&self) -> Option<Arc<dyn Segments>> {
        None
    }

    /// The value of a call of one item, and the descriptors that it attached.
    fn value(&mut self, id: ItemId, value: &mut Encoder) -> io::Result<()>;

    /// The value of an item of a call of several.
    fn add_value(&mut self, id: ItemId, value: &mut Encoder) -> io::Result<()>;

    /// The places of values of `each` bytes, of a call's items from this one on: at least one. `None`
    /// where there are none: then [`add_value`](Results::add_value) takes them.
    fn places(&mut self, _first: ItemId, _each: usize) -> io::Result<Option<Places<'_>>> {
        Ok(None)
    }

    /// So many of the places were used.
    fn placed(&mut self, _count: u32, _each: usize) {}

    /// A result that is no value.
    fn outcome(&mut self, result: ResultItem) -> io::Result<()>;

    /// A result that was already sent by the panic hook.
    fn reported(&mut self, id: ItemId) -> io::Result<()>;

    /// Shows the parent all that came before.
    fn publish(&mut self) -> io::Result<()>;
}
